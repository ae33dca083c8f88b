"""The report of a study: one self-contained HTML file that needs no network, imports no torch and can be mailed."""

from randsearch.report.build import write_report

__all__ = ["write_report"]
