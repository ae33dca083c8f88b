"""Networks against the authors' own: outputs that their TensorFlow graphs computed once, from weights copied over.

`reference/` holds what the graphs of Wave-U-Net (Stoller et al.) and J-Net (Chen et al.) made of a few architectures.
Where the whole collection lies beside the repository, all of it is read.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.channels_last import estimate_all
from randsearch.models.layers import Signal, lengths
from randsearch.models.sizing import convolutions, parameters
from randsearch.models.wave_unet import WaveUNet

HERE = Path(__file__).parent / "reference"
COLLECTION = Path(__file__).parents[3] / "shared" / "data" / "reference-outputs"
FILES = {path.name: path for folder in (COLLECTION, HERE) for path in sorted(folder.glob("*.npz"))}
TOLERANCE = 2e-5  # Of the largest output.


@pytest.fixture(scope="module", params=sorted(FILES))
def reference(request):
    with np.load(FILES[request.param]) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def network(reference) -> WaveUNet:
    """Ours, with their weights."""
    architecture = Architecture.create(json.loads(str(reference["architecture"])))
    network = build(architecture, Signal(**json.loads(str(reference["signal"]))), 0)
    weights = {
        name.removeprefix("weight:"): torch.from_numpy(array)
        for name, array in reference.items()
        if name.startswith("weight:")
    }
    network.load_state_dict(weights)
    return network


def test_outputs_are_the_authors(reference, network):
    mixture = torch.from_numpy(reference["mixture"])
    assert lengths(network.architecture, reference["estimates_test"].shape[-1]).input == mixture.shape[-1]
    for training, name in ((True, "estimates_training"), (False, "estimates_test")):
        expected = torch.from_numpy(reference[name])
        network.train(training)
        with torch.no_grad():
            found = {"plain": network(mixture), "fast": estimate_all(network, mixture)[-1]}
        for way, estimates in found.items():
            assert estimates.shape == expected.shape
            error = (estimates - expected).abs().max() / expected.abs().max()
            assert error <= TOLERANCE, f"{way}, {name}: {error:.1e}"


def test_what_trains_is_what_trained(reference, network):
    trains = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert trains == set(reference["trainable"].tolist())


def test_parameters_are_as_many(reference, network):
    total = int(reference["parameters"])
    assert sum(parameter.numel() for parameter in network.parameters()) == total
    layers = convolutions(network.architecture, network.signal, reference["mixture"].shape[-1])
    assert sum(parameters(layers).values()) == total
