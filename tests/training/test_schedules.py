"""What must be true of schedules: they follow from the step and the validation losses so far, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from randsearch.training.schedules import schedule

NEVER_BETTER = [(10 * number, float(number)) for number in range(1, 200)]


def test_a_cosine_rises_stays_below_one_and_falls_to_nothing():
    rates = [schedule("cosine", 200).rate(step) for step in range(200)]
    assert rates[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert max(rates) == rates[10] == 1.0
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[105] == pytest.approx(0.5)
    assert 0 < rates[-1] < 1e-3


def test_a_constant_rate_is_that_of_any_longer_training():
    assert {schedule("constant", steps).rate(step) for steps in (1, 9) for step in range(9)} == {1.0}


@pytest.mark.parametrize(
    ("name", "rates", "batches"),
    [("plateau", (1.0, 0.3, 0.09, 0.027), {1}), ("jnet", (1.0, 0.1, 0.01), {1, 2}), ("constant", (1.0,), {1})],
)
def test_a_stage_lasts_until_patience_runs_out_and_the_training_with_the_last(name, rates, batches):
    made = schedule(name, 1000, patience=3)
    going = [over for over in made.course(NEVER_BETTER) if not made.ended(over)]
    # The first loss of each stage is its best so far, and three more are no better.
    assert [made.rate(0, over) for over in going] == [rate for rate in rates for _ in range(4)]
    assert {made.batch(over) for over in going} == batches
    assert made.restarts == (name == "jnet")


def test_without_patience_nothing_ends():
    made = schedule("plateau", 10)
    assert not made.ended(made.course(NEVER_BETTER)[-1])


@given(st.lists(st.floats(0, 1), max_size=60), st.integers(1, 5))
def test_the_course_of_a_training_does_not_depend_on_what_comes_after(losses, patience):
    told = list(enumerate(losses, 1))
    made = schedule("jnet", 100, patience=patience)
    whole = made.course(told)
    assert whole == sorted(whole)
    assert [made.course(told[:number])[-1] for number in range(len(told) + 1)] == whole
