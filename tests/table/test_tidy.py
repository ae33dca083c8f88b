import re

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from pandas.testing import assert_frame_equal
from tables import make_table

from randsearch.base.errors import UserError
from randsearch.table.tidy import (
    COLUMNS,
    failures,
    means,
    measure_names,
    parameters,
    read_measurements,
    scores,
    seconds,
    write_measurements,
)


def edited(tmp_path, column, row, cell):
    """The path of a table in which one cell was replaced by hand."""
    path = tmp_path / "measurements.csv"
    write_measurements(make_table(3), path)
    cells = pd.read_csv(path, dtype=str, keep_default_na=False)
    cells.loc[row, column] = cell
    cells.to_csv(path, index=False)
    return path


def test_a_written_table_is_read_back_with_types_and_order(tmp_path):
    table = make_table(5, seeds=(0, 3), failed=[(1, "early")])
    write_measurements(table, tmp_path / "deep" / "measurements.csv")
    read = read_measurements(tmp_path / "deep" / "measurements.csv")
    assert_frame_equal(read[[column for column in read if column in table]], table, check_dtype=False)
    assert read["levels"].dtype == "int64"
    assert read["filters"].dtype == "float64"
    assert read["gated"].dtype == "bool"
    assert read["skips"].unique().tolist()[:3] == ["000", "001", "010"]
    assert parameters(read) == ["levels", "filters", "skips", "gated"]


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(FLOATS, FLOATS, TEXT, TEXT, st.integers(0, 2**62)), min_size=1, max_size=6))
def test_any_float_text_and_integer_survives_bit_by_bit(tmp_path_factory, cells):
    table = make_table(len(cells), proxies={})
    table["score"], table["seconds"], table["reason"], table["activation"], table["steps"] = zip(*cells, strict=True)
    table["seconds"] = table["seconds"].abs()
    folder = tmp_path_factory.mktemp("table")
    write_measurements(table, folder / "a.csv")
    read = read_measurements(folder / "a.csv")
    for column in ("score", "seconds", "reason", "steps"):
        assert read[column].tolist() == table[column].tolist()
    write_measurements(read, folder / "b.csv")
    assert_frame_equal(read_measurements(folder / "b.csv"), read)


def test_a_long_curve_is_read_back(tmp_path):
    table = make_table(2)
    table["curve"] = str([[step, step / 3] for step in range(20_000)])
    write_measurements(table, tmp_path / "m.csv")
    assert read_measurements(tmp_path / "m.csv")["curve"].tolist() == table["curve"].tolist()


def test_columns_are_put_in_the_order_of_the_file(tmp_path):
    table = make_table(2)
    write_measurements(table[table.columns[::-1]], tmp_path / "m.csv")
    header = (tmp_path / "m.csv").read_text().splitlines()[0].split(",")
    assert header == [*COLUMNS[:9], "gated", "skips", "filters", "levels", *COLUMNS[9:]]


@pytest.mark.parametrize(
    ("column", "cell", "sentence"),
    [
        ("score", "high", "row 2: score should be a number, not 'high'"),
        ("steps", "1.5", "row 2: steps should be a whole number from 0 to 2^63 - 1, not '1.5'"),
        ("seed", "-1", "row 2: seed should be a whole number from 0 to 2^63 - 1, not '-1'"),
        ("seed", str(2**63), "row 2: seed should be a whole number from 0 to 2^63 - 1, not '9223372036854775808'"),
        ("threads", "9" * 5000, "row 2: threads should be a whole number from 0 to 2^63 - 1, not '999"),
        ("state", "done", "the state should be complete, failed or pruned"),
        ("score", "", "a complete measurement needs a finite score"),
        ("score", "inf", "a complete measurement needs a finite score"),
        ("state", "failed", "a measurement that failed or was pruned has no score"),
    ],
)
def test_a_wrong_cell_is_named(tmp_path, column, cell, sentence):
    with pytest.raises(UserError, match=re.escape(sentence)):
        read_measurements(edited(tmp_path, column, 1, cell))


def test_a_doubled_measurement_is_refused_when_read_and_when_written(tmp_path):
    table = make_table(3)
    twice = pd.concat([table, table.tail(1)])
    with pytest.raises(UserError, match="came before"):
        write_measurements(twice, tmp_path / "m.csv")
    assert not (tmp_path / "m.csv").exists()
    write_measurements(table, tmp_path / "m.csv")
    text = (tmp_path / "m.csv").read_text()
    (tmp_path / "m.csv").write_text(text + text.splitlines()[-2] + "\n")
    with pytest.raises(UserError, match=r"row 16 .*came before"):
        read_measurements(tmp_path / "m.csv")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"architecture,measure\na,b\n", "the column seed is missing"),
        (b"a,b\n1\n", "row 1: 1 cells where the header has 2"),
        (b"\xff\xfe\x00", "not a CSV file in UTF-8"),
        ((",".join([*COLUMNS, "seed"]) + "\n").encode(), "the column seed appears twice"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, content, sentence):
    (tmp_path / "m.csv").write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        read_measurements(tmp_path / "m.csv")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        read_measurements(tmp_path / "m.csv")


def test_a_table_without_rows_is_read(tmp_path):
    write_measurements(make_table(2).head(0), tmp_path / "m.csv")
    read = read_measurements(tmp_path / "m.csv")
    assert read.empty
    assert means(read).shape == (0, 0)


def test_scores_are_architectures_in_candidate_order_by_seeds():
    table = make_table(6, seeds=(4, 1), failed=[(2, "early")], seed_noise=1.0)
    shuffled = pd.concat([table[table["measure"] == "trained"], table[table["measure"] != "trained"].sample(frac=1)])
    wide = scores(shuffled, "early")
    assert wide.index.tolist() == table["architecture"].unique().tolist()
    assert wide.columns.tolist() == [1, 4]
    assert wide.isna().to_numpy().sum() == 2
    one = table[(table["measure"] == "early") & (table["seed"] == 4)].set_index("architecture")
    np.testing.assert_array_equal(wide[4], one["score"])
    np.testing.assert_array_equal(seconds(table, "early")[4].dropna(), one["seconds"].drop(one.index[2]))


def test_means_leave_failed_seeds_out_and_failures_counts_them():
    table = make_table(4, proxies={"early": 1.0}, seeds=(0, 1, 2), seed_noise=1.0)
    lost = (
        (table["measure"] == "early") & (table["seed"] == 1) & (table["architecture"] == table["architecture"].iloc[0])
    )
    table.loc[lost, "score"] = np.nan
    table.loc[lost, "state"] = "failed"
    kept = table[(table["measure"] == "early") & ~lost]
    expected = [kept.loc[kept["architecture"] == a, "score"].mean() for a in table["architecture"].unique()]
    np.testing.assert_allclose(means(table)["early"], expected)
    assert means(table).columns.tolist() == measure_names(table) == ["trained", "early"]
    assert failures(table).to_dict() == {"trained": 0, "early": 1}
