"""Measures of a user's own: anybody's code, whose traces in its process the next measurement must not meet."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from randsearch.table.votes import is_vote

if TYPE_CHECKING:
    import torch

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGALRM") if hasattr(signal, name)]


def is_own(measure: str) -> bool:
    """Whether a measure is named by its place, as those are that are not in the registry."""
    return ":" in measure and not is_vote(measure)


@contextmanager
def unchanged() -> Iterator[None]:
    """Puts back what code within may leave changed: signals, the folder, warnings, output, settings of torch and numpy.

    Threads and random streams need no care: each measurement sets the former and brings the latter.
    """
    with ExitStack() as after:
        after.callback(_reopen_output)
        _keep_settings(after)
        after.callback(os.chdir, Path.cwd())
        after.enter_context(warnings.catch_warnings())
        if threading.current_thread() is threading.main_thread():  # Python allows handlers nowhere else
            for number in _SIGNALS:
                after.callback(signal.signal, number, signal.getsignal(number) or signal.SIG_DFL)
            if hasattr(signal, "alarm"):
                after.callback(signal.alarm, 0)
        yield


def _keep_settings(after: ExitStack) -> None:
    """Puts back the settings on which scores depend."""
    import numpy as np
    import torch

    after.callback(np.seterr, **np.geterr())
    after.callback(torch.set_default_dtype, torch.get_default_dtype())
    after.callback(torch.set_grad_enabled, torch.is_grad_enabled())
    after.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
    after.callback(
        torch.use_deterministic_algorithms,
        torch.are_deterministic_algorithms_enabled(),
        warn_only=torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    for name in ("enabled", "benchmark", "deterministic", "allow_tf32"):
        after.callback(setattr, torch.backends.cudnn, name, getattr(torch.backends.cudnn, name))
    after.callback(_restore_device, torch.get_default_device())


def _restore_device(device: torch.device) -> None:
    import torch

    if torch.get_default_device() != device:  # To set it in vain would slow down every later call.
        torch.set_default_device(device)


def _reopen_output() -> None:
    """Where the output was closed, the next file to be opened would get its number, and all that is printed."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_WRONLY)
        if getattr(sys, name) is None or getattr(sys, name).closed:
            setattr(sys, name, open(number, "w", closefd=False))  # noqa: SIM115
