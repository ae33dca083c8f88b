"""How `train` is divided into training and validation."""

import hashlib
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from randsearch.base.yaml_files import read_yaml
from randsearch.data.track import Track


@cache
def musdb_validation_names() -> frozenset[str]:
    """The validation tracks that MUSDB18 names, from the musdb package (read, not imported: that asks for ffmpeg)."""
    spec = find_spec("musdb")
    if spec is None or spec.origin is None:
        return frozenset()
    setup = read_yaml(Path(spec.origin).parent / "configs" / "mus.yaml", "the settings of musdb")
    return frozenset(setup["validation_tracks"])


def split_tracks(tracks: tuple[Track, ...]) -> tuple[tuple[Track, ...], tuple[Track, ...], str]:
    """Divides tracks into training and validation.

    MUSDB's own validation tracks are taken where they are present; otherwise a quarter of the tracks, chosen by a hash
    of the name so that neither the order nor a renamed neighbour matters; a lone track gives up its last quarter.

    Args:
        tracks: all tracks of the `train` subset, at least one.

    Returns:
        the training tracks, the validation tracks, and a note for the reader of the results, often empty.
    """
    if len(tracks) == 1:
        (track,) = tracks
        cut = track.start + track.length * 3 // 4
        note = (
            f"'{track.name}' is the only training track: validation is its last quarter, carved out by time, so "
            "validation scores say little about other songs"
        )
        return (replace(track, stop=cut),), (replace(track, start=cut),), note
    chosen = {track.name for track in tracks} & musdb_validation_names()
    if not chosen or len(chosen) == len(tracks):
        names = sorted((track.name for track in tracks), key=lambda name: hashlib.sha256(name.encode()).digest())
        chosen = set(names[: max(1, round(len(names) / 4))])
    train = tuple(track for track in tracks if track.name not in chosen)
    validation = tuple(track for track in tracks if track.name in chosen)
    return train, validation, ""
