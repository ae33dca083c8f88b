"""optuna-dashboard on a study, with what the best networks sound like and the plots at hand as artifacts."""

from __future__ import annotations

import json
import webbrowser
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO
from wsgiref.simple_server import WSGIRequestHandler, make_server

from filelock import Timeout
from optuna.artifacts import upload_artifact
from optuna.artifacts.exceptions import ArtifactNotFound

from randsearch.base.errors import PlaceError, UserError
from randsearch.base.files import Place, replace_file
from randsearch.base.layout import EXCERPTS, StudyFolder
from randsearch.base.locks import file_lock
from randsearch.finalists.winner import best
from randsearch.plots import save_plots
from randsearch.study.config import StudyConfig
from randsearch.study.findings import examine, plot_data
from randsearch.study.rebuild import open_studies
from randsearch.study.studies import Studies

HEARD = 3
"""Networks whose excerpts are shown."""

# Optuna's own name for the attribute of a study that describes an artifact.
_PREFIX = "artifacts:"


class Artifacts:
    """An artifact store of Optuna's that does not leave the folder of its study, whatever an artifact is called.

    Args:
        folder: the study's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._study = StudyFolder(folder)
        self._place = self._study.place

    def _path(self, name: str) -> Path:
        return self._study.artifacts / name

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Opens an artifact.

        Raises:
            ArtifactNotFound: there is none of that name, or a link.
        """
        try:
            return self._place.open(self._path(artifact_id))
        except (FileNotFoundError, PlaceError) as error:
            raise ArtifactNotFound(str(error)) from error

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Writes an artifact, whole or not at all.

        Raises:
            PlaceError: it cannot be written, or a link is in its way.
        """
        self._place.copy(content_body, self._path(artifact_id))

    def remove(self, artifact_id: str) -> None:
        """Removes an artifact.

        Raises:
            ArtifactNotFound: there is none of that name.
        """
        path = self._path(artifact_id)
        if not self._place.has(path):
            raise ArtifactNotFound(artifact_id)
        self._place.remove(path)


def prepare(config: StudyConfig, folder: Path, on_note: Callable[[str], None]) -> Any:
    """Brings a study's artifacts up to date and makes the dashboard.

    Args:
        config: the study's configuration.
        folder: the study's folder.
        on_note: told in a sentence what is not shown.

    Returns:
        the dashboard as a WSGI application.

    Raises:
        UserError: the extra is not installed, or the study cannot be opened.
    """
    try:
        import optuna_dashboard
    except ImportError:
        raise UserError("the dashboard is not installed: `pip install 'randsearch[dashboard]'` installs it.") from None
    study, store = StudyFolder(folder), Artifacts(folder)
    place = study.place
    place.make(study.artifacts)
    studies = open_studies(config, folder)
    try:
        # The lock of a search, which is a study's only writer.
        with file_lock(place.checked(study.lock), timeout=0):
            _publish(config, place, studies, store, on_note)
    except Timeout:
        on_note(f"a search is at work on {config.study}: audio and plots are those of the last time.")
    return optuna_dashboard.wsgi(studies.storage.backend, artifact_store=store)


def serve(app: Any, port: int, *, browser: bool, on_ready: Callable[[str], None]) -> None:
    """Serves the dashboard to this machine alone, until interrupted.

    Args:
        app: from `prepare`.
        port: to listen on; 0 takes a free one.
        browser: whether to open one.
        on_ready: told the address once it answers.

    Raises:
        UserError: the port is taken.
    """
    try:
        server = make_server("127.0.0.1", port, app, handler_class=_Quiet)
    except (OSError, OverflowError) as error:
        raise UserError(f"port {port} cannot be used ({error}): choose another with --port.") from None
    with server:
        address = f"http://127.0.0.1:{server.server_port}/dashboard"
        on_ready(address)
        if browser:
            webbrowser.open(address)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: a line a request hides the address."""


def _publish(
    config: StudyConfig,
    place: Place,
    studies: Studies,
    store: Artifacts,
    on_note: Callable[[str], None],
) -> None:
    """Gives the study its plots and the excerpts of its best networks, for its trials are finished and take no more."""
    folder, uploaded = place.root, dict[str, Path]()
    try:
        found = examine(folder)
        data = plot_data(folder, found)
        plots = save_plots(found.table, StudyFolder(folder).plots, place=place, result=found.analysis.rows, data=data)
        uploaded |= {path.name: path for path in plots if path.suffix == ".png"}
        for finalist in best(folder, HEARD):
            excerpts = place.files(finalist.home, EXCERPTS)
            uploaded |= {f"{finalist.name}-{path.name}": path for path in excerpts}
            if not excerpts:
                on_note(f"without excerpts of {finalist.architecture.hash}: there are none in {finalist.home}.")
    except PlaceError:
        raise
    except UserError as reason:
        on_note(f"not all audio and plots are shown: {reason}")
    _upload(uploaded, place, studies, store)


def _upload(files: Mapping[str, Path], place: Place, studies: Studies, store: Artifacts) -> None:
    """Uploads files under new names; one of a name that is there already takes its place."""
    storage = studies.storage
    attributes = storage.get_study_system_attrs(storage.get_study_id_from_name(studies.main.study_name))
    known = [json.loads(value) for name, value in attributes.items() if name.startswith(_PREFIX)]
    # The dashboard leaves nothing where an artifact was deleted.
    places = {artifact["filename"]: artifact["artifact_id"] for artifact in known if artifact}
    with TemporaryDirectory() as aside:
        for name, path in files.items():
            if name in places:
                with place.open(path) as content:
                    store.write(places[name], content)
            else:
                # Optuna names an artifact after its file.
                renamed = Path(aside) / name
                replace_file(renamed, place.read(path))
                upload_artifact(artifact_store=store, file_path=str(renamed), study_or_trial=studies.main)
