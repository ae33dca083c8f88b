"""How far proxies agree with training, as an object that a notebook shows."""

from __future__ import annotations

import io
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from randsearch.statistics import Analysis, Verdict

WIDTH = 120
"""Characters of the table as text."""


@dataclass(frozen=True, repr=False, eq=False)
class Agreement:
    """What a table of measurements says about its proxies; a notebook shows the table and the verdict.

    Attributes:
        analysis: all statistics, with `differences`, `gaps`, `effects`, `curves`, `budgets` and `ceiling`.
        proxy: the primary proxy, which the verdict is about.

    Example:
        >>> import pandas as pd
        >>> import randsearch as rs
        >>> scores = {"size": [1, 2, 3, 4, 5, 6], "trained": [3.1, 3.0, 3.4, 3.9, 3.8, 4.2]}
        >>> found = rs.agreement(pd.DataFrame(scores), resamples=100)
        >>> print(round(found.frame.loc[0, "spearman"], 2))
        0.89
    """

    analysis: Analysis
    proxy: str

    @property
    def frame(self) -> pd.DataFrame:
        """One row a proxy, by falling Spearman: coefficients, the ends of their intervals, p, regret and cost."""
        return self.analysis.rows.copy()

    @cached_property
    def verdict(self) -> Verdict:
        """What the numbers mean, in words: `verdict.sentences()` lists them."""
        from randsearch.statistics import verdict

        return verdict(self.analysis, self.proxy)

    def __repr__(self) -> str:
        """The table and the verdict as text."""
        from rich.console import Console

        from randsearch.statistics import format_agreement

        text = io.StringIO()
        console = Console(file=text, width=WIDTH, force_terminal=False, force_jupyter=False)
        console.print(format_agreement(self.analysis.rows))
        lines = [line.rstrip() for line in text.getvalue().splitlines()]
        return "\n".join([*lines, *self.verdict.sentences()])

    def _repr_html_(self) -> str:
        from randsearch.statistics.output import agreement_cells, footers

        headings, rows = agreement_cells(self.analysis.rows)
        head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
        body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
        small = "<br>".join(map(escape, footers(self.analysis.rows)))
        bias = [f"<p><strong>{escape(self.verdict.bias)}</strong></p>"] if self.verdict.bias else []
        said = [
            f"<p><strong>{escape(title)}</strong><br>{escape(answer)}</p>" for title, answer in self.verdict.parts()
        ]
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        return f"<div>{table}<p><small>{small}</small></p>{''.join([*bias, *said])}</div>"


def agreement(
    frame: pd.DataFrame,
    *,
    target: str = "trained",
    proxy: str = "fixed_decoder",
    parameters: Collection[str] = (),
    resamples: int = 2000,
    votes: Sequence[str] = (),
) -> Agreement:
    """Says how far each measure of a table ranks architectures as the target does; the scores may be from elsewhere.

    Args:
        frame: wide, one row an architecture and one column a measure, or tidy, one row a measurement with the columns
            `architecture`, `measure` and `score`. Higher scores are better. A wide frame's index names its
            architectures, unless its first column does.
        target: the measure that the others are to predict.
        proxy: the one that the verdict is about; the best if it is not among the measures.
        parameters: columns of numbers that are parameters of the architecture and no measures; those that are called
            as an option of `Architecture` are so anyway.
        resamples: of the bootstrap.
        votes: sums of ranks that are compared too, such as `params+early`.

    Raises:
        UserError: the table cannot be understood, or lacks the target or a part of a vote.

    Example:
        >>> import pandas as pd
        >>> import randsearch as rs
        >>> scores = {"size": [1, 2, 3, 4, 5, 6], "trained": [3.1, 3.0, 3.4, 3.9, 3.8, 4.2]}
        >>> print(rs.agreement(pd.DataFrame(scores), resamples=100).verdict.proxy)
        size
    """
    from randsearch.statistics import analyse
    from randsearch.statistics.votes import with_votes
    from randsearch.table.foreign import from_frame

    # Whether scores from elsewhere are in dB is not known.
    table = with_votes(from_frame(frame, target, parameters), votes, target=target)
    found = analyse(table, target=target, resamples=resamples, unit="")
    return Agreement(found, proxy)
