import ast
import re
from pathlib import Path

import pytest

import randsearch
from randsearch.base import layout
from randsearch.base.errors import UserError
from randsearch.base.layout import StudyFolder, excerpt_file, excerpt_of, seed_of

PACKAGE = Path(randsearch.__file__).parent
NAME = re.compile(
    r"(?<![\w<])(config\.yaml|(measurements|agreement|effects|ensemble|budgets|evaluation|segments)\.csv|study\.db"
    r"|agreement\.json|report\.html|error\.txt|network\.(yaml|pt2)|[\w*]*\.(safetensors|flac|part)|\.lock|\.driver"
    r"|measured(?!_)|exported|artifacts|checkpoint\.)"
)


def paths_in(module: Path) -> list[str]:
    """The literals of a module that are or hold the name of a file of a study, and are no sentences."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    literals = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return [text for text in literals if not re.search(r"[\s`]", text) and NAME.search(text)]


def test_one_module_knows_where_the_files_of_a_study_lie():
    known = {
        "data/cache.py": [".lock"],  # of the cache
        "data/audio_files.py": [".flac"],  # of corpora
        "study/trust.py": [".lock"],  # of this user's agreements
        "finalists/dashboard.py": ["artifacts:"],  # an attribute of Optuna's
    }
    found = {str(module.relative_to(PACKAGE)): paths_in(module) for module in sorted(PACKAGE.rglob("*.py"))}
    assert {"config.yaml", "measurements.csv", "study.db", "measured", ".lock"} <= set(found.pop("base/layout.py"))
    assert {module: names for module, names in found.items() if names} == known


def test_all_files_of_a_study_lie_in_its_folder_under_names_of_their_own(tmp_path):
    study = StudyFolder(tmp_path / "study")
    names = [name for name, kind in vars(StudyFolder).items() if isinstance(kind, property)]
    found = [getattr(study, name) for name in names]
    paths = [path for path in found if isinstance(path, Path)]
    assert len(set(paths)) == len(paths) > 15
    assert all(study.path in path.parents for path in paths)
    assert [path.name for path in study.database_files] == [
        f"study.db{end}" for end in ("", "-journal", "-wal", "-shm")
    ]


def test_what_is_found_below_the_results_are_studies(tmp_path):
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / layout.CONFIG_FILE).touch()
    (tmp_path / "no study").mkdir()
    assert [study.path.name for study in StudyFolder.below(tmp_path)] == ["a", "b"]
    assert not StudyFolder(tmp_path / "no study").is_study


def test_a_folder_of_a_measurement_tells_its_seed(tmp_path):
    home = StudyFolder(tmp_path).home("abc", "mine.of_my_own:loudness", 3)
    assert home == tmp_path / "measured" / "abc" / "mine.of_my_own.loudness-3"
    assert seed_of(home, "mine.of_my_own:loudness") == 3
    assert seed_of(home, "mine.of_my_own") is None
    assert seed_of(Path("trained-best"), "trained") is None


@pytest.mark.parametrize("name", ["../../x", "a/b", "/etc/passwd", "", "a b", "..", "x:y:z"])
def test_no_measure_s_name_is_a_path(tmp_path, name):
    with pytest.raises(UserError, match="cannot be the name of a measure"):
        StudyFolder(tmp_path).home("abc", name, 0)


def test_an_excerpt_is_known_by_its_file():
    assert excerpt_of(Path(excerpt_file(2, "lead-vocals"))) == (2, "lead-vocals")
    assert excerpt_of(Path("excerpt-vocals.flac")) is None
