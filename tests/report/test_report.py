import html
import re
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from tables import make_table

from randsearch import plots
from randsearch.models.architecture import Architecture
from randsearch.plots import PLOTS
from randsearch.report import write_report
from randsearch.report.audio import listen
from randsearch.report.tables import agreement_grid, failure_grid, score_grid
from randsearch.statistics import headline, verdict
from randsearch.study.config import StudyConfig
from randsearch.study.config_file import load_options
from randsearch.study.findings import examine
from randsearch.study.folders import load_config
from randsearch.table.tidy import means, read_measurements, write_measurements


@pytest.fixture(scope="session")
def text(page):
    return page.read_text(encoding="utf-8")


@pytest.fixture
def one_plot(monkeypatch):
    """Drawing takes most of a report's time, and few tests are about it."""
    monkeypatch.setattr(plots, "PLOTS", {"claim3": PLOTS["claim3"]})


def test_nothing_from_outside_becomes_markup(text):
    assert "alert(" in text
    assert "<script>alert(" not in text
    assert len(re.findall("<script", text)) == 1


def test_the_page_names_no_network(text):
    assert "default-src 'none'" in text
    links = re.findall(r"""(?:src|href)=["']([^"']{1,20})""", text)
    assert links
    assert all(link.startswith(("data:", "#")) for link in links)


def test_every_plot_is_there(text):
    assert text.count("data:image/svg+xml") == len(PLOTS)
    assert "Plots left out" not in text


def test_the_verdict_comes_first(text, study):
    body = text[text.index("<body>") :]
    found = examine(study)
    assert body.index("Verdict") < body.index(headline(found.analysis.rows)) < body.index("<table")
    said = verdict(found.analysis)
    for sentence in said.lines[1:]:
        assert body.index(html.escape(sentence, quote=False)) < body.index("<summary>In detail")
    for question, answer in said.parts():
        rest = answer.removeprefix(said.opening).strip()
        assert html.unescape(body).count(question) == (rest != "")
        assert rest in html.unescape(body)


def test_the_same_study_gives_the_same_bytes(study, one_plot, tmp_path):
    copy = tmp_path / study.name
    shutil.copytree(study, copy)
    first = write_report(copy).read_bytes()
    assert write_report(copy).read_bytes() == first


def test_the_command_repeats_the_study(text, study):
    command = re.search(r"randsearch search [^<]+", text)[0]
    _, _, flag, path, *_ = shlex.split(command)
    assert flag == "--config"
    assert StudyConfig.create(load_options(Path(path), StudyConfig), path) == load_config(study)
    assert "made by the rules" not in text


def test_its_configuration_can_be_put_back(text, study):
    (kept,) = re.findall(r'<summary>config.yaml</summary>.*?<pre tabindex="0">(.*?)</pre>', text, re.DOTALL)
    assert html.unescape(kept) == (study / "config.yaml").read_text()


def test_a_winner_can_be_built_from_its_yaml(finished_study, tmp_path, one_plot):
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in ("config.yaml", "measurements.csv"):
        (folder / name).write_bytes((finished_study / name).read_bytes())
    text = write_report(folder).read_text(encoding="utf-8")
    winners = re.findall(r'<h3><code>(\w+)</code></h3>.*?<pre tabindex="0">(.*?)</pre>', text, re.DOTALL)
    table = read_measurements(folder / "measurements.csv")
    assert winners[0][0] == means(table)["trained"].idxmax()
    for name, options in winners:
        assert Architecture.create(yaml.safe_load(options.replace("&#39;", "'"))).hash == name


def test_a_study_without_training_says_so(study, tmp_path):
    table = make_table(4)
    (tmp_path / "config.yaml").write_bytes((study / "config.yaml").read_bytes())
    write_measurements(table[table["measure"] != "trained"], tmp_path / "measurements.csv")
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert "Nothing was trained" in text
    assert "Best architectures by fixed decoder" in text


def test_audio_keeps_to_its_bound(study):
    best = means(read_measurements(study / "measurements.csv"))["trained"].idxmax()
    heard = listen(study, best)
    assert [name for name, _ in heard.excerpts[0].rows] == ["mixture", "accompaniment", "vocals"]
    assert [player.caption for player in heard.excerpts[0].rows[1][1]] == [
        *("reference", "trained", "fixed decoder", "fixed encoder"),
    ]
    less = listen(study, best, most_bytes=heard.size - 1)
    assert (less.excerpts, less.size, less.left_out) == ((), 0, 1)


def test_grids_hold_what_sorts():
    table = make_table(5, failed=[(0, "early"), (1, "early")])
    scores = score_grid(table, "trained")
    assert [row[1].number for row in scores.rows] == sorted(means(table)["trained"], reverse=True)
    assert [cell.text for cell in failure_grid(table).rows[0]][:3] == [
        "early",
        "2",
        "diverged, at step 12",
    ]
    nan = pd.DataFrame(
        [{"proxy": "early", "n": 0, "spearman": float("nan"), "spearman_low": 0.0, "spearman_high": 0.0}]
    )
    assert [cell.text for cell in agreement_grid(nan).rows[0]] == ["early", "0", "-"]
