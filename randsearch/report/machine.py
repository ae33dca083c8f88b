"""What a report says about the machine: how the study was measured, and where the report was written."""

import os
import platform
from collections import Counter
from importlib import metadata

import pandas as pd

_PACKAGES = ("randsearch", "torch", "optuna", "numpy", "scipy", "pandas", "matplotlib")


def measured_on(table: pd.DataFrame) -> list[str]:
    """Devices and threads of the complete measurements, with their number."""
    complete = table[table["state"] == "complete"]
    pairs = zip(complete["device"], complete["threads"], strict=True)
    groups = Counter((str(device), int(threads)) for device, threads in pairs)
    return [
        f"{device}, threads a worker: {threads}, measurements: {count}" for (device, threads), count in groups.items()
    ]


def versions() -> list[tuple[str, str]]:
    """Installed versions, found without importing the packages."""
    found = [("Python", platform.python_version())]
    for package in _PACKAGES:
        try:
            found.append((package, metadata.version(package)))
        except metadata.PackageNotFoundError:
            found.append((package, "not installed"))
    return found


def this_machine() -> str:
    """The machine on which the report is written, in words."""
    return f"{platform.system()} {platform.release()}, {platform.machine()}, processors: {os.cpu_count()}"
