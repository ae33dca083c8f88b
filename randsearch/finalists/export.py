"""Taking a trained network elsewhere: its weights, a description for people, and a program that needs PyTorch alone.

The program is what `torch.export` makes of the network; `torch.export.load` and `.module()` bring it back.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors.torch import save

from randsearch.base.files import Place
from randsearch.base.layout import NETWORK_FILE, PROGRAM_FILE, WEIGHTS_FILE
from randsearch.finalists.loading import load_network
from randsearch.finalists.winner import Finalist
from randsearch.models.layers import Lengths, lengths
from randsearch.models.wave_unet import WaveUNet
from randsearch.study.config import StudyConfig
from randsearch.study.rules import RULES, made_by

MOST_SAMPLES = 2**26
"""Of an input, so that the program's arithmetic on lengths cannot overflow."""

_HEADER = f"""\
# A trained network of randsearch. `architecture` is what `randsearch.Architecture` reads; the program
# takes (batch, channels, time) float32 at `sample_rate` and gives (batch, sources, channels, time), shorter by `lost`
# samples at either end. An input is `plus` samples longer than a multiple of `multiple`, from `shortest` to `longest`.
# The weights belong to networks of these `rules`, those of {made_by(RULES)}; the program needs no other.
"""


def export(config: StudyConfig, finalist: Finalist, output: Path, place: Place | None = None) -> list[Path]:
    """Writes `weights.safetensors`, `network.yaml` and `network.pt2`.

    Args:
        config: the study's configuration.
        finalist: the network.
        output: folder; made if it does not exist.
        place: that it lies in, such as the study; None where the user named the folder.

    Returns:
        the files written.

    Raises:
        UserError: the weights cannot be used, or the folder cannot be written.
    """
    network = load_network(finalist)
    weights = {name: weight.contiguous() for name, weight in network.state_dict().items()}
    described = finalist.architecture.model_dump_json(exclude_defaults=True)
    metadata = {"architecture": described, "rules": str(config.rules)}
    shape = _shape(network)
    text = _HEADER + yaml.safe_dump(_describe(config, finalist, shape), sort_keys=False)
    files: dict[str, bytes] = {
        WEIGHTS_FILE: save(weights, metadata=metadata),
        NETWORK_FILE: text.encode(),
        PROGRAM_FILE: _program(network, shape, text),
    }
    place = place or Place(output, own=True)
    for name, content in files.items():
        place.write(output / name, content)
    return [output / name for name in files]


def _shape(network: WaveUNet) -> Lengths:
    """Lengths of the shortest pieces that the program is good for."""
    return lengths(network.architecture, 2 ** (network.architecture.levels + 1))


def _describe(config: StudyConfig, finalist: Finalist, shape: Lengths) -> dict[str, Any]:
    grid = 2**finalist.architecture.levels
    return {
        "hash": finalist.architecture.hash,
        "study": config.study,
        "rules": config.rules,
        "seed": finalist.seed,
        **({} if finalist.finish is None else {"finish": finalist.finish, "step": finalist.step}),
        "validation_sdr_db": finalist.score,
        "task": config.task if config.sources is None else "sources",
        "sources": list(config.source_names),
        "channels": config.channels,
        "sample_rate": config.sample_rate,
        "program": {
            "multiple": grid,
            "plus": shape.input % grid,
            "shortest": shape.input,
            "longest": _longest(grid) * grid + shape.input % grid,
            "lost": (shape.input - shape.output) // 2,
        },
        "architecture": finalist.architecture.model_dump(mode="json"),
    }


def _longest(grid: int) -> int:
    return MOST_SAMPLES // grid


def _program(network: WaveUNet, shape: Lengths, description: str) -> bytes:
    grid = 2**network.architecture.levels
    plus, fewest = shape.input % grid, shape.input // grid
    pieces = torch.export.Dim("pieces", min=fewest, max=_longest(grid))
    time = grid * pieces + plus if plus else grid * pieces
    # One piece more than the fewest, and two examples: the tracer would take the least of either for the only one.
    example = torch.zeros(2, network.signal.channels, shape.input + grid)
    program = torch.export.export(network, (example,), dynamic_shapes=({0: torch.export.Dim("batch"), 2: time},))
    with tempfile.TemporaryDirectory() as aside:
        path = Path(aside) / PROGRAM_FILE
        torch.export.save(program, path, extra_files={NETWORK_FILE: description})
        return path.read_bytes()
