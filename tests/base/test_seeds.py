"""What must be true of random streams: named, distinct, the same on every machine."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from randsearch.base.seeds import derive

NAMES = st.lists(st.one_of(st.integers(), st.from_regex(r"[a-z_]{0,8}", fullmatch=True)), min_size=1, max_size=5)


def test_the_seed_of_a_name_never_changes():
    # `printf 'weights\x1f0123abcd\x1ftrained\x1f0' | sha256sum`, its first 16 digits, halved
    assert derive("weights", "0123abcd", "trained", 0) == 0x6B7941D1D87F6AFC >> 1


@given(NAMES, NAMES)
def test_different_names_have_different_seeds(first, second):
    same = [str(name) for name in first] == [str(name) for name in second]
    assert (derive(*first) == derive(*second)) == same


def test_names_do_not_run_into_each_other():
    assert derive("ab", "c") != derive("a", "bc")


@given(NAMES)
def test_seeds_fit_into_what_generators_take(names):
    assert 0 <= derive(*names) < 2**63
