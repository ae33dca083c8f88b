"""What a network that has only learnt a volume knob would score."""

from __future__ import annotations

import numpy as np

from randsearch import metrics
from randsearch.data import Track
from randsearch.errors import UserError


def constant_gain_score(train: tuple[Track, ...], validation: tuple[Track, ...]) -> float:
    """Score in dB of the best constant-gain mixture: gains fitted on the training tracks, scored on validation.

    Args:
        train: tracks that gains are fitted on.
        validation: is scored exactly as a network's estimates are.

    Raises:
        UserError: the training or the validation tracks have no second to score.
    """
    gains = metrics.best_gains(_moments(train, "training"))
    return metrics.score([metrics.gain_sdr(_moments(validation, "validation"), gains)])


def _moments(tracks: tuple[Track, ...], role: str) -> metrics.Array:
    moments = np.concatenate(
        [metrics.second_moments(track.sources(0, track.length), track.sample_rate) for track in tracks], axis=2
    )
    if moments.shape[2] == 0:
        raise UserError(
            f"the {role} tracks ({', '.join(track.name for track in tracks)}) have no whole second in which every "
            f"source is above {metrics.AUDIBLE_DBFS:.0f} dBFS, so that nothing can be scored: use longer tracks."
        )
    return moments
