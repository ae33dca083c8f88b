"""What must be true of a search space: exact counts, uniform draws, Optuna's terms."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from randsearch.base.errors import UserError
from randsearch.models import sizing
from randsearch.models.architecture import Architecture
from randsearch.models.sizing import Signal
from randsearch.space import BoundSpace, Invalid, SearchSpace, counting, sampling
from randsearch.space.counting import points

optuna.logging.set_verbosity(optuna.logging.ERROR)

SIGNAL = Signal(sources=2, channels=1)
SAMPLE_RATE, SEGMENT = 8000, 2048

Holds = Callable[[Architecture, float, float], bool]


def bind(parameters: dict[str, Any], *constraints: str, segment: int = SEGMENT) -> BoundSpace:
    raw = {"description": "", "parameters": parameters, "constraints": list(constraints)}
    return SearchSpace.from_dict(raw, "s.yaml").bind(SIGNAL, SAMPLE_RATE, segment)


def every_architecture(parameters: dict[str, Any], segment: int = SEGMENT) -> Iterator[Architecture]:
    """All valid architectures from the raw mapping, written without a line of the package's own enumeration."""

    def extend(chosen: dict[str, Any], rest: list[tuple[str, Any]]) -> Iterator[dict[str, Any]]:
        if not rest:
            yield chosen
            return
        (name, entry), rest = rest[0], rest[1:]
        default = Architecture.model_fields[name].default
        if not isinstance(entry, dict):
            values = [entry]
        elif any(chosen[other] not in wanted for other, wanted in entry.get("when", {}).items()):
            values = [entry.get("else", default)]
        elif "choices" in entry:
            values = entry["choices"]
        elif "subset" in entry:
            levels = range(chosen["levels"])
            values = [c for size in range(chosen["levels"] + 1) for c in itertools.combinations(levels, size)]
        else:
            low, high = entry.get("int") or entry["log_int"]
            values = list(range(low, high + 1, entry.get("step", 1)))
        for value in values:
            yield from extend({**chosen, name: value}, rest)

    for options in extend({}, list(parameters.items())):
        try:
            architecture = Architecture(**options)
            sizing.check_depth(architecture, segment)
        except (ValueError, UserError):
            continue
        yield architecture


def brute_force(parameters: dict[str, Any], holds: Holds = lambda a, p, m: True, segment: int = SEGMENT) -> set[str]:
    found = set()
    for architecture in every_architecture(parameters, segment):
        size = sizing.lengths(architecture, segment)
        layers = sizing.convolutions(architecture, SIGNAL, size.input)
        used = [layer for layer in layers if not layer.name.startswith("auxiliary.")]
        macs = sizing.multiply_adds(used) * SAMPLE_RATE / size.output
        if holds(architecture, sum(sizing.parameters(layers).values()), macs):
            found.add(architecture.hash)
    return found


CONDITIONAL = {
    "levels": {"int": [2, 5]},
    "first_filters": {"int": [4, 10], "step": 3},
    "filter_increment": {"choices": [0, 4, 8], "when": {"levels": [2, 3]}, "else": 2},
    "encoder_kernel": {"choices": [5, 9], "when": {"filter_increment": [4, 2]}},
    "output": {"choices": ["direct", "difference"]},
    "skips": {"subset": "levels", "when": {"output": ["direct"]}},
    "activation": "relu",
}
DUPLICATES = {"levels": {"int": [1, 3]}, "skips": {"choices": ["all", "none", [0, 1], [0, 1, 2]]}}
SUBSETS = {
    "levels": {"int": [2, 6]},
    "first_filters": {"log_int": [4, 8]},
    "filter_increment": 2,
    "skips": {"subset": "levels"},
}
# Options that refuse each other, without a condition that keeps them apart.
REFUSALS = {
    "levels": {"int": [1, 3]},
    "first_filters": 2,
    "filter_increment": 1,
    "nested": {"choices": [False, True]},
    "deep_supervision": {"choices": [False, True]},
    "skips": {"subset": "levels"},
    "res_path": {"choices": ["none", "fixed"]},
    "fixed_encoder_levels": {"subset": "levels"},
    "fixed_decoder_levels": {"choices": ["none", "all"]},
    "remove_random": {"choices": [False, True], "when": {"res_path": ["none"]}},
}
REMOVALS = {
    "levels": {"int": [2, 3]},
    "first_filters": 4,
    "skips": {"subset": "levels"},
    "fixed_encoder_levels": {"subset": "levels"},
    "fixed_decoder_levels": {"choices": ["none", "all"]},
    "remove_random": {"choices": [False, True]},
}
CONTEXTS = {
    "levels": {"int": [1, 8]},
    "first_filters": 2,
    "filter_increment": 1,
    "encoder_kernel": {"choices": [1, 5]},
    "context": {"choices": [False, True]},
    "dilation": {"choices": [1, 3]},
    "skips": {"choices": ["all", "none"]},
}

