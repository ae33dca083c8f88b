"""What must be true of `randsearch replay`."""

from __future__ import annotations

import pytest
from replay.made import study


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return study(tmp_path_factory.mktemp("replay") / "made")


def test_it_says_what_each_strategy_finds_and_draws_it(run_cli, folder, tmp_path):
    asked = ["--strategy", "proxy:zen", "--strategy", "halving:vote:macs+zen", "--repetitions", 20, "--networks", 12]
    answer = run_cli("replay", folder, *asked, "--seconds", 90, "--plot", tmp_path / "found.png")
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert max(map(len, lines[:9])) <= 110
    assert max(len(line.rstrip()) for line in lines[:7]) <= 100
    assert "Found after 90 s" in lines[0] or "Found after 1.5 min" in lines[0]
    for heading in ("strategy", "dB", "less proxy:zen", "better", "as good as random after"):
        assert heading in answer.out
    assert "20 searches of each strategy, among 12 networks drawn of 36" in answer.out
    assert "judged by training seeds 1 and 2, never seen" in answer.out
    assert (tmp_path / "found.png").read_bytes().startswith(b"\x89PNG")
    assert run_cli("replay", folder, *asked, "--seconds", 90).out in answer.out


def test_its_seconds_are_a_quarter_of_training_unless_told(run_cli, folder):
    answer = run_cli("replay", folder, "--strategy", "random", "--repetitions", 2)
    # 36 trainings of 10, 11... seconds, one of which failed after 3.
    assert f"Found after {(sum(range(10, 46)) - 17 + 3) / 4 / 60:.2g} min" in answer.out


def test_mistakes_are_told(run_cli, folder, tmp_path):
    for asked, said in (
        ([tmp_path], "there is no benchmark"),
        ([folder, "--strategy", "proxy:dogs"], "no measure 'dogs'"),
        ([folder, "--plot", "found.txt"], "as .png or .svg"),
    ):
        answer = run_cli("replay", *asked)
        assert answer.code == 1
        assert said in answer.err
        assert answer.err.count("\n") == 1
