"""The list that forward passes are run from: everything is at hand when it is needed, and nothing longer than that."""

from hypothesis import given, settings
from random_networks import SIGNALS, architectures, shortest

from randsearch.models.architecture import Architecture
from randsearch.models.operations import operations
from randsearch.models.sizing import Signal
from randsearch.models.structure import convolutions


@given(architectures(), SIGNALS)
@settings(max_examples=40)
def test_outputs_are_kept_until_they_are_last_read(architecture: Architecture, signal: Signal) -> None:
    layers = convolutions(architecture, signal, shortest(architecture))
    work = operations(layers)
    outputs = [layer for layer in layers if layer.part == "output"]
    at_hand = {""}
    for operation in work:
        layer = operation.layer
        needed = {name for name, _ in layer.inputs} | ({layer.within} - {None})
        assert needed <= at_hand
        at_hand.add(layer.name)
        at_hand -= set(operation.last_read)
    assert at_hand == {name for layer in outputs for name, _ in layer.inputs}
    assert [operation.layer for operation in work] + outputs == layers


@given(architectures(), SIGNALS)
@settings(max_examples=20)
def test_readers_are_the_layers_that_see_an_output(architecture: Architecture, signal: Signal) -> None:
    layers = convolutions(architecture, signal, shortest(architecture))
    for operation in operations(layers):
        seeing = [layer for layer in layers if operation.layer.name in dict(layer.inputs)]
        assert list(operation.readers) == seeing
        assert seeing
