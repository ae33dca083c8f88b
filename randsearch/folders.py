"""The folders of studies: `results/NAME/`, each with its `config.yaml`."""

from __future__ import annotations

from pathlib import Path

from randsearch.config import StudyConfig, load_options
from randsearch.errors import UserError
from randsearch.files import Place


def study_folder(results: Path, name: str) -> Path:
    """Folder of an existing study.

    Raises:
        UserError: there is none of that name, or the name or a link would leave the results folder.
    """
    folder = results / name
    if Path(name).name != name or not (folder / "config.yaml").is_file():
        raise UserError(f"there is no study {name} in {results}: `randsearch search` makes one.")
    Place(folder).checked(folder / "config.yaml")
    return folder


def load_config(folder: Path) -> StudyConfig:
    """The configuration that was saved with a study.

    Raises:
        UserError: it cannot be read, or is a link.
    """
    path = folder / "config.yaml"
    Place(folder).checked(path)
    return StudyConfig.create(load_options(path), str(path))
