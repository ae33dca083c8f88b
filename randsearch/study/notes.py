"""The note of a study, which optuna-dashboard shows in Markdown above its trials.

It is written in the form of `optuna_dashboard.save_note`, attributes of the study with a version and up to 2045
characters each, because importing that package takes a second and a study may be shown on another machine than that
which analyses it. tests/study/test_notes.py holds it against the package.
"""

from __future__ import annotations

from optuna.storages import BaseStorage

HEADING = "## Agreement, by randsearch"
"""The first line of every note of this package; one that begins otherwise is a person's, and is left alone."""

_VERSION, _PIECE, _MOST = "dashboard:note_ver", "dashboard:note_str:", 2045


def write_note(storage: BaseStorage, study_id: int, body: str) -> None:
    """Gives a study a note, unless it has just that one or somebody has written another.

    Args:
        storage: that the study is in.
        study_id: of the study.
        body: in Markdown, what stands below the heading.
    """
    text = f"{HEADING}\n\n{body}\n"
    known = storage.get_study_system_attrs(study_id)
    there = [name for name in known if name.startswith(_PIECE)]
    former = "".join(known[f"{_PIECE}{number}"] for number in range(len(there)))
    if former == text or (former and not former.startswith(HEADING)):
        return
    pieces = [text[start : start + _MOST] for start in range(0, len(text), _MOST)]
    # The dashboard joins all pieces that there are: those of a longer note before are emptied.
    pieces += [""] * (len(there) - len(pieces))
    storage.set_study_system_attr(study_id, _VERSION, int(known.get(_VERSION, 0)) + 1)
    for number, piece in enumerate(pieces):
        storage.set_study_system_attr(study_id, f"{_PIECE}{number}", piece)
