"""Question 7: does a search with a proxy find better networks for the same seconds?

Strategies are replayed by `randsearch.replay` on study A. The primary contrast, its strategies and its budget were
fixed before the study was run: `PRIMARY`, at the seconds that random search takes for `TRAININGS` whole trainings.
"""

from __future__ import annotations

BASIC = ("random", "tpe", "halving")
PRIMARY = ("halving:vote:macs+params+zen", "halving")
STRATEGIES = (
    *BASIC,
    *("proxy:vote:macs+params+zen", "proxy:fixed_decoder", "proxy:macs"),
    *(PRIMARY[0], "halving:fixed_decoder"),
)
TRAININGS, TIMES = 25, (5, 10, 25, 50)
