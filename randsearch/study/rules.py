"""The rules by which scores are made: a number, and the version of this package that goes by it.

What changes scores (an initialisation, a draw of crops, a default schedule, a forward pass) takes a new number. A study
of other rules is read like any: looked at, analysed, compared, plotted, reported. To go on with it would mix scores of
two kinds, and its weights are those of networks that compute otherwise, so that both take the version of its rules.
"""

from __future__ import annotations

from randsearch.base.errors import UserError

VERSIONS = {1: "0.1", 2: "0.2"}
"""The rules that there have been, and the first series of versions that went by each."""

RULES = max(VERSIONS)
"""Those of this version."""


def made_by(rules: int) -> str:
    """The randsearch that goes by some rules, in words."""
    return f"randsearch {VERSIONS[rules]}" if rules in VERSIONS else "a later randsearch"


def check_continues(study: str, rules: int) -> None:
    """Refuses to go on with a study of other rules.

    Args:
        study: its name.
        rules: by which it was made.

    Raises:
        UserError: they are not those of this version.
    """
    if rules != RULES:
        raise UserError(
            f"the study {study} was made by the rules of {made_by(rules)} and would mix scores of two kinds if it went "
            f"on: {_install(rules)} to continue it, or start another --study."
        )


def check_weights(study: str, rules: int) -> None:
    """Refuses to use the weights of a study of other rules.

    Args:
        study: its name.
        rules: by which it was made.

    Raises:
        UserError: they are not those of this version.
    """
    if rules != RULES:
        raise UserError(
            f"the study {study} was made by the rules of {made_by(rules)}, whose networks may compute otherwise than "
            f"those of this version: {_install(rules)} to use its weights."
        )


def remark(rules: int) -> str | None:
    """What who looks at a study must know of its rules; None where they are those of this version."""
    if rules == RULES:
        return None
    return f"made by the rules of {made_by(rules)}: {_install(rules)} to continue it or to use its weights"


def _install(rules: int) -> str:
    if rules in VERSIONS:
        return f'install that version with `pip install "randsearch=={VERSIONS[rules]}.*"`'
    return "install the latest version with `pip install --upgrade randsearch`"
