"""The final evaluation of a study's best networks: BSSEval on the test subset, a file a track, and what it sums up to.

Networks are scored at the study's rate and channels, as they were trained.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from randsearch.base.errors import UserError
from randsearch.base.files import Place
from randsearch.base.layout import WEIGHTS_FILE, StudyFolder
from randsearch.base.processes import Spawning
from randsearch.data import Track, open_test
from randsearch.finalists.bsseval import read_scores, require_museval, score_track, write_scores
from randsearch.finalists.loading import load_network
from randsearch.finalists.winner import Finalist, best
from randsearch.models.inference import separate
from randsearch.models.wave_unet import WaveUNet
from randsearch.study.config import StudyConfig

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Work:
    """One track to be scored for one network; travels to the workers.

    Attributes:
        folder: the study's folder.
        finalist: the network.
        source_names: in the order of its outputs.
        track: of the test subset.
        path: where the scores go.
    """

    folder: Path
    finalist: Finalist
    source_names: tuple[str, ...]
    track: Track
    path: Path


def evaluate_finalists(
    config: StudyConfig,
    folder: Path,
    top: int,
    *,
    finish: str | None = None,
    workers: int = 1,
    cache: Path | None = None,
    on_done: Callable[[str], None] = lambda _: None,
) -> pd.DataFrame:
    """Scores the best trained networks on the test subset, and writes `evaluation.csv`; what is scored already is kept.

    Args:
        config: the study's configuration.
        folder: the study's folder.
        top: how many networks.
        finish: whose networks alone are scored; None is whatever is best.
        workers: processes.
        cache: of decoded audio.
        on_done: told of each track when it is scored.

    Returns:
        what `summarise` makes of each network, the best by validation first.

    Raises:
        UserError: nothing was trained, the study was made by other rules, there is no test subset, or a file is missing
            or cannot be written.
    """
    finalists, names = best(folder, top, finish), config.source_names
    for finalist in finalists:
        load_network(finalist)  # Weights that cannot be used are better known now than hours later.
    require_museval()
    tracks = open_test(config.data, config.audio, cache=cache, progress=True)
    study = StudyFolder(folder)
    place, homes = study.place, {finalist.name: _home(study, finalist) for finalist in finalists}
    work = [
        Work(folder, finalist, names, track, homes[finalist.name] / f"{file_name(track.name)}.json")
        for finalist in finalists
        for track in tracks
    ]
    _run([each for each in work if not place.has(each.path)], workers, on_done)
    rows = [
        row
        for finalist in finalists
        for row in summarise(place, finalist, names, [each.path for each in work if each.finalist == finalist])
    ]
    table = pd.DataFrame(rows)
    place.write(study.evaluation, table.to_csv(index=False, lineterminator="\n"))
    return table


def _home(study: StudyFolder, finalist: Finalist) -> Path:
    """Folder of a network's scores: what is trained on may be removed and made anew, with its best at the same step."""
    if finalist.finish is None:
        return study.evaluated(finalist.name)
    digest = hashlib.sha256(study.place.read(finalist.home / WEIGHTS_FILE)).hexdigest()
    return study.evaluated(f"{finalist.name}-{digest[:12]}")


def file_name(track: str) -> str:
    """A track's name as a file's: names that would differ on some file system, or leave the folder, are changed."""
    kept = re.sub(r"[^\w .,&()'+-]", "_", track).strip(" .")[:100]
    return kept if kept == track else f"{kept}-{hashlib.sha256(track.encode()).hexdigest()[:8]}"


def summarise(
    place: Place, finalist: Finalist, source_names: Sequence[str], paths: Iterable[Path]
) -> list[dict[str, object]]:
    """The test SDR of one network, a row a source.

    Args:
        place: the study.
        finalist: the network.
        source_names: in the order of its outputs.
        paths: the scores of its tracks.

    Returns:
        `median`, `mad` (median absolute deviation), `mean` and `sd` of the windows of all tracks together,
        `median_of_medians` of tracks, how many windows they rest on, and how many were left out because a reference or
        an estimate is silent there.
    """
    tracks = [read_scores(place, path, tuple(source_names)) for path in paths]
    counted = [track.sdr[:, track.counted] for track in tracks]
    left_out = sum(int((~track.counted).sum()) for track in tracks)
    rows: list[dict[str, object]] = []
    for number, source in enumerate(source_names):
        windows = np.concatenate([sdr[number] for sdr in counted])
        medians = [float(np.median(sdr[number])) for sdr in counted if sdr.shape[1]]
        middle = np.median(windows) if len(windows) else np.nan
        rows.append(
            {
                "architecture": finalist.architecture.hash,
                "seed": finalist.seed,
                "finish": finalist.finish or "",
                "validation": finalist.score,
                "source": source,
                "median": middle,
                "mad": np.median(np.abs(windows - middle)) if len(windows) else np.nan,
                "mean": windows.mean() if len(windows) else np.nan,
                "sd": windows.std() if len(windows) else np.nan,
                "median_of_medians": np.median(medians) if medians else np.nan,
                "tracks": len(medians),
                "windows": len(windows),
                "windows_left_out": left_out,
            }
        )
    return rows


def score(work: Work) -> str:
    """Scores one track for one network, and writes the file."""
    track = work.track
    references = track.sources(0, track.length)
    network = _network(work.finalist)
    estimates = separate(network, torch.from_numpy(references.sum(axis=0))).numpy()
    text = score_track(track.name, work.source_names, references, estimates, track.sample_rate)
    write_scores(Place(work.folder), work.path, text)
    return f"{work.finalist.name} {track.name}"


# A worker meets the tracks of one network one after the other.
@lru_cache(maxsize=1)
def _network(finalist: Finalist) -> WaveUNet:
    return load_network(finalist)


def _run(work: list[Work], workers: int, on_done: Callable[[str], None]) -> None:
    if workers == 1 or len(work) < 2:
        for each in work:
            on_done(score(each))
        return
    with _one_thread_each(), ProcessPoolExecutor(workers, Spawning()) as pool:
        try:
            for future in as_completed([pool.submit(score, each) for each in work]):
                on_done(future.result())
        except BrokenProcessPool:
            raise UserError(
                "a worker was killed, perhaps for lack of memory: the same command with fewer --workers goes on."
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Tells workers that start meanwhile that one core is theirs: museval's algebra would take all in each of them."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
