"""Numbers as they are written in sentences and tables."""

import math

from randsearch.statistics.interval import Interval


def format_interval(point: float, low: float, high: float) -> str:
    """For instance "0.71 [0.42, 0.87]"; "-" for what is not defined."""
    if math.isnan(point):
        return "-"
    return f"{point:.2f} " + ("[-, -]" if math.isnan(low) else f"[{low:.2f}, {high:.2f}]")


def worded(interval: Interval, unit: str = "") -> str:
    """An interval with its unit: "0.71 dB [0.42, 0.87]"."""
    text = format_interval(interval.point, interval.low, interval.high)
    return text.replace(" ", f" {unit} ", 1) if unit else text


def format_p(p: float) -> str:
    """A p-value to three places, or as "<0.001"."""
    if math.isnan(p):
        return "-"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def format_seconds(seconds: float) -> str:
    """Seconds, minutes or hours, whichever reads best."""
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.2g} {unit}" if seconds < 100 * length else f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.2g} s"
