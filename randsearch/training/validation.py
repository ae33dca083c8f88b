"""What a study scores networks on: excerpts of the validation tracks, long enough to rank them, short enough to afford.

Every architecture and measure of a study is scored on the same excerpts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from randsearch.data import Track
from randsearch.data.metrics import audible, energies

SHORTEST = 3
"""Seconds of an excerpt: a deep network looks at one or two seconds of music around each sample."""
SHARE = 0.12
"""Of a proxy's multiply-adds that its validations may cost. That is well under a tenth of its time: long tracks go
through a network at almost twice the rate of training steps (`make bench`)."""
FORWARD = 1 / 3
"""Of a full training step, as multiply-adds go."""
HALF_FIXED = 0.6
"""A step with a half fixed at random costs at least about as much of a full one."""


def affordable_seconds(*, proxy_steps: int, validate_every: int, batch: int, segment: int, sample_rate: int) -> int:
    """Seconds of audio a validation may take so that all validations of a proxy take less than a tenth of its time.

    Args:
        proxy_steps: training steps of a proxy.
        validate_every: steps between two validations; the last step has one in any case.
        batch: crops a step.
        segment: samples a crop.
        sample_rate: in Hz.

    Returns:
        at least the length of one excerpt.
    """
    steps_each = proxy_steps / -(-proxy_steps // validate_every)
    trained = steps_each * batch * segment / sample_rate
    return max(SHORTEST, round(SHARE * HALF_FIXED / FORWARD * trained))


def take_excerpts(tracks: Sequence[Track], seconds: int | None) -> tuple[Track, ...]:
    """Takes an excerpt of each track, or of some tracks evenly spaced, where most of it counts for a score.

    Args:
        tracks: of the validation set.
        seconds: of all excerpts together, about; None takes the tracks whole.

    Returns:
        parts of the tracks, in their order, that begin at whole seconds; the tracks whole, where they are no longer.
    """
    whole = sum(track.length // track.sample_rate for track in tracks)
    if seconds is None or seconds >= whole:
        return tuple(tracks)
    number = max(1, min(len(tracks), seconds // SHORTEST))
    chosen = [tracks[position * len(tracks) // number] for position in range(number)]
    lengths = [seconds // number + (position < seconds % number) for position in range(number)]
    return tuple(_excerpt(track, max(SHORTEST, length)) for track, length in zip(chosen, lengths, strict=True))


def _excerpt(track: Track, seconds: int) -> Track:
    """The stretch of a track in which most seconds are audible in every source, the first of those."""
    available = track.length // track.sample_rate
    if available <= seconds:
        return track
    minutes = [energies(sources, track.sample_rate) for sources in track.minutes()]
    counted = audible(np.concatenate(minutes, axis=2), track.sample_rate).sum(axis=0)
    within = np.convolve(counted, np.ones(seconds, dtype=np.int64), mode="valid")
    start = track.start + int(within.argmax()) * track.sample_rate
    return replace(track, start=start, stop=start + seconds * track.sample_rate)
