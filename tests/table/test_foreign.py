import json

import numpy as np
import pytest
from tables import make_table

from randsearch.base.errors import UserError
from randsearch.statistics import agreement, notes, settings
from randsearch.table.foreign import read_foreign
from randsearch.table.tidy import means, measure_names, parameters, write_measurements

WIDE = """network,trained,synflow,params,kind,levels,trained_seconds
a,1.5,2,30,x,1,10
b,2.5,1,40,x,2,11
c,4,nan,90,y,3,20
d,5,6,80,y,1,22
e,3,inf,70,x,2,13
"""


def write(folder, text, name="scores.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_wide_table_is_read(tmp_path):
    table = read_foreign(write(tmp_path, WIDE), "trained", ["levels"])
    assert measure_names(table) == ["trained", "synflow", "params"]
    assert parameters(table) == ["kind", "levels"]
    wide = means(table)
    assert wide.index.tolist() == list("abcde")
    assert wide["trained"].tolist() == [1.5, 2.5, 4, 5, 3]
    lost = table[table["state"] == "failed"]
    assert lost[["architecture", "measure", "reason"]].to_numpy().tolist() == [
        ["c", "synflow", "no score in the file"],
        ["e", "synflow", "the score in the file is infinite"],
    ]
    assert table.loc[table["measure"] == "trained", "seconds"].tolist() == [10, 11, 20, 22, 13]
    assert table.loc[table["measure"] == "params", "seconds"].isna().all()
    assert agreement(table, resamples=50).set_index("proxy")["n"].to_dict() == {"params": 5, "synflow": 3}


def test_negative_seconds_are_refused(tmp_path):
    wide = WIDE.replace(",22\n", ",-22\n")
    assert wide != WIDE
    with pytest.raises(UserError, match=r"row 4: trained_seconds is -22; what a measurement took is 0 or more seconds"):
        read_foreign(write(tmp_path, wide), "trained")
    long = "architecture,measure,score,seconds\na,trained,1,3\na,synflow,2,-1\n"
    with pytest.raises(UserError, match=r"row 2 \(a, synflow, seed 0\): what a measurement took is 0 or more"):
        read_foreign(write(tmp_path, long), "trained")


def test_an_infinite_target_is_left_out_and_counted(tmp_path):
    rows = "".join(f"n{i},{i if i else 'inf'},{i},{i % 3}\n" for i in range(9))
    table = read_foreign(write(tmp_path, f"id,trained,flops,zen\n{rows}"), "trained")
    result = agreement(table, resamples=50)
    assert settings(result).left_out == 1
    assert "left out: 1 architecture without a finite trained" in notes(result)
    assert settings(result).controls == ("flops",)


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_and_a_byte_order_mark(tmp_path, delimiter):
    text = "\ufeff" + WIDE.replace(",", delimiter)
    assert means(read_foreign(write(tmp_path, text), "trained"))["params"].tolist() == [30, 40, 90, 80, 70]


def test_rows_of_one_architecture_are_told_apart_by_their_seed(tmp_path):
    text = "id,seed,acc,zen\na,0,1,5\na,1,3,7\nb,0,4,4\nb,1,6,2\n"
    table = read_foreign(write(tmp_path, text), "acc")
    assert means(table)["acc"].tolist() == [2, 5]
    with pytest.raises(UserError, match="came before; keep one of them"):
        read_foreign(write(tmp_path, text.replace("a,1,3", "a,0,3")), "acc")
    for seed in (-1, 2**63):
        with pytest.raises(UserError, match=rf"row 2: seed should be a whole number from 0 to 2\^63 - 1, not '{seed}'"):
            read_foreign(write(tmp_path, text.replace("a,1,3", f"a,{seed},3")), "acc")


def test_a_long_table_needs_no_more_than_three_columns(tmp_path):
    text = "architecture,measure,score,depth\na,acc,1,3\nb,acc,2,4\na,zen,0.5,3\nb,zen,,4\n"
    table = read_foreign(write(tmp_path, text), "acc")
    assert parameters(table) == ["depth"]
    assert table["state"].tolist() == ["complete", "complete", "complete", "failed"]
    assert means(table)["zen"].tolist()[0] == 0.5


def test_our_own_table_is_read_as_it_is(tmp_path):
    table = make_table(4, seeds=(0, 1), failed=[(1, "early")])
    table.loc[table["state"] == "failed", "state"] = ["failed", "pruned"]
    write_measurements(table, tmp_path / "measurements.csv")
    found = read_foreign(tmp_path / "measurements.csv", "trained")
    np.testing.assert_allclose(means(found), means(table))
    assert parameters(found) == parameters(table)
    assert found["state"].tolist() == table["state"].tolist()


@pytest.mark.parametrize(
    ("text", "target", "named", "message"),
    [
        (WIDE, "accuracy", [], "no column accuracy of numbers .*; columns of numbers are trained, synflow, params"),
        (WIDE, "kind", [], "no column kind of numbers"),
        (WIDE, "trained", ["depth"], "no column depth to be a parameter"),
        (WIDE.replace("2.5", "2;5"), "trained", [], "row 2: trained is '2;5', which is no number"),
        (WIDE.replace("b,2.5", "a,2.5"), "trained", [], "came before; keep one of them"),
        (WIDE.replace("b,2.5", ",2.5"), "trained", [], "a cell of network is empty"),
        (WIDE.replace("11\n", "11,1\n"), "trained", [], "row 2: 8 cells where the header has 7"),
        (WIDE.replace("kind", "trained"), "trained", [], "the column trained appears twice"),
        (WIDE.replace("kind", "state"), "trained", [], "a parameter cannot be called state"),
        ("network,trained\n", "trained", [], "no rows below"),
        ("", "trained", [], "no rows below"),
        ("architecture,measure,score\na,acc,x\n", "acc", [], "row 1: score should be a number, not 'x'"),
        ("architecture,measure,score\na,acc,1\n", "zen", [], "there is no measure zen; it has acc"),
    ],
)
def test_mistakes_are_told_in_a_sentence(tmp_path, text, target, named, message):
    with pytest.raises(UserError, match=message):
        read_foreign(write(tmp_path, text), target, named)


def test_files_that_are_no_text_are_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        read_foreign(tmp_path / "none.csv", "trained")
    (tmp_path / "bytes.csv").write_bytes(b"a,b\n\xff\xfe,1\n")
    with pytest.raises(UserError, match="UTF-8"):
        read_foreign(tmp_path / "bytes.csv", "trained")


def test_the_command_writes_beside_the_table_or_elsewhere(run_cli, tmp_path):
    path = write(tmp_path, WIDE)
    answer = run_cli("analyse", "--table", path, "--parameters", "levels", "--resamples", 50)
    assert answer.code == 0, answer.err
    assert "measures beside trained: synflow, params; parameters: kind, levels" in answer.out
    assert " dB" not in answer.out
    document = json.loads((tmp_path / "agreement.json").read_text())
    assert document["settings"]["unit"] == ""
    assert run_cli("analyse", "--table", path, "--output", tmp_path / "there", "--resamples", 50).code == 0
    assert (tmp_path / "there" / "agreement.csv").is_file()


def test_the_command_takes_a_study_or_a_table(run_cli, tmp_path):
    for arguments in ((), ("name", "--table", write(tmp_path, WIDE))):
        assert run_cli("analyse", *arguments).code == 2
    answer = run_cli("analyse", "--table", tmp_path / "none.csv")
    assert answer.code == 1
    assert "cannot be read" in answer.err
