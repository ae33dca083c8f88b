"""How votes are named: `vote:A+B+...` adds the ranks that proxies give (`randsearch.statistics.votes` says how)."""

from __future__ import annotations

from randsearch.base.errors import UserError

VOTE = "vote:"
"""How their names begin."""

AND = "+"
"""Between two parts of a name."""


def is_vote(name: str) -> bool:
    """Whether a measure is a vote of others, which nobody measures."""
    return name.startswith(VOTE)


def parts_of(name: str) -> tuple[str, ...]:
    """The proxies that a vote adds.

    Args:
        name: `vote:A+B+...`, or the same without `vote:`.

    Raises:
        UserError: fewer than two proxies are named, or one twice.
    """
    parts = tuple(part.strip() for part in name.removeprefix(VOTE).split(AND))
    twice = next((part for part in parts if parts.count(part) > 1), None)
    if len(parts) < 2 or not all(parts) or twice is not None:
        problem = f"{twice} is named twice" if twice else "a vote needs two proxies or more"
        raise UserError(f"{name}: {problem}; write for instance {VOTE}params+early.")
    return parts


def measured_for(name: str) -> tuple[str, ...]:
    """What is measured so that a proxy has a score: the parts of a vote, or the proxy itself.

    Raises:
        UserError: it is a vote and malformed.
    """
    return parts_of(name) if is_vote(name) else (name,)
