"""What the reference study says is what its tables hold, and its words follow from its numbers."""

from __future__ import annotations

import gzip
import re
import shutil
from dataclasses import replace
from pathlib import Path

import needs
import numpy as np
import pandas as pd
import pytest
from bench.again import main as again
from bench.reference.answers import Answers
from bench.reference.budget import answer_3, answer_4
from bench.reference.corpus import digests
from bench.reference.few import answer_8
from bench.reference.make import PASSAGE, facts, make
from bench.reference.noise import answer_5, answer_6
from bench.reference.page import QUESTIONS, page, passage
from bench.reference.published import HALVES, STUDIES, TIMED, WHOLE_HALVES, Study, read, whole_halves
from bench.reference.ranking import answer_1, answer_2
from bench.reference.replayed import PRIMARY, at_quiet, replay
from bench.reference.said_of_choice import confirmed, serves
from bench.reference.said_of_ranking import answer_1 as said_1
from bench.reference.said_of_search import contrast
from bench.reference.wording import Say
from scipy.stats import spearmanr

from randsearch.replay import benchmark
from randsearch.statistics import Interval
from randsearch.study.folders import load_config
from randsearch.table.published import read_published
from randsearch.table.tidy import means, read_measurements, scores, write_measurements

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "results" / "reference"
MEASURES = ("trained", "params", "macs", "zen", "early", "fixed_decoder", "fixed_encoder")
ABOVE, NEITHER, BELOW = Interval(0.5, 0.2, 0.8), Interval(0.1, -0.2, 0.4), Interval(-0.5, -0.8, -0.2)
VOTE = "vote:macs+params+zen"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three studies, made of 36 measured networks; further training seeds are the first with noise."""
    place = tmp_path_factory.mktemp("reference")
    table = read_measurements(REFERENCE / "proxies" / "measurements.csv")
    table = table[table["measure"].isin(MEASURES)]
    table = table[table["architecture"].isin(table["architecture"].unique()[:36])]
    trained, rng = table[table["measure"] == "trained"], np.random.default_rng(0)
    again = [
        trained.iloc[:20].assign(seed=seed, score=lambda rows: rows["score"] + rng.normal(0, 0.3, len(rows)))
        for seed in (1, 2)
    ]
    short = table[~table["measure"].str.startswith("fixed")]
    for name, whole in zip(STUDIES.values(), (pd.concat([table, *again]), table, short), strict=True):
        own = place / name
        own.mkdir()
        write_measurements(whole.reset_index(drop=True), own / "measurements.csv")
        pack(own)
        shutil.copy(REFERENCE / "proxies" / "config.yaml", own)
    halves = table[table["measure"].isin(HALVES) & table["architecture"].isin(table["architecture"].unique()[:20])]
    (place / WHOLE_HALVES).mkdir()
    write_measurements(halves.assign(steps=1_500).reset_index(drop=True), place / WHOLE_HALVES / "measurements.csv")
    pack(place / WHOLE_HALVES)
    (place / TIMED).mkdir()
    first = table[table["architecture"].isin(table["architecture"].unique()[:20])]
    write_measurements(
        first.assign(seconds=first["seconds"] / 2).reset_index(drop=True), place / TIMED / "measurements.csv"
    )
    pack(place / TIMED)
    return place


def pack(place: Path) -> None:
    """Publishes the table of a folder."""
    (place / "measurements.csv.gz").write_bytes(gzip.compress((place / "measurements.csv").read_bytes(), mtime=0))
    (place / "measurements.csv").unlink()


@pytest.fixture(scope="module")
def studies(folder) -> dict[str, Study]:
    return read(folder, resamples=100)


@pytest.fixture(scope="module")
def answers(folder, studies) -> Answers:
    """Of all questions, with few draws, as they are read from the file."""
    found, a = facts(studies), studies["A"]
    whole = whole_halves(folder, a)
    for part in (
        answer_1(a, studies["B"]),
        answer_2(a, whole),
        answer_3(a),
        answer_4(a),
        answer_5(a),
        answer_6(a, studies["C"]),
    ):
        found.update(part)
    found.update(answer_8(a, subsets=10))
    found.update(replay(folder / STUDIES["A"], repetitions=3, strategies=["random", *reversed(PRIMARY)])[0])
    found.write(folder / "answers.csv")
    return Answers.read(folder / "answers.csv")


def numbers(text: str) -> set[str]:
    """Every number in words and tables; names of measures, links and headings have none to check."""
    text = re.sub(r"^#.*$|`[^`]*`|!?\[[^]]*\]\([^)]*\)|\d\. \[", " ", text, flags=re.MULTILINE)
    return set(re.findall(r"-?\d+(?:,\d{3})*(?:\.\d+)?%?", text))


def sayable(answers: Answers) -> set[str]:
    """Every way to say the numbers of some answers."""
    found = {part for name in answers.found for part in re.findall(r"(?<!\d)\d+%?", name)}
    for name, interval in answers.found.items():
        for value in (interval.point, interval.low, interval.high, answers.members[name]):
            if np.isfinite(value):
                signed = (value, -value)
                found |= {form.format(each) for each in signed for form in ("{:.2f}", "{:.0%}", "{:.1%}", "{:.2%}")}
                found |= {f"{round(value):,}", f"{value:.3f}"}
    return found


def test_every_number_that_is_said_is_among_the_answers(answers):
    text = page(answers, {name for _, name, _, _ in QUESTIONS.values()})
    assert numbers(text) - sayable(answers) == set()
    assert len(numbers(text)) > 100
    assert "nan" not in text
    assert max(map(len, re.sub(r"^\|.*$", "", text, flags=re.MULTILINE).splitlines())) <= 120


def test_numbers_that_nobody_computed_are_found_out(answers):
    text = page(answers, set()).replace("Spearman", "Spearman 0.12345", 1)
    assert numbers(text) - sayable(answers) == {"0.12345"}


def test_points_are_those_of_scipy(studies, answers):
    table = studies["A"].table
    truth = scores(table, "trained")[0]
    for half in ("fixed_decoder", "fixed_encoder"):
        rho = spearmanr(scores(table, half)[0], truth).statistic
        assert answers[f"1.{half}.spearman"].point == pytest.approx(rho, abs=1e-4)
    gap = (scores(table, "fixed_decoder")[0] - truth).mean()
    assert answers["2.fixed_decoder.less.trained.db"].point == pytest.approx(gap, abs=1e-3)
    first = table["architecture"].unique()[:20]
    rho = spearmanr(scores(table, "fixed_encoder")[0][first], truth[first]).statistic
    assert answers["2.whole.fixed_encoder.spearman"].point == pytest.approx(rho, abs=1e-4)
    assert answers["2.whole.networks"].point == 20
    again = scores(table, "trained").dropna()
    between = np.mean([spearmanr(again[a], again[b]).statistic for a, b in ((0, 1), (0, 2), (1, 2))])
    assert answers["5.training.reliability"].low < between < answers["5.training.reliability"].high


def test_seconds_are_those_of_a_quiet_machine(studies, answers):
    """Of what was timed again, by the median ratio of each measure; of what was not, its own."""
    table = studies["A"].table
    zen, trained = (table[table["measure"] == name] for name in ("zen", "trained"))
    factors = np.resize([0.5, 0.7, 0.6], len(trained))
    timed = pd.concat(
        [zen.iloc[:9].assign(seconds=zen["seconds"] * 2), trained.assign(seconds=trained["seconds"] * factors)]
    )
    found, ratios = at_quiet(table, timed)
    expected = table["measure"].map({"zen": 2.0, "trained": 0.6}).fillna(1.0)
    np.testing.assert_allclose(found["seconds"], table["seconds"] * expected)
    assert ratios["7.timed"] == Interval(pytest.approx(0.6), pytest.approx(0.5), pytest.approx(0.7))
    seconds = trained["seconds"].mean() / 2 * answers["7.trainings"].point
    assert answers["7.seconds"].point == pytest.approx(seconds, rel=1e-3)


def test_a_ceiling_comes_from_networks_that_were_not_chosen(studies):
    """The best quarter has further seeds because it is the best: of it no larger a share counts than of the rest."""
    study = studies["A"]
    good = sum(name in study.best for name in study.drawn)
    rest = len(study.drawn) - good
    assert good / len(study.best) == pytest.approx(rest / (len(study.whole) - len(study.best)), abs=0.5 / 9)


@pytest.mark.parametrize(
    ("decoder", "encoder", "words"),
    [
        (ABOVE, ABOVE, "**Yes, whichever half is fixed.**"),
        (NEITHER, NEITHER, "**That is not shown, whichever half is fixed.**"),
        (BELOW, BELOW, "**No: whichever half is fixed, it ranks against training.**"),
        (ABOVE, NEITHER, "**In part: `fixed_decoder` ranks as training does; `fixed_encoder` is not shown to rank as"),
        (BELOW, ABOVE, "**In part: `fixed_encoder` ranks as training does; `fixed_decoder` ranks against training.**"),
    ],
)
def test_the_first_answer_follows_from_its_intervals(answers, decoder, encoder, words):
    less = dict.fromkeys(["1.fixed_decoder.less.macs", "1.fixed_encoder.less.macs"], NEITHER)
    found = {"1.fixed_decoder.spearman": decoder, "1.fixed_encoder.spearman": encoder}
    changed = with_numbers(answers, less | found)
    assert said_1(changed).replace("\n", " ").startswith(words)


def test_what_ranks_worse_than_the_size_is_not_praised(answers):
    front = ("1.fixed_decoder", "1.fixed_encoder")
    found = {f"{half}.{what}": each for half in front for what, each in (("spearman", ABOVE), ("less.macs", BELOW))}
    changed = with_numbers(answers, found)
    assert (
        said_1(changed)
        .replace("\n", " ")
        .startswith("**Yes, whichever half is fixed, but worse than `macs` does, which is free.**")
    )
    assert "`macs`, which is free, ranks better: " in " ".join(passage(changed.answers, set()).split())


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (ABOVE, "Yes: .* are 0.50 dB .0.20, 0.80. better than"),
        (NEITHER, "That is not shown: .* by 0.10 dB .-0.20, 0.40."),
        (BELOW, "No: .* are 0.50 dB .0.20, 0.80. worse than"),
    ],
)
def test_the_primary_contrast_follows_from_its_interval(answers, found, words):
    judged = dict.fromkeys(["7.primary.judged_by.1", "7.primary.judged_by.2"], found)
    assert re.match(words, contrast(with_numbers(answers, {"7.primary": found, **judged})))


def test_nothing_is_concluded_where_the_trainings_that_judge_disagree(answers):
    assert {"7.primary.judged_by.1", "7.primary.judged_by.2"} <= answers.found.keys()
    judged = {"7.primary.judged_by.1": ABOVE, "7.primary.judged_by.2": BELOW}
    said = with_numbers(answers, {"7.primary": ABOVE, f"7.{PRIMARY[0]}.less.random": ABOVE, **judged})
    for text in (page(said.answers, set()), passage(said.answers, set())):
        text = " ".join(text.split())
        assert "Not shown: what `proxy:vote:macs+params+zen` finds for the same seconds differs" in text
        assert "by 0.50 dB [0.20, 0.80] by seed 1 alone and -0.50 dB [-0.80, -0.20] by seed 2 alone" in text
        assert "Yes: for the same seconds" not in text
    told = " ".join(page(said.answers, set()).split())
    assert "By that mean `proxy:vote:macs+params+zen` finds better ones than `random`" in told


def test_one_seed_judges_alone_where_several_did(folder, answers):
    """By another way: the table without the other seeds is the whole benchmark."""
    world = benchmark(folder / STUDIES["A"])
    timed, _ = at_quiet(world.table, read_published(folder / TIMED / "measurements.csv.gz"))
    own = replace(world, table=timed[(timed["measure"] != "trained") | (timed["seed"] != 2)].reset_index(drop=True))
    assert own.records.judgement.seeds == (1,)
    options = {"seconds": answers["7.seconds"].point, "repetitions": 3, "networks": int(answers["7.networks"].point)}
    one, other = (own.simulate(name, **options).at(options["seconds"]) for name in PRIMARY)
    assert answers["7.primary.judged_by.1"].point == pytest.approx((one - other).mean(), abs=1e-3)


def test_who_beats_halving_is_held_against_random_search_where_it_is_told_first(answers):
    judged = dict.fromkeys(["7.primary.judged_by.1", "7.primary.judged_by.2"], ABOVE)
    worse = with_numbers(answers, {"7.primary": ABOVE, f"7.{PRIMARY[0]}.less.random": BELOW, **judged})
    for text in (page(worse.answers, set()), passage(worse.answers, set())):
        said = " ".join(text.split())
        assert f"`{PRIMARY[0]}` finds worse ones than `random`, which trains one after the other (-0.50 dB" in said


def test_a_vote_is_confirmed_by_all_checks_at_both_seeds(answers):
    checks = [f"3.A.seed{seed}.{VOTE}.{check}" for seed in (0, 1) for check in confirming()]
    every = with_numbers(answers, dict.fromkeys(checks, ABOVE))
    assert confirmed(every, "A", VOTE) == "is confirmed"
    assert confirmed(with_numbers(every.answers, {checks[0]: NEITHER}), "A", VOTE) == "is confirmed at one seed of two"
    assert confirmed(with_numbers(every.answers, {checks[0]: BELOW}), "A", VOTE) == "is refuted"
    assert confirmed(with_numbers(every.answers, dict.fromkeys(checks, NEITHER)), "A", VOTE) == "is not confirmed"


def test_a_single_proxy_is_preferred_only_where_it_is_shown_beyond_its_choice(answers):
    front = next(f"3.A.nothing.best.{name}" for name in answers.below("3.A.nothing.best.")).removesuffix(".spearman")
    best, less, p = front.rpartition("best.")[2], f"{front}.less.{VOTE}", f"{front}.p"
    ranks = {f"3.A.seed0.{VOTE}.spearman": ABOVE}
    sure, luck = Interval(0.01), Interval(0.2)
    assert serves(with_numbers(answers, {**ranks, less: ABOVE, p: sure}), "A", "nothing") == best
    assert serves(with_numbers(answers, {**ranks, less: ABOVE, p: luck}), "A", "nothing") == VOTE
    assert serves(with_numbers(answers, {**ranks, less: NEITHER, p: sure}), "A", "nothing") == VOTE
    nothing = {f"3.A.seed0.{VOTE}.spearman": NEITHER, less: NEITHER, p: sure}
    assert serves(with_numbers(answers, nothing), "A", "nothing") is None


def test_what_is_not_known_is_said(answers):
    few = Answers()
    for name in answers.found:
        if name.startswith(("0.", "1.")):
            few.add(name, answers[name], answers.members[name])
    assert page(few, set()).count("**Not known yet:** the study that answers it has not been run.") == 7


def test_the_contrast_is_that_of_its_budget(answers):
    trainings = round(answers["7.trainings"].point)
    assert answers["7.primary"] == answers[f"7.primary.at.{trainings}"] == answers[f"7.{PRIMARY[0]}.less.halving"]


def test_without_a_study_it_says_so_and_writes_nothing(tmp_path):
    assert make(tmp_path, tmp_path / "README.md").startswith("No study is published in ")
    assert list(tmp_path.iterdir()) == []


def test_what_is_published_is_what_its_answers_say():
    """The page and the passage of README are made of `answers.csv`; without it neither says anything."""
    own = PASSAGE.search((ROOT / "README.md").read_text(encoding="utf-8"))
    assert own is not None
    if not (REFERENCE / "answers.csv").exists():
        assert own[0] == "".join(own.groups())
        assert not (REFERENCE / "README.md").exists()
        return
    answers = Answers.read(REFERENCE / "answers.csv")
    figures = {path.stem.partition("-")[2] for path in (REFERENCE / "figures").glob("*.png")}
    text = (REFERENCE / "README.md").read_text(encoding="utf-8")
    assert text == page(answers, figures)
    assert own[0].splitlines()[1:-1] == passage(answers, figures).splitlines()
    assert numbers(text) | numbers(own[0]) <= sayable(answers)


def test_what_is_published_is_what_its_tables_hold():
    """The numbers that are cheap to compute again, by other means than those that made them."""
    answers = Answers.read(REFERENCE / "answers.csv") if (REFERENCE / "answers.csv").exists() else Answers()
    for key, name in STUDIES.items():
        if f"0.{key}.networks" not in answers:
            continue
        table = read_published(REFERENCE / name / "measurements.csv.gz")
        assert answers[f"0.{key}.measured"].point == table["architecture"].nunique()
        done = table[table["state"] == "complete"]
        assert answers[f"0.{key}.trainings"].point == (done["measure"] == "trained").sum()
        if key == "A" and answers["0.A.networks"].point == answers["0.A.measured"].point:
            first = means(done[done["seed"] == 0])
            for proxy in ("fixed_decoder", "fixed_encoder", "macs"):
                rho = spearmanr(first[proxy], first["trained"]).statistic
                assert answers[f"1.{proxy}.spearman"].point == pytest.approx(rho, abs=1e-4)


def test_networks_for_further_training_seeds_are_those_drawn_first_and_the_best(tmp_path):
    study, new = tmp_path / "whole", tmp_path / "again"
    shutil.copytree(REFERENCE / "proxies", study)
    again(study, new, 10, "0,1")
    table, kept = (read_measurements(place / "measurements.csv") for place in (study, new))
    names, trained = table["architecture"].unique(), scores(table, "trained")[0]
    best = set(trained.nlargest(len(names) // 4).index)
    assert set(kept["architecture"]) == {*names[:10], *best}
    config = load_config(new)
    assert (config.trials, config.train_seeds, config.batches_of) == (len({*names[:10], *best}), (0, 1), "dev48")
    assert len(kept) == table["architecture"].isin(kept["architecture"]).sum()


@needs.shared("data", "popvoice")
def test_the_digests_are_those_of_the_corpus():
    known = pd.read_csv(REFERENCE / "corpus.csv")
    pd.testing.assert_frame_equal(digests(needs.SHARED / "data" / "popvoice"), known, check_dtype=False)
    assert known.groupby("subset")["track"].nunique().to_dict() == {"test": 16, "train": 48}


@pytest.mark.long
def test_made_twice_it_is_the_same(folder, tmp_path):
    """Every byte, figures among them; and what is published is what is made of its tables."""
    sources = [folder, *([REFERENCE] if (REFERENCE / "answers.csv").exists() else [])]
    for source in sources:
        made = []
        for number in range(2):
            place = tmp_path / f"{source.name}-{number}"
            for name in (*STUDIES.values(), WHOLE_HALVES, TIMED):
                if (source / name).exists():
                    shutil.copytree(source / name, place / name)
            top = place / "README"
            top.write_text("<!-- reference --><!-- /reference -->\n", encoding="utf-8")
            make(place, top)
            made.append({path.relative_to(place): path.read_bytes() for path in place.rglob("*") if path.is_file()})
        assert made[0] == made[1]
        if source == REFERENCE:
            for name in ("README.md", "answers.csv", "search.csv"):
                assert made[0][Path(name)] == (REFERENCE / name).read_bytes()


def with_numbers(answers: Answers, changed: dict[str, Interval]) -> Say:
    """Says answers of which some numbers are others."""
    return Say(Answers(answers.found | changed, answers.members | dict.fromkeys(changed, 1)))


def confirming() -> tuple[str, ...]:
    """What confirms a recommendation."""
    return ("spearman_less_macs", "given_sizes", "given_sizes_less_early")