SPACES: dict[str, tuple[dict[str, Any], tuple[str, ...], Holds]] = {
    "free": (CONDITIONAL, (), lambda a, p, m: True),
    "conditions and sizes": (
        CONDITIONAL,
        ("params <= 9000", "macs < 2e7"),
        lambda a, p, m: p <= 9000 and m < 2e7,
    ),
    "between two bounds": (
        SUBSETS,
        ("params <= 16000", "params >= 9000 + 500 * levels"),
        lambda a, p, m: 9000 + 500 * a.levels <= p <= 16000,
    ),
    "a bound that grows with skips": (SUBSETS, ("macs >= 16e6",), lambda a, p, m: m >= 16e6),
    "no monotone bound": (
        SUBSETS,
        ("9000 < params < 16000 or (0 in skips and not levels in [3, 4])",),
        lambda a, p, m: 9000 < p < 16000 or (a.has_skip(0) and a.levels not in (3, 4)),
    ),
    "refusals": (REFUSALS, (), lambda a, p, m: True),
    "refusals and sizes": (REFUSALS, ("300 <= params", "macs <= 2e6"), lambda a, p, m: p >= 300 and m <= 2e6),
    "levels that are removed": (
        REMOVALS,
        ("params <= 20000", "params >= 5000"),
        lambda a, p, m: 5000 <= p <= 20000,
    ),
    "contexts": (
        CONTEXTS,
        ("receptive_field >= 40", "macs < 1e7"),
        lambda a, p, m: sizing.receptive_field(a) >= 40 and m < 1e7,
    ),
    "written sets": (DUPLICATES, (), lambda a, p, m: True),
    "options": (
        CONDITIONAL,
        ("first_filters + filter_increment * levels <= 20", "output == 'direct' or levels % 2 == 0"),
        lambda a, p, m: a.filters(a.levels) <= 20 and (a.output == "direct" or a.levels % 2 == 0),
    ),
}


@pytest.mark.parametrize("name", SPACES)
def test_count_and_grid_equal_brute_force(name: str) -> None:
    parameters, constraints, holds = SPACES[name]
    expected = brute_force(parameters, holds)
    bound = bind(parameters, *constraints)
    hashes = [drawn.architecture.hash for drawn in bound.grid()]
    assert len(hashes) == len(set(hashes))
    assert set(hashes) == expected
    assert bound.count().exact
    assert bound.count().number == len(expected)
    assert hashes == [drawn.architecture.hash for drawn in bind(parameters, *constraints).grid()]


@pytest.mark.parametrize("name", SPACES)
def test_extremes_equal_brute_force(name: str) -> None:
    parameters, constraints, _ = SPACES[name]
    bound = bind(parameters, *constraints)
    sizes = [bound.sizes(drawn.architecture)["params"] for drawn in bound.grid()]
    extremes = bound.extremes()
    assert extremes.exact
    assert bound.sizes(extremes.smallest)["params"] == min(sizes)
    assert bound.sizes(extremes.largest)["params"] == max(sizes)


def test_networks_too_deep_for_the_segment_are_excluded() -> None:
    bound = bind(SUBSETS, segment=32)
    assert bound.count().number == len(brute_force(SUBSETS, segment=32))
    assert {drawn.architecture.levels for drawn in bound.grid()} == {2, 3, 4}
    assert {bound.draw(0, index).architecture.levels for index in range(50)} == {2, 3, 4}


