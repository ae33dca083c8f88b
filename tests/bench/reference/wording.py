"""How a number is said, and what may be concluded of an interval: the same rules for every answer."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.reference.answers import Answers

from randsearch.statistics import Interval, format_interval
from randsearch.statistics.wording import format_p, worded

WIDTH = 118
BETTER = ("ranks better than", "is not shown to rank otherwise than", "ranks worse than")
"""Of two that are compared, by the sign of their difference; see `chosen`."""
RANKS: Mapping[int, str] = {
    1: "ranks as training does|rank as training does",
    0: "is not shown to rank as training does|are not shown to rank as training does",
    -1: "ranks against training|rank against training",
}
TELLS: Mapping[int, str] = {
    1: "tells which network trains better|tell which network trains better",
    0: "is not shown to tell which network trains better|are not shown to tell which network trains better",
    -1: "ranks against training|rank against training",
}
"""Of one, singular and plural, by the sign of its coefficient; see `grouped`."""


def sign(interval: Interval) -> int:
    """1 if an interval is above 0, -1 if below, 0 if it holds 0 or is not known."""
    return int(interval.low > 0) - int(interval.high < 0)


@dataclass(frozen=True)
class Say:
    """Says the numbers of some answers.

    Attributes:
        answers: as they were read.
    """

    answers: Answers

    def has(self, *names: str) -> bool:
        """Whether all of them are known."""
        return all(name in self.answers for name in names)

    def sign(self, name: str) -> int:
        """What may be concluded: 1 above 0, -1 below, 0 neither; 0 of what is not known."""
        return sign(self.answers[name]) if name in self.answers else 0

    def number(self, name: str) -> str:
        """With its interval: "0.55 [0.29, 0.73]", or "-"."""
        if name not in self.answers:
            return "-"
        found = self.answers[name]
        return format_interval(found.point, found.low, found.high)

    def db(self, name: str) -> str:
        """The same in dB."""
        return worded(self.answers[name], "dB") if name in self.answers else "-"

    def alone(self, name: str) -> str:
        """A number that has no interval, to two places."""
        return f"{self.answers[name].point:.2f}"

    def apart(self, name: str) -> str:
        """How far from 0 a difference is in dB, whichever way."""
        found = self.answers[name]
        if found.point >= 0:
            return worded(found, "dB")
        return worded(Interval(-found.point, -found.high, -found.low), "dB")

    def percent(self, name: str) -> str:
        """A share with its interval: "63% [60%, 66%]"."""
        if name not in self.answers:
            return "-"
        found = self.answers[name]
        # Adding 0 turns -0 into 0.
        value, low, high = (round(end, 2) + 0.0 for end in (found.point, found.low, found.high))
        return f"{value:.0%} [{low:.0%}, {high:.0%}]"

    def cost(self, name: str) -> str:
        """A share of a training, to two digits: "0.089%"; "0" of what costs nothing."""
        value = self.answers[name].point
        return f"{value:.2%}" if 0 < value < 0.01 else f"{value:.1%}" if value else "0"

    def count(self, name: str) -> str:
        """A whole number."""
        return f"{round(self.answers[name].point):,}"

    def p(self, name: str) -> str:
        """A p-value."""
        return format_p(self.answers[name].point)


def chosen(sign: int, above: str, neither: str, below: str) -> str:
    """The words for what may be concluded."""
    return {1: above, 0: neither, -1: below}[sign]


def listed(parts: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([*([", ".join(parts[:-1])] if parts[:-1] else []), *parts[-1:]])


def code(name: str) -> str:
    """A measure as Markdown shows it."""
    return f"`{name}`"


def paragraph(*sentences: str) -> str:
    """Sentences as one paragraph, in lines that are not too long; empty ones are left out."""
    text = " ".join(sentence for sentence in sentences if sentence)
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figure(number: int, name: str, caption: str) -> str:
    """A figure in Markdown."""
    return f"![{caption}](figures/{number}-{name}.png)"


def grouped(names: Iterable[str], signs: Mapping[str, int], words: Mapping[int, str]) -> str:
    """One clause for each conclusion that is drawn of some measures.

    Args:
        names: the measures.
        signs: what may be concluded of each.
        words: the verb of each conclusion, singular and plural separated by a bar, such as "ranks|rank".
    """
    clauses = []
    for value, verb in words.items():
        own = [code(name) for name in names if signs[name] == value]
        if own:
            one, several = verb.split("|")
            clauses.append(f"{listed(own)} {one if len(own) == 1 else several}")
    return "; ".join(clauses)
