"""The command line as a process: `python -m randsearch` and the installed command; Ctrl-C never ends in a traceback."""

from __future__ import annotations

import signal
import sys


def run() -> None:
    """Runs the command line; its imports take long enough to be interrupted too."""
    try:
        from randsearch.base.stopping import interrupt

        signal.signal(signal.SIGINT, lambda _, frame: interrupt(frame))
        from randsearch.cli import main

        main()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    finally:
        # What follows is Python's own end, which could only complain of an exception.
        signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    run()
