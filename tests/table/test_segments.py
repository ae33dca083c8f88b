import numpy as np
import pytest

from randsearch.base.errors import UserError
from randsearch.base.files import Place
from randsearch.table.segments import COLUMNS, read_segments, write_segments


def test_what_is_written_is_read(tmp_path):
    for seed in (0, 1):
        home = tmp_path / "measured" / "abc" / f"fixed_decoder-{seed}"
        home.mkdir(parents=True)
        tracks = [np.array([[1.004, np.inf], [-2.5, 3.0]]), np.array([[7.0], [seed]])]
        write_segments(Place(tmp_path), home, ("drums", "vocals"), tracks)
    wide = tmp_path / "measured" / "abc" / "fixed_decoder-wide-0"
    write_segments(Place(tmp_path), wide, ("drums",), [np.array([[1.0]])])
    found = read_segments(tmp_path, ["abc", "unknown"], ["trained", "fixed_decoder"])
    assert tuple(found.columns) == COLUMNS
    assert found[found["seed"] == 1]["sdr"].tolist() == [1.0, np.inf, 7.0, -2.5, 3.0, 1.0]
    assert found["source"].tolist() == ["drums"] * 3 + ["vocals"] * 3 + ["drums"] * 3 + ["vocals"] * 3
    assert set(found["measure"]) == {"fixed_decoder"}


def test_no_segments_are_an_empty_table(tmp_path):
    assert read_segments(tmp_path, ["abc"], ["trained"]).empty


@pytest.mark.parametrize("text", ["source,sdr\nvocals,loud\n", "sdr\n1.0\n", ""])
def test_a_broken_file_is_named(tmp_path, text):
    home = tmp_path / "measured" / "abc" / "trained-0"
    home.mkdir(parents=True)
    (home / "segments.csv").write_text(text)
    with pytest.raises(UserError, match=r"segments\.csv"):
        read_segments(tmp_path, ["abc"], ["trained"])
