"""The folders of studies: `results/NAME/`, each with its `config.yaml`."""

from __future__ import annotations

from pathlib import Path

from randsearch.base.errors import UserError
from randsearch.base.files import Place
from randsearch.base.layout import StudyFolder
from randsearch.study import trust
from randsearch.study.config import StudyConfig
from randsearch.study.config_file import read_study


def study_folder(results: Path, name: str) -> Path:
    """Folder of an existing study.

    Raises:
        UserError: there is none of that name, or the name or a link would leave the results folder.
    """
    folder = results / name
    if Path(name).name != name or not StudyFolder(folder).is_study:
        raise UserError(f"there is no study {name} in {results}: `randsearch search` makes one.")
    Place(folder).checked(StudyFolder(folder).config)
    return folder


def located(study: str | Path, results: Path) -> Path:
    """Folder of an existing study that is given by its name, or by the path of its folder.

    Args:
        study: its name or path; a study of that name among the results comes first.
        results: root of all studies.

    Raises:
        UserError: there is none.
    """
    path = Path(study).absolute()
    named = path.name == str(study) and StudyFolder(results / study).is_study
    if not named and StudyFolder(path).is_study:
        # As it was given: messages name it so.
        return Path(study) if Path(study).name != str(study) else study_folder(path.parent, path.name)
    return study_folder(results, str(study))


def load_config(folder: Path, storage: str | None = None) -> StudyConfig:
    """The configuration that was saved with a study.

    Args:
        folder: the study's folder.
        storage: URL of its database where this command names it, which agrees to it; it may bring the password.

    Raises:
        UserError: the file cannot be read, is torn or a link, or names another database.
    """
    path = StudyFolder(folder).config
    Place(folder).checked(path)
    config = StudyConfig.create(read_study(path, StudyConfig), str(path))
    if storage is None:
        return config
    named = StudyConfig.create({**config.model_dump(), "storage": storage}, "options")
    config.continued_by(named)
    trust.agree(folder, config.study, storage=storage)
    return named
