"""The effect of each option on training and on the proxy, side by side.

For an option with a few values, the effect of a value is the mean score of the architectures that have it less the mean
of those that do not. Both means come from the same architectures, those with a score for target and proxy, so that the
two effects can be compared: where they differ, the proxy misjudges the option. Options were drawn independently, so
that the others average out; what is left of them is in the interval.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from randsearch.table import means, parameters, replace_file

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = (
    *("option", "value", "n"),
    *("trained", "trained_low", "trained_high", "proxy", "proxy_low", "proxy_high"),
)
FEWEST = 3
"""An effect needs that many architectures with the value and as many without."""


def effects(
    table: pd.DataFrame, proxy: str, *, target: str = "trained", resamples: int = 2000, seed: int = 0
) -> pd.DataFrame:
    """Estimates what each value of each varied option does to the target's and to the proxy's score.

    Args:
        table: measurements.
        proxy: the primary proxy.
        target: what it is to predict.
        resamples: bootstrap resamples over architectures.
        seed: of the bootstrap.

    Returns:
        One row a value, in the order of the options: option, value, n (architectures that have it), and for `trained`
        and `proxy` the effect in the units of the score with a 95% percentile interval. Values held by fewer than 3
        architectures, or by all but 2, are left out, as is the second of two values: its effect is the first's negated.
    """
    scores = means(table).reindex(columns=[target, proxy]).dropna()
    options = table.drop_duplicates("architecture").set_index("architecture").loc[scores.index, parameters(table)]
    if scores.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    counts = np.random.default_rng(seed).multinomial(len(scores), np.full(len(scores), 1 / len(scores)), size=resamples)
    weights = np.vstack([np.ones(len(scores)), counts])
    rows = []
    for option in options.columns:
        values = sorted(options[option].unique(), key=lambda value: (isinstance(value, str), value))
        for value in values[:-1] if len(values) == 2 else values:
            has = (options[option] == value).to_numpy()
            if min(has.sum(), (~has).sum()) < FEWEST:
                continue
            row = {"option": option, "value": value, "n": int(has.sum())}
            for name, column in (("trained", target), ("proxy", proxy)):
                found = _difference(scores[column].to_numpy(dtype=float), has, weights)
                low, high = np.nanquantile(found[1:], [0.025, 0.975])
                row |= {name: found[0], f"{name}_low": low, f"{name}_high": high}
            rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _difference(
    scores: NDArray[np.float64], has: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean score with a value less the mean without it, for each row of weights; NaN where a side is empty."""
    with np.errstate(invalid="ignore"):
        with_it = weights[:, has] @ scores[has] / weights[:, has].sum(axis=1)
        without = weights[:, ~has] @ scores[~has] / weights[:, ~has].sum(axis=1)
    return np.asarray(with_it - without)


def write_effects(result: pd.DataFrame, folder: str | Path) -> None:
    """Writes `effects.csv` into a folder.

    Raises:
        UserError: the file cannot be written.
    """
    replace_file(Path(folder) / "effects.csv", result.to_csv(index=False, lineterminator="\n"))


def format_effects(result: pd.DataFrame, proxy: str) -> Table:
    """The effects as a table for the terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    view = Table(
        title="Effect of each option: mean score with it less without it",
        caption="brackets: 95% percentile bootstrap over architectures",
        caption_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    for heading in ("option", "value"):
        view.add_column(heading, no_wrap=True)
    for heading in ("n", "trained", proxy):
        view.add_column(heading, justify="right", no_wrap=True)
    for row in result.to_dict(orient="records"):
        cells = (f"{row[n]:+.2f} [{row[f'{n}_low']:.2f}, {row[f'{n}_high']:.2f}]" for n in ("trained", "proxy"))
        view.add_row(str(row["option"]), str(row["value"]), str(row["n"]), *cells)
    return view
