"""A study as an object: searched for, opened, looked at, continued, and put to use."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from randsearch.api.agreements import Agreement
from randsearch.api.runs import (
    MACHINE_OPTIONS,
    STUDY_OPTIONS,
    CallbackError,
    interruptible,
    make_console,
    run,
    settle_data,
    shown,
)
from randsearch.base.errors import UserError, quoted
from randsearch.base.layout import StudyFolder
from randsearch.models.architecture import Architecture
from randsearch.running.machine import Machine
from randsearch.study.config import StudyConfig
from randsearch.study.finish_config import DEFAULT_NAME
from randsearch.study.folders import load_config, located

if TYPE_CHECKING:
    import optuna
    import pandas as pd
    from matplotlib.figure import Figure

    from randsearch.finalists.winner import Finalist
    from randsearch.models.wave_unet import WaveUNet
    from randsearch.space.grammar import SearchSpace
    from randsearch.study.findings import Findings
    from randsearch.study.status import StudyStatus
    from randsearch.table.measurement import Measurement

Callback = Callable[["Study", "Measurement"], object]


class Study:
    """A study: its architectures, what was measured of them, and what follows from that.

    `search` and `load_study` make one. It holds nothing but the place of the study's files, so that what it returns is
    always what the study holds now.

    Attributes:
        folder: of its files.
        config: what it was asked for, resolved.
    """

    def __init__(self, folder: Path, storage: str | None = None) -> None:
        self.folder = folder
        self._storage = storage
        load_config(folder, storage)

    @property
    def name(self) -> str:
        """Its name."""
        return self.config.study

    @property
    def config(self) -> StudyConfig:
        """What it was asked for, resolved."""
        return load_config(self.folder, self._storage)

    def __repr__(self) -> str:
        return f"Study({self.name!r}, results={str(self.folder.parent)!r})"

    def to_frame(self, *, wide: bool = False) -> pd.DataFrame:
        """All measurements.

        Args:
            wide: one row an architecture instead of one a measurement.

        Returns:
            one row a measurement, as `measurements.csv` has it: `score` in dB of SDR for what trains, `seconds` of wall
            time. Wide, indexed by architecture: its parameters, then one column a measure or vote, the mean score over
            seeds.

        Raises:
            UserError: nothing was measured yet.

        Example:
            >>> frame = rs.load_study("first").to_frame(wide=True)  # doctest: +SKIP
            >>> frame.sort_values("trained").tail(3)  # doctest: +SKIP
        """
        from randsearch.study.votes import voted
        from randsearch.table.tidy import means, parameters, read_measurements

        table = read_measurements(StudyFolder(self.folder).table)
        if not wide:
            return table
        table = voted(self.config, table)
        options = table.drop_duplicates("architecture").set_index("architecture")[parameters(table)]
        return options.join(means(table))

    def best(self, top: int = 1) -> pd.DataFrame:
        """The best architectures, by training, or by the primary proxy while none is trained.

        Args:
            top: how many; fewer if there are fewer.

        Returns:
            indexed by architecture, the best first: `measure` (which the scores are of), `score` (the mean over seeds,
            in dB of SDR for what trains), and the architecture's parameters.

        Raises:
            UserError: nothing has a score yet.

        Example:
            >>> study.best(3)  # doctest: +SKIP
        """
        from randsearch.study.votes import voted
        from randsearch.table.tidy import means, parameters, read_measurements

        table = voted(self.config, read_measurements(StudyFolder(self.folder).table))
        scores = means(table).dropna(axis="columns", how="all")
        measure = next((name for name in ("trained", self.config.proxy) if name in scores), None)
        if measure is None:
            raise UserError(f"no architecture of {self.name} has a score yet: go on with the search.")
        found = scores[measure].dropna().sort_values(ascending=False, kind="stable").head(top)
        options = table.drop_duplicates("architecture").set_index("architecture")[parameters(table)]
        ranked = found.to_frame("score").join(options)
        ranked.insert(0, "measure", measure)
        return ranked

    def agreement(self, *, proxy: str | None = None, resamples: int = 2000, votes: Sequence[str] = ()) -> Agreement:
        """Says how far each proxy ranks architectures as training does; a notebook shows the table and the verdict.

        Args:
            proxy: that the verdict is about; the study's primary one by default.
            resamples: of the bootstrap.
            votes: sums of ranks that are compared too, such as `params+early`.

        Raises:
            UserError: nothing was trained yet, or a vote names what was not measured.

        Example:
            >>> agreement = study.agreement()  # doctest: +SKIP
            >>> agreement.frame[["proxy", "spearman"]]  # doctest: +SKIP
        """
        _check_positive(resamples=resamples)
        found, asked = self._examined(resamples, tuple(votes)).analysis, proxy or self.config.proxy
        known = found.rows["proxy"].tolist()
        if proxy is not None and proxy not in known:
            raise UserError(f"{self.name} holds no proxy {proxy}: choose from {', '.join(known)}.")
        return Agreement(found, asked)

    def plot(self, kind: str = "rank_rank") -> Figure:
        """Makes a plot, which a notebook shows as the last value of a cell.

        Args:
            kind: `rank_rank`, `bump_chart`, `quality_cost`, `regret_recall`, `best_so_far`, `claim3`,
                `learning_curves`, `segments`, `seeds`, `effects` or `matrix`.

        Returns:
            a figure that pyplot knows nothing of; `savefig` writes it.

        Raises:
            UserError: there is no such plot, or the study does not hold what it shows.

        Example:
            >>> study.plot("quality_cost").savefig("quality_cost.pdf")  # doctest: +SKIP
        """
        from randsearch.plots import make_plots
        from randsearch.study.findings import plot_data

        found, reasons = self._examined(), list[str]()
        data = plot_data(self.folder, found)
        made = make_plots(found.table, [kind], result=found.analysis.rows, data=data, on_skip=reasons.append)
        for _, figure in made:
            return figure
        raise UserError(reasons[0])

    def network(
        self, architecture: str | Architecture | None = None, *, seed: int | None = None, finish: str | None = None
    ) -> WaveUNet:
        """A trained network with its weights, in evaluation mode.

        Args:
            architecture: itself or its hash; the best trained by default.
            seed: of its training; its best by default.
            finish: in which it was trained on; whatever is best by default.

        Returns:
            a `torch.nn.Module`.

        Shape:
            - input: `(batch, channels, time)` at the study's `config.sample_rate`
            - output: `(batch, sources, channels, time)`

        Raises:
            UserError: it was not trained, its weights are gone or damaged, or the study was made by other rules.

        Example:
            >>> network = study.network()  # doctest: +SKIP
            >>> network(torch.zeros(1, 1, 16384)).shape  # doctest: +SKIP
            torch.Size([1, 2, 1, 16384])
        """
        from randsearch.finalists.loading import load_network

        return load_network(self._finalist(architecture, seed, finish))

    @property
    def optuna(self) -> optuna.Study:
        """The Optuna study of its name: one trial an architecture, valued by the primary proxy, to be read only.

        Raises:
            UserError: its storage cannot be opened.
        """
        import optuna

        from randsearch.study.rebuild import open_studies

        storage = open_studies(self.config, self.folder, refill=False).storage
        return optuna.load_study(study_name=self.config.study, storage=storage.backend)

    def status(self) -> StudyStatus:
        """How far it is: `state`, and for each measure what is planned, complete and failed.

        Raises:
            UserError: its files cannot be read.
        """
        from randsearch.study.status import read_status

        return read_status(self.folder, self._storage)

    def train(self, top: int | Literal["all"], **options: Any) -> Study:
        """Trains more architectures.

        Args:
            top: how many, the best by the primary proxy, or `all`.
            options: of `search`, such as `workers`.

        Returns:
            the same study.

        Raises:
            UserError: as `search` does.

        Example:
            >>> study.train(top=5, workers=2).best(3)  # doctest: +SKIP
        """
        if top != "all" and not (isinstance(top, int) and top >= 1):
            raise UserError(f"train(top) takes a number of architectures from 1, or 'all', and not {top!r}.")
        if self.folder.name != self.name:
            raise UserError(f"the study {self.name} lies in {self.folder}: give that folder its name to continue it.")
        given = {"storage": self._storage} | options
        search(study=self.name, results=self.folder.parent, train=top if top == "all" else f"top:{top}", **given)
        return self

    def finish(
        self,
        top: int | None = None,
        *,
        name: str = DEFAULT_NAME,
        architecture: str | Architecture | None = None,
        seed: int | None = None,
        cache: str | Path | None = None,
        progress: bool = True,
        **options: Any,
    ) -> pd.DataFrame:
        """Trains the best networks on, from where the search left them; the same call again goes on with it.

        Args:
            top: how many of the best trained architectures, one after the other; 1 by default.
            name: of the finish; several may lie side by side.
            architecture: itself or its hash, instead of the best.
            seed: of its training in the search; its best by default.
            cache: of decoded audio; the user's own by default.
            progress: whether to print how far it is.
            options: of `randsearch finish`, with underscores: `steps`, `schedule`, `patience`, `learning_rate`,
                `batch`, `augment`, `data` (also a `musdb.DB`), `from_scratch`, `device` and others; what is left out is
                the study's.

        Returns:
            what `finishes` says of it.

        Raises:
            UserError: an option is wrong, the finish exists with others, or nothing was trained.
            KeyboardInterrupt: it was interrupted; the same call goes on.

        Example:
            >>> study.finish(steps=200_000, schedule="jnet", patience=20)  # doctest: +SKIP
        """
        from randsearch.finalists.finishing import Chosen, finish
        from randsearch.study.finish_words import closing

        name_of = architecture.hash if isinstance(architecture, Architecture) else architecture
        if top is not None:
            _check_positive(top=top)
        for what, text in (("name", name), ("architecture", "" if name_of is None else name_of)):
            if not isinstance(text, str):
                raise UserError(f"{what} is text, and not {quoted(text)}.")
        settle_data(options)
        if top is not None and architecture is not None:
            raise UserError("finish takes either a number of the best architectures or one architecture.")
        if seed is not None and architecture is None:
            raise UserError("a seed names a training of one architecture: give that too (--architecture HASH).")
        where = {"results": self.folder.parent, "cache": cache, "workers": 1}
        with interruptible(), shown(progress=progress) as console:
            machine = Machine.create(where, console)
            found = finish(self.config, self.folder, name, Chosen(top, name_of, seed), options, machine)
        for line in closing(self.folder, found):
            make_console(progress=progress).print(line, highlight=False, markup=False)
        return self.finishes(name)

    def finishes(self, name: str | None = None) -> pd.DataFrame:
        """How the networks that are trained on stand.

        Args:
            name: of one finish; all by default.

        Returns:
            one row a network: `finish`, `architecture`, `seed`, `steps` taken, `planned`, `score` in dB at its best
            `step`, `state`, and how far it is above the searched network and the best constant gain in dB, each with
            the ends of its interval over validation tracks.

        Raises:
            UserError: there is no such finish.
        """
        import pandas as pd

        from randsearch.study.finishes import read_finished

        return pd.DataFrame([each.to_row() for each in read_finished(self.folder, name)])

    def report(self, *, finish: str | None = None) -> Path:
        """Writes one self-contained HTML file: verdict, tables, plots, audio, and how to repeat the study.

        Args:
            finish: whose best network is heard; whatever is best by default.

        Returns:
            the file, `report.html` in the study's folder.

        Raises:
            UserError: the study cannot be read, there is no such finish, or the file not be written.
        """
        from randsearch.finalists.winner import best_of_all
        from randsearch.report import write_report

        return write_report(self.folder, best_of_all(self.folder, finish), finish)

    def evaluate(
        self,
        top: int = 3,
        *,
        finish: str | None = None,
        workers: int | None = None,
        cache: str | Path | None = None,
        on_done: Callable[[str], None] = lambda _: None,
    ) -> pd.DataFrame:
        """Scores the best trained networks on the test subset with museval (BSSEval v4, windows of 1 s).

        Args:
            top: how many networks.
            finish: whose networks alone are scored; whatever is best by default.
            workers: processes; one a core by default.
            cache: of decoded audio; the user's own by default.
            on_done: told the network and the track of each that is scored.

        Returns:
            one row a network and source, SDR in dB; `evaluation.csv` holds the same. Tracks scored earlier are kept.

        Raises:
            UserError: nothing was trained, or there is no test subset.
        """
        from randsearch.finalists.evaluation import evaluate_finalists

        where = None if cache is None else Path(cache)
        _check_positive(top=top)
        processes = Machine.create({"workers": workers}).jobs()
        how: dict[str, Any] = {"finish": finish, "workers": processes, "cache": where, "on_done": on_done}
        return evaluate_finalists(self.config, self.folder, top, **how)

    def separate(
        self,
        song: str | Path,
        *,
        output: str | Path | None = None,
        architecture: str | Architecture | None = None,
        seed: int | None = None,
        finish: str | None = None,
    ) -> list[Path]:
        """Separates a file with a trained network, block by block; the stems have its rate, channels and length.

        Args:
            song: an audio file of any length and rate.
            output: folder for the stems; `separated/SONG` by default.
            architecture: itself or its hash; the best trained by default.
            seed: of its training; its best by default.
            finish: in which it was trained on; whatever is best by default.

        Returns:
            the files written, one a source.

        Raises:
            UserError: the file cannot be read, a stem is there already, the folder cannot be written, or nothing was
                trained.

        Example:
            >>> study.separate("song.wav")  # doctest: +SKIP
            [PosixPath('separated/song/accompaniment.wav'), PosixPath('separated/song/vocals.wav')]
        """
        from randsearch.finalists.separation import Separator, separate_file

        config = self.config
        network = self.network(architecture, seed=seed, finish=finish)
        separator = Separator(network, config.source_names, config.audio.rate)
        return separate_file(separator, Path(song), Path(output or Path("separated") / Path(song).stem))

    def export(
        self,
        *,
        output: str | Path | None = None,
        architecture: str | Architecture | None = None,
        seed: int | None = None,
        finish: str | None = None,
    ) -> list[Path]:
        """Writes a trained network as weights, as YAML, and as a program that needs PyTorch alone (`torch.export`).

        Args:
            output: folder; `exported/` and the network's name in the study's own by default.
            architecture: itself or its hash; the best trained by default.
            seed: of its training; its best by default.
            finish: in which it was trained on; whatever is best by default.

        Returns:
            the files written.

        Raises:
            UserError: nothing was trained, or the folder cannot be written.
        """
        from randsearch.finalists.export import export

        finalist = self._finalist(architecture, seed, finish)
        if output is not None:
            return export(self.config, finalist, Path(output))
        own = StudyFolder(self.folder)
        return export(self.config, finalist, own.exported(finalist.name), own.place)

    def _finalist(self, architecture: str | Architecture | None, seed: int | None, finish: str | None) -> Finalist:
        from randsearch.finalists.winner import find

        name = architecture.hash if isinstance(architecture, Architecture) else architecture
        return find(self.folder, name, seed, finish)

    def _examined(self, resamples: int = 2000, votes: tuple[str, ...] = ()) -> Findings:
        path = StudyFolder(self.folder).table
        stamp = path.stat().st_mtime_ns if path.exists() else 0
        return _examine(self.folder.resolve(), stamp, resamples, votes)


def _check_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if not isinstance(number, int) or number < 1:
            raise UserError(f"{name} is a whole number from 1, and not {quoted(number)}.")


@lru_cache(maxsize=8)
def _examine(folder: Path, stamp: int, resamples: int, votes: tuple[str, ...]) -> Findings:
    """What a study says, computed once as long as its table stays as it was."""
    from randsearch.study.findings import examine

    return examine(folder, resamples=resamples, votes=votes)


def load_study(study: str | Path, *, results: str | Path = "results", storage: str | None = None) -> Study:
    """Opens an existing study.

    Args:
        study: its name, or the path of its folder.
        results: root of all studies, where a name is given.
        storage: URL of its database with a password, where it lies in one; this agrees to it being opened.

    Raises:
        UserError: there is no such study.

    Example:
        >>> study = rs.load_study("first")  # doctest: +SKIP
        >>> study.agreement()  # doctest: +SKIP
    """
    return Study(located(study, Path(results)), storage)


def search(
    space: str | Path | SearchSpace | None = None,
    *,
    study: str = "study",
    results: str | Path = "results",
    cache: str | Path | None = None,
    workers: int | None = None,
    callbacks: Iterable[Callback] = (),
    progress: bool = True,
    **options: Any,
) -> Study:
    """Samples architectures, scores each by cheap proxies, trains them, and logs how far the rankings agree.

    The same call again continues the study; more trials, measures, seeds or training extend it. A script needs no
    `if __name__ == "__main__":` around it.

    Args:
        space: what to search: the name of a shipped space such as `small`, a YAML file, or a `SearchSpace`; may be left
            out to continue a study.
        study: its name, and that of its folder.
        results: root of all studies.
        cache: of decoded audio; the user's own by default.
        workers: processes that measure at once; one a core by default, one on a GPU.
        callbacks: each called as `callback(study, measurement)` after a measurement is recorded, in this process; what
            one raises stops the search, which keeps all that was measured. The table on disk, and with it
            `study.to_frame()`, may lag some seconds behind.
        progress: whether to print how far it is.
        options: as the command line has them, with underscores: `data`, `trials`, `steps`, `train` and others.
            `measures` also takes functions `(setting, architecture, seed) -> score`, wherever they are defined; tables
            call them `module:name`. `data` also takes a `musdb.DB`, of which the root is kept: its tracks are split as
            `musdb:` and `musdbhq:` are.

    Raises:
        UserError: an option is wrong, the study exists with others, or the search cannot go on.
        KeyboardInterrupt: it was interrupted (Ctrl-C, or a notebook's stop button); what was measured is kept.

    Example:
        >>> def loudness(setting, architecture, seed):
        ...     return -architecture.levels
        >>> study = rs.search(  # doctest: +SKIP
        ...     "small", data="musdbhq:/data/musdb18hq", study="first", trials=24, measures=["params", loudness]
        ... )
    """
    root, storage = Path(results), options.get("storage")
    folder = run(
        {"space": space, "study": study, **options},
        results=root,
        cache=None if cache is None else Path(cache),
        workers=workers,
        progress=progress,
        on_measured=_teller(tuple(callbacks), lambda: Study(root / study, storage)),
    )
    return Study(folder, storage)


def _teller(callbacks: tuple[Callback, ...], opened: Callable[[], Study]) -> Callable[[Measurement], None] | None:
    """What tells callbacks of a measurement; None where there is none to tell.

    Args:
        callbacks: of the user.
        opened: opens the study, whose files are there once anything is measured.

    Raises:
        UserError: one cannot be called.
    """
    for callback in callbacks:
        if not callable(callback):
            raise UserError(f"callbacks are functions (study, measurement), and {callback!r} is none.")
    study = lru_cache(maxsize=1)(opened)

    def tell(measurement: Measurement) -> None:
        for callback in callbacks:
            try:
                callback(study(), measurement)
            except Exception as error:
                raise CallbackError(error) from error

    return tell if callbacks else None


def _shown_signature() -> inspect.Signature:
    """The signature of `search` with all that `options` may be, for `help` and completion."""
    own = inspect.signature(search)
    fixed = [each for each in own.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
        for name in (*STUDY_OPTIONS, *MACHINE_OPTIONS)
    ]
    return own.replace(parameters=[*fixed, *more])


search.__signature__ = _shown_signature()  # type: ignore[attr-defined]
