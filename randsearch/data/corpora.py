"""Which corpora a user means by `musdbhq:PATH` or by several joined with `+`, and what of each is to be separated."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from randsearch.base.errors import UserError, shortened
from randsearch.base.seeds import check_seed
from randsearch.data.decoding import Source, read_headers
from randsearch.data.format import AudioFormat
from randsearch.data.layouts import Layout, NoSubsetError, Recording, StemFiles, WavFolders
from randsearch.data.moisesdb import MoisesFolders
from randsearch.data.speech import SpeechFolders
from randsearch.data.stem_folders import StemFolders
from randsearch.data.synthetic import synthetic_corpus
from randsearch.data.task import SPEECH_STEMS, TASKS, Task, own_task

LAYOUTS: dict[str, Layout] = {
    "musdb": StemFiles(),
    "musdbhq": WavFolders("musdbhq", {"train": "train", "test": "test"}),
    "stems": StemFolders(),
    "dsd100": WavFolders("dsd100", {"train": "Sources/Dev", "test": "Sources/Test"}),
    "moisesdb": MoisesFolders(),
    "speech": SpeechFolders(),
}

_JOINT = re.compile(rf"\+(?=(?:{'|'.join(LAYOUTS)}):|synthetic(?:$|[:+]))")
"""A + in a path joins nothing unless a corpus begins behind it."""


@dataclass(frozen=True)
class Corpus:
    """One subset of one corpus.

    Attributes:
        spec: what the user calls it.
        layout: how it lies on disk.
        task: what is separated, on its stems.
        sources: its tracks; at least one.
    """

    spec: str
    layout: Layout
    task: Task
    sources: tuple[Source, ...]


def find_corpora(spec: str, subset: str, wanted: AudioFormat, cache: Path, *, progress: bool) -> list[Corpus]:
    """Finds the tracks of a subset, and reads the headers of their files.

    Args:
        spec: of one corpus, or of several joined by `+`.
        subset: `train` or `test`; of several corpora, those without `test` are left out as long as one has it.
        wanted: which sources, of what.
        cache: the cache folder.
        progress: whether to show a bar if files have to be read.

    Raises:
        UserError: anything is wrong with the arguments or a corpus, or the corpora offer different sources.
    """
    if wanted.task not in TASKS:
        raise UserError(f"unknown task '{wanted.task}': choose one of {', '.join(TASKS)}")
    found, lacking = [], None
    for part in _JOINT.split(spec):
        layout, root = _locate(part, cache)
        _check_offer(layout, wanted, part)
        try:
            recordings = layout.find(root, subset)
        except NoSubsetError as error:
            if subset == "train":
                raise
            lacking = error
            continue
        task = _choose_task(layout, wanted, recordings, part, subset)
        kept = _with_stems(layout, wanted, recordings, part, task)
        found.append(Corpus(part, layout, task, tuple(read_headers(cache, layout, kept, progress=progress))))
    if lacking is not None and not found:
        raise lacking
    _check_alike(found)
    return found


def _locate(spec: str, cache: Path) -> tuple[Layout, Path]:
    """Returns the layout and the root folder that a specification names, and makes the songs of `synthetic`."""
    kind, _, argument = spec.partition(":")
    if kind == "synthetic":
        try:
            seed = check_seed(int(argument or 0))
        except ValueError:
            raise UserError(
                f"the seed in data '{shortened(spec)}' is not a whole number from 0 to 2^63 - 1: "
                "write synthetic or, say, synthetic:1"
            ) from None
        return LAYOUTS["musdbhq"], synthetic_corpus(seed, cache)
    if kind not in LAYOUTS:
        known = ", ".join(f"{name}:PATH" for name in LAYOUTS)
        raise UserError(f"unknown kind of data '{spec}': known are {known}, synthetic and synthetic:SEED")
    if not argument:
        raise UserError(f"data '{spec}' lacks a path: write {kind}:PATH")
    try:
        argument.encode()
    except UnicodeEncodeError:
        raise UserError(f"the path in data '{spec}' holds bytes that are no UTF-8: rename the folder") from None
    return LAYOUTS[kind], Path(argument).expanduser()


def _check_offer(layout: Layout, wanted: AudioFormat, spec: str) -> None:
    """Refuses a task of other stems than those that all corpora of a layout have."""
    if wanted.sources is not None and layout.stems == SPEECH_STEMS:
        raise UserError(
            f"{spec} holds noise and speech alone: leave --sources out, and separate them by --task denoise"
        )
    task = layout.tasks.get(wanted.task, TASKS[wanted.task])
    if wanted.sources is None and layout.stems is not None and set(task.stems) != set(layout.stems):
        raise UserError(
            f"task '{task.name}' needs the stems {', '.join(task.stems)}, but {spec} offers {', '.join(layout.stems)}: "
            "choose a task that fits the data"
        )


def _choose_task(layout: Layout, wanted: AudioFormat, recordings: Sequence[Recording], spec: str, subset: str) -> Task:
    """What is separated: the sources that are named, else those of the task, else all stems there are."""
    silent = layout.stems is None and wanted.missing_stems == "silence"
    offered = layout.stems or tuple(sorted({stem for recording in recordings for stem in recording.stems}))
    if wanted.sources is not None:
        task = _own(wanted.sources, spec)
        unknown = [stem for stem in task.stems if stem not in offered]
        if unknown and not (silent and subset == "test"):
            raise UserError(f"no track of {spec} has a stem '{unknown[0]}': there are {', '.join(offered)}")
        return task
    task = layout.tasks.get(wanted.task, TASKS[wanted.task])
    if set(task.stems) == set(offered) or (silent and set(offered) < set(task.stems)):
        return task
    found = _own(offered, spec)
    if subset == "test" and found.source_names != task.source_names:
        raise UserError(
            f"the test tracks of {spec} have the stems {', '.join(offered)}, and {wanted.aim} was trained for: make "
            "them equal"
        )
    return found


def _own(sources: Sequence[str], spec: str) -> Task:
    try:
        return own_task(sources)
    except ValueError as error:
        raise UserError(
            f"{', '.join(sources)} cannot be the sources of {spec} ({error}): name them with --sources, as in "
            "vocals,keys=piano+organ"
        ) from None


def _with_stems(
    layout: Layout, wanted: AudioFormat, recordings: Sequence[Recording], spec: str, task: Task
) -> list[Recording]:
    """The recordings that have the stems of a task, or some where others may be missing."""
    kept = []
    for recording in recordings:
        missing = [stem for stem in task.stems if stem not in recording.stems]
        where = f"track '{recording.name}' of {spec}"
        if len(missing) < len(task.stems):
            if missing and not layout.partial and wanted.missing_stems == "error":
                raise UserError(
                    f"{where} has no stem {' and no stem '.join(missing)}: add what is missing, move the track away, "
                    "or take it for silence with --missing-stems silence"
                )
            kept.append(recording)
        elif not layout.partial:
            raise UserError(
                f"{where} has none of the stems {', '.join(task.stems)} (it has {', '.join(recording.stems)}): rename "
                "its files or move it away"
            )
    if not kept:
        raise UserError(f"no track of {spec} has any of the stems {', '.join(task.stems)}: name others with --sources")
    return kept


def _check_alike(corpora: Sequence[Corpus]) -> None:
    for corpus in corpora[1:]:
        if corpus.task.source_names != corpora[0].task.source_names:
            raise UserError(
                f"{corpora[0].spec} offers the sources {', '.join(corpora[0].task.source_names)} and {corpus.spec} "
                f"{', '.join(corpus.task.source_names)}: name the sources that all have with --sources"
            )
