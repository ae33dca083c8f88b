"""Architectures: hashes that never change, one description for one network, refusals in a sentence."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from randsearch.base.errors import UserError
from randsearch.models.architecture import Architecture


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "44136fa355b3"),
        ({"levels": 12, "skips": (0, 3)}, "58e33ef64dbb"),
        ({"output": "direct", "activation": "gelu"}, "e656c326ef1f"),
        (
            {"first_filters": 34, "filter_increment": 34, "levels": 12, "output_activation": "linear"},
            "dce263a625ba",
        ),
    ],
)
def test_hashes_never_change(options: dict[str, object], expected: str) -> None:
    assert Architecture.create(options).hash == expected


def test_options_at_their_default_do_not_enter_the_hash() -> None:
    assert Architecture(context=False, fixed_encoder_levels=(), res_path="none").hash == Architecture().hash
    assert Architecture(context=True).hash != Architecture().hash


@pytest.mark.parametrize("name", ["skips", "fixed_encoder_levels", "fixed_decoder_levels"])
@pytest.mark.parametrize(
    ("given_", "expected"),
    [("all", "all"), ([2, 0, 1], "all"), ("2 0", (0, 2)), (1, (1,)), ("none", ()), ([], ()), ([1, 1], (1,))],
)
def test_a_set_of_levels_has_one_description(name: str, given_: object, expected: object) -> None:
    assert getattr(Architecture.create({"levels": 3, name: given_}), name) == expected


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "levels": st.integers(3, 12),
            "skips": st.sampled_from(["all", (), (0,), (0, 2)]),
            "fixed_decoder_levels": st.sampled_from(["all", (), (1,), (0, 2)]),
            "context": st.booleans(),
            "normalisation": st.sampled_from(["none", "group"]),
        },
    )
)
@settings(max_examples=50)
def test_a_row_describes_its_architecture(options: dict[str, object]) -> None:
    architecture = Architecture.create(options)
    row = architecture.to_row()
    assert Architecture.create(row) == architecture
    # As a table's text has it.
    assert Architecture.create({name: str(value) for name, value in row.items()}).hash == architecture.hash
    assert Architecture.model_validate_json(architecture.model_dump_json()) == architecture


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"decoder_kernel": 4}, "decoder_kernel must be odd"),
        ({"levels": 3, "fixed_decoder_levels": (3,)}, "fixed_decoder_levels name level 3, but levels run from 0 to 2"),
        ({"deep_supervision": True}, "deep_supervision needs nested: true"),
        ({"deep_supervision": True, "nested": True, "levels": 1}, "needs at least 2 levels"),
        ({"res_path": "fixed", "skips": ()}, "res_path needs a skip"),
        ({"dilation": 2, "encoder_kernel": 1}, "dilation needs an encoder_kernel above 1"),
        ({"remove_random": True}, "remove_random removes nothing"),
        ({"remove_random": True, "nested": True, "fixed_encoder_levels": (0,)}, "remove_random cannot be nested"),
        ({"initialisation": "statistics"}, "needs init_statistics"),
        ({"init_statistics": "weights@0123456789ab"}, "init_statistics needs initialisation: statistics"),
        ({"output": "residual difference"}, "output"),
        ({"colour": "red"}, "colour is not a known option"),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Architecture.create(options, "network 3")


def test_levels_know_their_widths_and_what_befalls_them() -> None:
    architecture = Architecture(levels=3, skips=(1,), fixed_encoder_levels=(0,), remove_random=True)
    assert [architecture.filters(level) for level in range(4)] == [24, 48, 72, 96]
    assert [architecture.has_skip(level) for level in range(3)] == [False, True, False]
    assert [architecture.removes("encoder", level) for level in range(3)] == [True, False, False]
    assert not architecture.fixes("decoder", 0)
    assert not architecture.fixes("none", 0)
