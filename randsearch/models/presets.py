"""Networks as published: Wave-U-Net M1 to M7 (arXiv 1806.03185) and the baselines of J-Net (arXiv 1911.12926)."""

from __future__ import annotations

from dataclasses import dataclass

from randsearch.base.errors import UserError
from randsearch.data.task import TASKS
from randsearch.models.architecture import Architecture
from randsearch.models.layers import Signal


@dataclass(frozen=True)
class Preset:
    """A network with the task that it was published for.

    Attributes:
        architecture: the network.
        task: a key of `TASKS`.
        channels: audio channels.
        sample_rate: samples a second.
        desired_output: samples of output that a training segment shall have; with context, it has a few more.
    """

    architecture: Architecture
    task: str = "voice"
    channels: int = 2
    sample_rate: int = 22_050
    desired_output: int = 16_384

    @property
    def signal(self) -> Signal:
        """Sources and channels."""
        return Signal(len(TASKS[self.task].source_names), self.channels)


_M1 = Architecture(levels=12, output="direct")
_M2 = Architecture(levels=12)
_M3 = Architecture(levels=12, context=True)
_M5 = Architecture(levels=12, context=True, upsampling="learned")
_M7 = Architecture(levels=12, context=True, first_filters=34, filter_increment=34)

PRESETS: dict[str, Preset] = {
    "M1": Preset(_M1, channels=1),
    "M2": Preset(_M2, channels=1),
    "M3": Preset(_M3, channels=1),
    "M4": Preset(_M3),
    "M5": Preset(_M5),
    "M6": Preset(_M3, task="multi"),
    # A network of the size, at the rate and with the segment of the spectrogram U-Net that it was compared with.
    "M7": Preset(_M7, channels=1, sample_rate=8192, desired_output=98_560),
    **{f"jnet-{levels}": Preset(Architecture(levels=levels, context=True)) for levels in (8, 9, 10, 12)},
    "jnet-10-fixed-encoder": Preset(Architecture(levels=10, context=True, fixed_encoder_levels="all")),
    "jnet-10-fixed-decoder": Preset(Architecture(levels=10, context=True, fixed_decoder_levels="all")),
}


def find_preset(name: str) -> Preset:
    """Looks up a preset; capitals do not matter.

    Raises:
        UserError: there is none of that name.
    """
    for known, preset in PRESETS.items():
        if known.lower() == name.lower():
            return preset
    raise UserError(f"unknown preset {name!r}; there are {', '.join(PRESETS)}.")
