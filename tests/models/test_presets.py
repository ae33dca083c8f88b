"""The published networks against what was published of them."""

import pytest

from randsearch.base.errors import UserError
from randsearch.models.presets import PRESETS, find_preset
from randsearch.models.sizing import convolutions, lengths, parameters


@pytest.mark.parametrize(
    ("name", "input_", "output", "total"),
    [
        ("M1", 16_384, 16_384, 10_263_028),
        ("M2", 16_384, 16_384, 10_263_002),
        ("M3", 147_443, 16_389, 10_263_002),
        ("M4", 147_443, 16_389, 10_263_390),
        # One weight for each channel that is interpolated: 24 (2 + ... + 13).
        ("M5", 147_443, 16_389, 10_263_390 + 24 * 90),
        # Two more sources, each of 2 channels seeing 26, with bias.
        ("M6", 147_443, 16_389, 10_263_390 + 2 * 2 * 27),
        ("jnet-10", 49_139, 16_389, 6_181_278),
    ],
)
def test_published_sizes(name: str, input_: int, output: int, total: int) -> None:
    preset = PRESETS[name]
    size = lengths(preset.architecture, preset.desired_output)
    assert (size.input, size.output) == (input_, output)
    layers = convolutions(preset.architecture, preset.signal, size.input)
    assert sum(parameters(layers).values()) == total


def test_m7_is_wider_at_a_lower_rate() -> None:
    preset = find_preset("m7")
    assert (preset.sample_rate, preset.desired_output, preset.architecture.filters(1)) == (8192, 98_560, 68)
    assert lengths(preset.architecture, preset.desired_output).output >= 98_560


def test_jnets_fix_a_half() -> None:
    fixed = PRESETS["jnet-10-fixed-decoder"].architecture
    assert fixed.fixes("decoder", 9)
    assert not fixed.fixes("encoder", 9)
    assert fixed.hash != PRESETS["jnet-10"].architecture.hash


def test_unknown_presets_are_refused() -> None:
    with pytest.raises(UserError, match="unknown preset 'M8'; there are M1, M2"):
        find_preset("M8")
