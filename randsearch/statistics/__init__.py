"""How far each proxy ranks architectures as their training does, with the uncertainty of saying so.

One idea a file: `correlations` of many resamples at once, `interval` (what is resampled, and what for), `permutation`
p-values, the noise `ceiling`, agreement among the best (`best_only`, `among_good`), `partial` correlations,
`differences` between measures, `choice` (regret and recall) and its `curves`, the `best_so_far` for the seconds spent,
`effects` of parameters, `votes`, `ensembles` and curves carried on (`extrapolation`); `proxy_rows` and `analysis` put
them together, `claims` tests what may be said of them and `verdict` says it in words, `output` prints and writes,
`planning` and `transfer` look beyond one study.
"""

from randsearch.statistics.analysis import Analysis, Settings, agreement, analyse, settings
from randsearch.statistics.ceiling import Ceiling
from randsearch.statistics.choice import TOP
from randsearch.statistics.differences import CONTROL, TRIVIAL, Difference, Gap
from randsearch.statistics.effects import EFFECT_COLUMNS, Effect, effects_frame, format_effects, write_effects
from randsearch.statistics.interval import FEWEST_FOR_COEFFICIENT, FEWEST_FOR_INTERVAL, LEVEL, Interval
from randsearch.statistics.output import (
    format_agreement,
    format_details,
    format_interval,
    format_p,
    notes,
    write_agreement,
)
from randsearch.statistics.planning import Plan, plan
from randsearch.statistics.proxy_rows import COEFFICIENTS, COLUMNS
from randsearch.statistics.transfer import Comparison, Transfer, compare
from randsearch.statistics.verdict import PRIMARY, Verdict, headline, spoken_of, verdict

__all__ = [
    "COEFFICIENTS",
    "COLUMNS",
    "CONTROL",
    "EFFECT_COLUMNS",
    "FEWEST_FOR_COEFFICIENT",
    "FEWEST_FOR_INTERVAL",
    "LEVEL",
    "PRIMARY",
    "TOP",
    "TRIVIAL",
    "Analysis",
    "Ceiling",
    "Comparison",
    "Difference",
    "Effect",
    "Gap",
    "Interval",
    "Plan",
    "Settings",
    "Transfer",
    "Verdict",
    "agreement",
    "analyse",
    "compare",
    "effects_frame",
    "format_agreement",
    "format_details",
    "format_effects",
    "format_interval",
    "format_p",
    "headline",
    "notes",
    "plan",
    "settings",
    "spoken_of",
    "verdict",
    "write_agreement",
    "write_effects",
]