def test_context_lifts_the_bound_on_depth() -> None:
    bound = bind(CONTEXTS, segment=32)
    assert bound.count().number == len(brute_force(CONTEXTS, segment=32))
    assert max(drawn.architecture.levels for drawn in bound.grid() if not drawn.architecture.context) == 4
    assert max(drawn.architecture.levels for drawn in bound.grid()) == 8


ODD_LEVELS = {**SUBSETS, "context": {"choices": [False, True], "when": {"first_filters": [4, 5]}}}


@pytest.mark.parametrize(
    ("parameters", "constraints", "holds"),
    [
        (CONDITIONAL, (), lambda a, p, m: True),
        (REFUSALS, (), lambda a, p, m: True),
        (REMOVALS, ("first_filters * levels > 8",), lambda a, p, m: a.first_filters * a.levels > 8),
        (CONTEXTS, (), lambda a, p, m: True),
        (ODD_LEVELS, ("levels % 2 == 1 or context",), lambda a, p, m: a.levels % 2 == 1 or a.context),
    ],
)
@pytest.mark.parametrize("segment", [16, 2048])
def test_closed_form_equals_brute_force(
    parameters: dict[str, Any], constraints: tuple[str, ...], holds: Holds, segment: int
) -> None:
    bound = bind(parameters, *constraints, segment=segment)
    expected = len(brute_force(parameters, holds, segment))
    assert counting.closed_form(bound.parameters, bound.constraints, bound._check) == expected


def test_a_value_that_some_company_allows_is_no_mistake() -> None:
    assert bind({**REMOVALS, "nested": {"choices": [False, True]}}).count().number


def test_points_in_closed_form_equal_brute_force() -> None:
    assert points(bind(CONDITIONAL).parameters) == len(list(every_architecture(CONDITIONAL)))


HUGE = {
    "levels": {"int": [2, 10]},
    "first_filters": {"int": [1, 512]},
    "filter_increment": {"int": [0, 200]},
    "encoder_kernel": {"int": [1, 63], "step": 2},
    "skips": {"subset": "levels"},
}
HUGE_NUMBER = sum(2**levels for levels in range(2, 11)) * 512 * 201 * 32


def test_count_of_a_huge_space_is_exact_if_nothing_constrains_it_and_else_says_at_most() -> None:
    assert str(bind(HUGE).count()) == f"{HUGE_NUMBER:,}"
    assert str(bind(HUGE, "params <= 2e6").count()) == f"at most {HUGE_NUMBER:,}"
    fitting = sum(2**levels for levels in range(2, 9)) * 512 * 201 * 32
    assert str(bind(HUGE, segment=512).count()) == f"{fitting:,}"
    sometimes = {"subset": "levels", "when": {"first_filters": list(range(1, 500))}, "else": [0, 3]}
    assert not bind({**HUGE, "skips": sometimes}).count().exact
    assert not bind(HUGE).extremes(samples=20).exact


def test_sizes_are_those_of_one_second() -> None:
    bound = bind({"levels": 2})
    architecture = Architecture.create({"levels": 2})
    layers = sizing.convolutions(architecture, SIGNAL, SAMPLE_RATE)
    assert bound.sizes(architecture)["params"] == sum(sizing.parameters(layers).values())
    assert bound.sizes(architecture)["macs"] == sizing.multiply_adds(layers)


def test_a_draw_depends_on_seed_and_index_alone() -> None:
    forwards = [bind(CONDITIONAL).draw(7, index) for index in range(30)]
    bound = bind(CONDITIONAL)
    backwards = [bound.draw(7, index) for index in reversed(range(30))]
    assert forwards == backwards[::-1]
    assert [drawn.architecture for drawn in forwards] != [bound.draw(8, index).architecture for index in range(30)]


def test_draws_leave_out_what_is_taken_until_the_space_is_used_up() -> None:
    parameters, constraints, holds = SPACES["conditions and sizes"]
    bound = bind(parameters, *constraints)
    taken: list[str] = []
    for index in range(bound.count().number):
        taken.append(bound.draw(3, index, taken).architecture.hash)
    assert set(taken) == brute_force(parameters, holds)
    with pytest.raises(UserError, match=f"s.yaml: the space is used up, all of its {len(taken)} valid"):
        bound.draw(3, len(taken), taken)


