"""What a network that has only learnt a volume knob would score."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from randsearch.base.errors import UserError
from randsearch.data import Track, metrics

COPY_DB = 60.0
"""By how much what remains of a source, less the mixture at its best gain, lies below it in a copy of the mixture. Any
other source that is audible is louder than that: full scale is at 0 dBFS, and `metrics.AUDIBLE_DBFS` so far below."""

_FAINT = 10.0 ** (-COPY_DB / 10.0)
_NAMED = 5


def constant_gain_score(train: tuple[Track, ...], validation: tuple[Track, ...], sources: Sequence[str]) -> float:
    """Score in dB of the best constant-gain mixture: gains fitted on the training tracks, scored on validation.

    Args:
        train: tracks that gains are fitted on.
        validation: is scored exactly as a network's estimates are.
        sources: their names.

    Raises:
        UserError: the training or the validation tracks have no second to score, or there is nothing to separate.
    """
    return metrics.score(constant_gain_segments(train, validation, sources))


def constant_gain_segments(
    train: tuple[Track, ...], validation: tuple[Track, ...], sources: Sequence[str]
) -> list[metrics.Array]:
    """SDR of the best constant-gain mixture on every audible second of each validation track, (sources, seconds) in dB.

    Args and Raises are those of `constant_gain_score`.
    """
    gains = metrics.best_gains(np.concatenate(_moments(train, "training", sources), axis=2))
    return [metrics.gain_sdr(moments, gains) for moments in _moments(validation, "validation", sources)]


def _moments(tracks: tuple[Track, ...], role: str, sources: Sequence[str]) -> list[metrics.Array]:
    """Those of each track, (3, sources, seconds)."""
    each = [_track_moments(track) for track in tracks]
    moments = np.concatenate(each, axis=2)
    if moments.shape[2] == 0:
        raise UserError(_nothing_to_score(tracks, role, sources))
    signal, _, mixed = moments
    if np.median(mixed / signal.sum(axis=0)) < _FAINT:
        raise UserError(
            f"the sources of the {role} tracks ({_listed(tracks)}) cancel each other out, so that their mixture is "
            "silent and nothing can be separated: replace these tracks."
        )
    copies = [name for name, share in zip(sources, _copied(moments).mean(axis=1), strict=True) if share >= 1 / 2]
    if copies:
        affected = [track for track, part in zip(tracks, each, strict=True) if _copied(part).any()]
        raise UserError(
            f"in the {role} tracks ({_listed(affected)}) {' and '.join(copies)} {'is' if len(copies) == 1 else 'are'} "
            "nothing but the mixture at a constant gain in half of the seconds or more, so that a volume knob "
            "separates them: replace these tracks."
        )
    return each


def _track_moments(track: Track) -> metrics.Array:
    minutes = [metrics.second_moments(sources, track.sample_rate) for sources in track.minutes()]
    return np.concatenate(minutes, axis=2)


def _copied(moments: metrics.Array) -> NDArray[np.bool_]:
    """In which seconds a source is the mixture at a constant gain, (sources, seconds)."""
    signal, product, mixed = moments
    return np.asarray(signal * mixed - product**2 < _FAINT * signal * mixed)


def _nothing_to_score(tracks: tuple[Track, ...], role: str, sources: Sequence[str]) -> str:
    """Why no second counts."""
    floor = f"{metrics.AUDIBLE_DBFS:.0f} dBFS"
    heard = np.zeros(len(sources), dtype=bool)
    for track in tracks:
        for minute in track.minutes():
            energies = metrics.energies(minute, track.sample_rate)
            heard |= [metrics.audible(source[None], track.sample_rate).any() for source in energies]
    silent = [name for name, any_second in zip(sources, heard, strict=True) if not any_second]
    if silent and any(track.length >= track.sample_rate for track in tracks):
        return (
            f"{' and '.join(silent)} {'is' if len(silent) == 1 else 'are'} silent (never above {floor} for a second) "
            f"in all {role} tracks ({_listed(tracks)}), so that nothing can be scored: use tracks with every source."
        )
    return (
        f"the {role} tracks ({_listed(tracks)}) have no whole second in which every source is above {floor}, so that "
        "nothing can be scored: use longer tracks."
    )


def _listed(tracks: Iterable[Track]) -> str:
    """Names of tracks; of many the first."""
    names = [track.name for track in tracks]
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
