"""What a finish says of its networks, in sentences for the terminal and the report."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from randsearch.base.errors import shortened
from randsearch.base.layout import CURVE_FILE, EVENTS_FILE, StudyFolder
from randsearch.statistics.interval import FEWEST_FOR_INTERVAL, Interval
from randsearch.study.finishes import Finished


def gain(finished: Finished) -> str:
    """How far a network that is finished is above the searched one and the constant gain; empty if nothing is known."""
    best, result = finished.best, finished.result
    if best is None or result is None:
        return ""
    parts = []
    if result.over_searched is not None:
        parts.append(f"{_above(result.over_searched)} the searched network ({result.searched:.2f} dB)")
    if result.over_gain is not None:
        parts.append(f"{_above(result.over_gain)} the best constant gain")
    return f"{best.score:.2f} dB on the study's validation excerpts: {' and '.join(parts)}"


def certainty(finished: Finished) -> str:
    """How sure that is."""
    tracks = finished.result.tracks if finished.result else 0
    if tracks < FEWEST_FOR_INTERVAL:
        return (
            f"no intervals: {tracks} validation track{'s' if tracks != 1 else ''}, and fewer than "
            f"{FEWEST_FOR_INTERVAL} carry none"
        )
    return (
        f"brackets: 95% intervals over {tracks} validation tracks; that another training of the same network would end "
        "elsewhere is not in them"
    )


def course(finished: Finished) -> str:
    """How far the training went, and where it was best."""
    best, result = finished.best, finished.result
    if result is not None and result.ended == "diverged":
        how = f"it went wrong ({shortened(result.reason)}): a lower --learning-rate under another name may not"
    elif result is not None and result.ended == "patience":
        how = "patience ran out"
    else:
        how = "all steps were taken" if finished.state == "finished" else finished.state
    at = f"best at step {best.step:,}" if best is not None else "never validated"
    return f"{at}; {finished.steps:,} of {finished.planned:,} steps, {how}"


def closing(folder: Path, networks: Sequence[Finished]) -> Iterator[str]:
    """What a finish ends with: for each network the figures, how sure they are; then its files, and what comes next.

    Args:
        folder: the study's folder.
        networks: of one finish.
    """
    for network in networks:
        said = gain(network)
        yield f"{network.architecture}-{network.seed}: {said or 'no score'}"
        if said:
            yield f"  {certainty(network)}"
        yield f"  {course(network)}"
    name, results, study = folder.name, where(folder), StudyFolder(folder)
    events = any(study.place.has(network.home / EVENTS_FILE) for network in networks)
    curves = f"tensorboard --logdir {shlex.quote(str(study.finishes))}" if events else CURVE_FILE
    yield f"files: {study.finishes / networks[0].finish}; curves: {curves}"
    yield (
        f"next: randsearch evaluate {name} --finish {networks[0].finish}{results}; "
        f"randsearch separate {name} SONG --finish {networks[0].finish}{results}"
    )


def standing(network: Finished) -> tuple[str, ...]:
    """A network's row in `randsearch status`: finish, network, steps, best SDR, state."""
    best = network.best
    steps = f"{network.steps:,} of {network.planned:,}"
    score = "-" if best is None else f"{best.score:.2f}"
    return network.finish, f"{network.architecture}-{network.seed}", steps, score, network.ended


def _above(interval: Interval) -> str:
    """A difference in words: above or below, with its interval where there is one."""
    point, low, high = interval.point, interval.low, interval.high
    if math.isnan(point):
        return "not known how far above"
    side = "above" if point >= 0 else "below"
    if point < 0:
        point, low, high = -point, -high, -low
    brackets = "" if math.isnan(low) else f" [{low:.2f}, {high:.2f}]"
    return f"{point:.2f} dB{brackets} {side}"


def where(folder: Path) -> str:
    """The option that a command on a study needs to find it.

    Args:
        folder: the study's folder.
    """
    return "" if folder.parent == Path("results") else f" --results {shlex.quote(str(folder.parent))}"