def test_rejection_and_enumeration_follow_one_law(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no attempt allowed every draw comes from the enumeration; it must be uniform given conditions as well."""
    bound = bind(CONDITIONAL)
    monkeypatch.setattr(sampling, "ATTEMPTS", 0)
    draws = [bound.draw(0, index) for index in range(400)]
    levels = Counter(drawn.architecture.levels for drawn in draws)
    assert chisquare([levels[value] for value in range(2, 6)]).pvalue > 1e-3


def test_draws_are_uniform_given_their_conditions() -> None:
    bound = bind(CONDITIONAL)
    draws: list[dict[str, Any]] = [dict(bound.draw(1, index).params) for index in range(4000)]

    def share(name: str, when: Callable[[Any], bool] = lambda params: True) -> list[int]:
        return list(Counter(params[name] for params in draws if when(params)).values())

    assert len(share("levels")) == 4
    assert chisquare(share("levels")).pvalue > 1e-3
    assert chisquare(share("first_filters")).pvalue > 1e-3
    assert chisquare(share("filter_increment", lambda p: "filter_increment" in p)).pvalue > 1e-3
    assert chisquare(share("skips.4", lambda p: "skips.4" in p)).pvalue > 1e-3
    assert all(("filter_increment" in params) == (params["levels"] <= 3) for params in draws)
    assert all(("skips.1" in params) == (params["output"] == "direct") for params in draws)


def test_log_integers_have_the_law_that_optuna_gives_them() -> None:
    bound = bind({"levels": 2, "first_filters": {"log_int": [4, 32]}})
    drawn: Counter[Any] = Counter(bound.draw(0, index).params["first_filters"] for index in range(4000))
    outcomes = dict(bound.parameters[1].domain.outcomes)
    assert math.isclose(sum(outcomes.values()), 1.0)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(0))
    theirs: Counter[Any] = Counter(study.ask().suggest_int("n", 4, 32, log=True) for _ in range(2000))
    for counts in (drawn, theirs):
        total = sum(counts.values())
        assert chisquare([counts[v] for v in outcomes], [share * total for share in outcomes.values()]).pvalue > 1e-3


def test_shares_add_up_to_how_often_a_parameter_is_drawn() -> None:
    shares = bind(CONDITIONAL).shares(samples=1000)
    assert list(shares["first_filters"]) == [4, 7, 10]
    assert math.isclose(sum(shares["levels"].values()), 1.0)
    assert abs(sum(shares["filter_increment"].values()) - 0.5) < 0.06
    assert abs(sum(shares["skips.4"].values()) - 0.125) < 0.04
    assert "activation" not in shares


@pytest.mark.parametrize("sampler", [optuna.samplers.RandomSampler(0), optuna.samplers.TPESampler(seed=0)])
def test_optuna_samplers_and_drawn_trials_share_one_study(sampler: optuna.samplers.BaseSampler) -> None:
    bound = bind(CONDITIONAL, "params <= 9000")
    study = optuna.create_study(sampler=sampler)
    for index in range(10):
        drawn = bound.draw(0, index)
        params = bound.sizes(drawn.architecture)["params"]
        study.add_trial(optuna.trial.create_trial(params=drawn.params, distributions=drawn.distributions, value=params))
        assert bound.suggest(optuna.trial.FixedTrial(drawn.params)) == drawn.architecture
    valid = 0
    for _ in range(30):
        trial = study.ask()
        found = bound.suggest(trial)
        assert all(trial.distributions[name] == bound._distributions[name.partition(".")[0]] for name in trial.params)
        if isinstance(found, Invalid):
            assert found.reason == "`params <= 9000` does not hold"
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            valid += 1
            study.tell(trial, bound.sizes(found)["params"])
    assert valid


@pytest.mark.parametrize("parameters", [CONDITIONAL, DUPLICATES, SUBSETS, HUGE])
def test_to_dict_is_taken_back(parameters: dict[str, Any]) -> None:
    raw = {"description": "why", "parameters": parameters, "constraints": ["params <= 1e9"]}
    space = SearchSpace.from_dict(raw)
    again = SearchSpace.from_dict(space.to_dict(), "elsewhere")
    assert again == space
    assert again.to_dict() == space.to_dict()


@st.composite
def spaces(draw: st.DrawFn) -> dict[str, Any]:
    """A random space: every kind of parameter, perhaps conditional."""
    low = draw(st.integers(1, 3))
    levels = {"int": [low, draw(st.integers(low, 4))]}
    outputs = draw(st.lists(st.sampled_from(["direct", "difference"]), min_size=1, unique=True))
    parameters: dict[str, Any] = {"levels": levels, "output": {"choices": outputs}}
    conditions: list[dict[str, Any]] = [{}, {"when": {"levels": [low]}}, {"when": {"output": [outputs[0]]}}]
    rest: dict[str, Any] = {
        "first_filters": {"log_int": [2, draw(st.integers(2, 6))]},
        "filter_increment": {"int": [0, draw(st.integers(0, 9))], "step": draw(st.integers(1, 4))},
        "encoder_kernel": {"choices": draw(st.lists(st.sampled_from([3, 5, 7]), min_size=1, unique=True))},
        "skips": draw(st.sampled_from([{"subset": "levels"}, {"choices": ["all", "none", [0], [1, 0]]}])),
    }
    for name in draw(st.permutations(list(rest)))[: draw(st.integers(0, 4))]:
        parameters[name] = rest[name] | draw(st.sampled_from(conditions))
    return parameters


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(parameters=spaces(), bound_on_params=st.integers(300, 40_000), bound_on_filters=st.integers(20, 200))
def test_every_draw_of_every_space_is_one_of_its_architectures(
    parameters: dict[str, Any], bound_on_params: int, bound_on_filters: int
) -> None:
    expected = brute_force(
        parameters,
        lambda a, p, m: p <= bound_on_params and a.first_filters + a.filter_increment * 2 <= bound_on_filters,
    )
    constraints = (f"params <= {bound_on_params}", f"first_filters + filter_increment * 2 <= {bound_on_filters}")
    if not expected:
        with pytest.raises(UserError, match="no architecture is valid"):
            bind(parameters, *constraints)
        return
    bound = bind(parameters, *constraints)
    assert bound.count().number == len(expected)
    assert {drawn.architecture.hash for drawn in bound.grid()} == expected
    for index in range(10):
        drawn = bound.draw(0, index)
        assert drawn.architecture.hash in expected
        assert bound.suggest(optuna.trial.FixedTrial(drawn.params)) == drawn.architecture


FIRST_DRAWS = {
    "counts": (
        {
            "levels": {"int": [1, 2]},
            "first_filters": {"int": [2, 4]},
            "filter_increment": 1,
            "encoder_kernel": {"choices": [3, 5]},
            "decoder_kernel": 3,
            "skips": {"subset": "levels"},
        },
        (),
        40,
        "ae02117c469352b2",
    ),
    "conditions": (
        {
            "levels": {"int": [1, 3]},
            "first_filters": {"int": [2, 4]},
            "nested": {"choices": [True, False]},
            "deep_supervision": {"choices": [True, False], "when": {"nested": True}},
            "res_path": {"choices": ["none", "trainable"]},
            "skips": {"subset": "levels"},
        },
        (),
        200,
        "1d864a71f2c848fa",
    ),
    "one in a thousand": (
        {
            "levels": {"int": [1, 6]},
            "first_filters": {"int": [1, 512]},
            "filter_increment": {"int": [0, 512]},
            "encoder_kernel": {"choices": [3, 5, 15]},
            "skips": {"subset": "levels"},
        },
        ("params <= 3e3", "first_filters <= 16"),
        6,
        "2cdcfc7af74e694f",
    ),
}


@pytest.mark.parametrize("name", FIRST_DRAWS)
def test_what_a_seed_draws_stays_what_it_was(name: str) -> None:
    """Studies are continued by later versions; these hashes are of the first that promised it."""
    parameters, constraints, number, expected = FIRST_DRAWS[name]
    raw = {"description": "", "parameters": parameters, "constraints": list(constraints)}
    space = SearchSpace.from_dict(raw, name).bind(Signal(), 1000, 256)
    taken: set[str] = set()
    drawn = []
    for index in range(number):
        try:
            found = space.draw(3, index, taken)
        except UserError:
            break
        taken.add(found.architecture.hash)
        drawn.append(found.architecture.hash + repr(sorted(found.params.items())))
    text = "\n".join(drawn)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == expected
