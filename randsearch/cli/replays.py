"""The command that replays search strategies on a published table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from randsearch.base.errors import UserError
from randsearch.cli.commands import Commands
from randsearch.cli.options import make_console

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from randsearch.replay import Benchmark, Simulation

replays = Commands()

SHARE = 0.25
"""Of the seconds that training all networks takes: what strategies may spend unless told otherwise."""


@replays.command()
def replay(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="A benchmark that comes with randsearch, or the folder of a study.")
    ] = "popvoice-8k",
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="random, tpe, halving[:MEASURE] or proxy:MEASURE; may be repeated."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.001, help="Of compute; a quarter of training all networks by default.")
    ] = None,
    repetitions: Annotated[int, typer.Option(min=1, help="Searches of each strategy.")] = 200,
    networks: Annotated[int, typer.Option(min=1, help="Drawn at random for each search; the others are hidden.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="A PNG or SVG to write.")] = None,
) -> None:
    """Replays searches on measured networks, without training any.

    Says what each strategy finds for the same seconds, among networks drawn
    at random, and how sure that is.
    """
    from randsearch.replay import benchmark

    if plot is not None and plot.suffix not in (".png", ".svg"):
        raise UserError(f"{plot}: a plot is written as .png or .svg: give it one of these names.")
    found = benchmark(name)
    budget = SHARE * found.training_seconds(networks) if seconds is None else seconds

    def simulated(each: str) -> Simulation:
        return found.simulate(each, seconds=budget, repetitions=repetitions, networks=networks, seed=seed)

    asked = list(dict.fromkeys(strategy or ["random", "halving", "proxy:macs"]))
    simulations = {each: simulated(each) for each in asked}
    random = simulations.get("random") or simulated("random")
    console = make_console()
    console.print(_table(list(simulations.values()), random))
    for line in _footers(found, random):
        console.print(line, highlight=False, markup=False)
    if plot is not None:
        _draw(plot, list(simulations.values()), _footers(found, random))
        console.print(str(plot), highlight=False, markup=False)


def _table(simulations: Sequence[Simulation], random: Simulation) -> Table:
    """What each strategy finds, and how much sooner than random search."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from randsearch.replay import compare
    from randsearch.statistics.wording import format_interval, format_seconds

    first, budget = simulations[0], random.seconds
    view = Table(title=f"Found after {format_seconds(budget)}", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    view.add_column("strategy", overflow="fold", min_width=14)
    for heading in ("dB", f"less {first.strategy}", "better", "as good as random after"):
        view.add_column(heading, justify="right", overflow="fold")
    goal = float(random.at(budget).mean())
    for each in simulations:
        end, difference, after = each.curve([budget]).iloc[0], compare(each, first, budget), each.reaches(goal)
        less = (difference.mean.point, difference.mean.low, difference.mean.high)
        view.add_row(
            each.strategy,
            format_interval(end["judged"], end["low"], end["high"]),
            "-" if each is first else format_interval(*less),
            "-" if each is first else f"{difference.won:.0%}",
            "never" if after != after else format_seconds(after),
        )
    return view


def _footers(found: Benchmark, random: Simulation) -> list[str]:
    """How the table was made."""
    return [
        f"{random.repetitions} searches of each strategy, each among {random.networks} networks drawn of "
        f"{len(found.records.trainable)}; in brackets the middle 95% of searches",
        "of differences the 95% interval of the mean, over the same networks for both; better: in how many searches",
        *found.sentences()[1:],
    ]


def _draw(path: Path, simulations: Sequence[Simulation], footnotes: Sequence[str]) -> None:
    import pandas as pd

    from randsearch.base.files import replace_file
    from randsearch.plots.found_by_seconds import found_by_seconds
    from randsearch.plots.style import render

    curves = pd.concat([each.curve().assign(strategy=each.strategy) for each in simulations], ignore_index=True)
    replace_file(
        path, render(found_by_seconds(curves, footnotes[0].partition(";")[0], *footnotes[2:]), path.suffix[1:])
    )
