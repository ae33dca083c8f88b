"""What must be true of schedules: they follow from the step and the validation losses so far, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from randsearch.training.schedules import schedule

NEVER_BETTER = [(10 * number, float(number)) for number in range(1, 200)]


def test_a_cosine_rises_stays_below_one_and_falls_to_nothing():
    rates = [schedule("cosine", 200).rate(step, []) for step in range(200)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert max(rates) == rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[105] == pytest.approx(0.5)
    assert 0 < rates[-1] < 1e-3


def test_a_constant_rate_is_that_of_any_longer_training():
    assert {schedule("constant", steps).rate(step, []) for steps in (1, 9) for step in range(9)} == {1.0}


@pytest.mark.parametrize(
    ("name", "rates", "batches"),
    [("plateau", (1.0, 0.3, 0.09, 0.027), {1}), ("jnet", (1.0, 0.1, 0.01), {1, 2}), ("constant", (1.0,), {1})],
)
def test_a_stage_lasts_until_patience_runs_out_and_the_training_with_the_last(name, rates, batches):
    made = schedule(name, 1000, patience=3)
    seen, used, validations = [], set(), 0
    while not made.ended(NEVER_BETTER[:validations]):
        seen.append(made.rate(0, NEVER_BETTER[:validations]))
        used.add(made.batch(NEVER_BETTER[:validations]))
        validations += 1
    # The first loss of each stage is its best so far, and three more are no better.
    assert seen == [rate for rate in rates for _ in range(4)]
    assert used == batches
    starts = [number for number in range(1, validations) if made.restarts_at(NEVER_BETTER[:number])]
    assert starts == ([4, 8] if name == "jnet" else [])


def test_without_patience_nothing_ends():
    assert not schedule("plateau", 10).ended(NEVER_BETTER)


def test_what_lies_before_its_beginning_is_nothing_to_it():
    later, fresh = schedule("cosine", 100, begins=500), schedule("cosine", 100)
    assert [later.rate(500 + step, []) for step in range(100)] == [fresh.rate(step, []) for step in range(100)]
    assert not schedule("constant", 100, patience=3, begins=1000).ended(NEVER_BETTER[:100])
    assert schedule("constant", 100, patience=3, begins=1000).ended(NEVER_BETTER[:104])


@given(st.lists(st.floats(0, 1), max_size=60), st.integers(1, 5))
def test_what_is_over_stays_over(losses, patience):
    told = list(enumerate(losses, 1))
    made = schedule("jnet", 100, patience=patience)
    rates = [made.rate(0, told[:number]) for number in range(len(told) + 1)]
    assert rates == sorted(rates, reverse=True)
    ended = [made.ended(told[:number]) for number in range(len(told) + 1)]
    assert ended == sorted(ended)
