"""Tables of measurements whose truth is known: each architecture has a quality, and each measure adds its own noise."""

import hashlib
import json
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from randsearch.statistics.best_so_far import make_best_so_far
from randsearch.statistics.proxy_rows import Board

PROXIES = {"fixed_decoder": 0.5, "fixed_encoder": 1.2, "early": 0.7, "params": 2.0}
"""The noise of each proxy, in standard deviations of the quality."""

MANY_PROXIES = {f"proxy_{i:02d}": 0.2 + 0.3 * i for i in range(11)} | PROXIES

_SECONDS = {f"proxy_{i:02d}": 0.4 + 0.1 * (i % 3) * i for i in range(11)} | {
    "trained": 120.0,
    "fixed_decoder": 30.0,
    "fixed_encoder": 24.0,
    "early": 25.0,
    "params": 2e-4,
}
_LOSS_DB = {"fixed_decoder": 1.5, "fixed_encoder": 2.5, "early": 1.0}


def make_table(
    architectures: int = 24,
    *,
    proxies: Mapping[str, float] = PROXIES,
    seeds: Iterable[int] = (0,),
    seed_noise: float = 0.0,
    failed: Iterable[tuple[int, str]] = (),
    rng_seed: int = 0,
) -> pd.DataFrame:
    """Measurements of `trained` (the quality itself) and of the proxies (the quality and noise), in the long form.

    Args:
        architectures: How many.
        proxies: Standard deviation of each proxy's noise over that of the quality; the same at all seeds.
        seeds: The measurement seeds.
        seed_noise: Standard deviation of the noise that differs between seeds, of every measure.
        failed: (index of the architecture, measure) pairs of which all seeds fail.
        rng_seed: Seed of it all.
    """
    rng = np.random.default_rng(rng_seed)
    quality = rng.normal(size=architectures)
    lost = set(failed)
    rows = []
    for measure, noise in ({"trained": 0.0} | dict(proxies)).items():
        own = quality + noise * rng.normal(size=architectures)
        is_size = measure == "params"
        for i in range(architectures):
            level = 6.0 - _LOSS_DB.get(measure, 0.0)
            for seed in seeds:
                score = own[i] + seed_noise * rng.normal()
                fails = (i, measure) in lost
                rows.append(
                    {
                        "architecture": hashlib.sha256(str(i).encode()).hexdigest()[:12],
                        "measure": measure,
                        "seed": seed,
                        "score": np.nan if fails else (1e5 * 2 ** own[i] if is_size else level + 0.8 * score),
                        "baseline": np.nan if is_size else 3.1,
                        "seconds": _SECONDS.get(measure, 0.5) * rng.uniform(0.8, 1.2),
                        "steps": 0 if is_size else 400,
                        "state": "failed" if fails else "complete",
                        "reason": "diverged, at step 12" if fails else "",
                        "levels": 3 + i % 4,
                        "filters": 8.5 + i,
                        "skips": f"{i % 8:03b}",
                        "gated": i % 2 == 0,
                        "multiply_adds": 0.0 if is_size else 1e9 * rng.uniform(1, 2),
                        "validation_seconds": 0.1,
                        "data_seconds": 0.01,
                        "threads": 1,
                        "device": "cpu",
                        "curve": "[]"
                        if is_size or fails
                        else _curve(level + 0.8 * score, 400 if measure == "trained" else 100),
                    }
                )
    return pd.DataFrame(rows)


def _curve(score: float, steps: int) -> str:
    """A curve of four validations that rises to the score."""
    return json.dumps([[steps * i // 4, round(float(score) - 3.0 * 0.4**i, 3)] for i in range(1, 5)])


def make_curves(table: pd.DataFrame) -> pd.DataFrame:
    """Regret and recall curves in the form that an analysis gives them; their numbers are made up."""
    proxies = [measure for measure in table["measure"].unique() if measure != "trained"]
    pool = table["architecture"].nunique()
    rows = []
    for place, proxy in enumerate(proxies):
        for trained in range(1, pool + 1):
            share = trained / pool
            regret, recall = 1.2 * (1 - share) ** (5 - place % 4), share ** (0.3 + 0.1 * (place % 4))
            rows.append(
                {"proxy": proxy, "trained": trained, "seconds": 60.0 * trained}
                | {"regret_db": regret, "regret_db_low": 0.6 * regret, "regret_db_high": 1.5 * regret}
                | {"recall": recall, "recall_low": 0.8 * recall, "recall_high": min(1.0, 1.1 * recall)}
                | {"random_regret_db": 1.5 * (1 - share), "random_recall": share}
            )
    return pd.DataFrame(rows)


def make_effects(parameters: int = 9) -> pd.DataFrame:
    """Effects of parameters in the form that an analysis gives them; their numbers are made up."""
    rng = np.random.default_rng(0)
    rows = []
    for proxy in ("fixed_decoder", "fixed_encoder"):
        for i in range(parameters):
            trained, by_proxy = rng.uniform(-0.6, 0.6, 2)
            rows.append(
                {"proxy": proxy, "parameter": f"parameter_{i}", "value": "leaky_relu" if i % 3 == 0 else ""}
                | {"trained": trained, "trained_low": trained - 0.2, "trained_high": trained + 0.2}
                | {"by_proxy": by_proxy, "by_proxy_low": by_proxy - 0.2, "by_proxy_high": by_proxy + 0.2}
                | {"sure": abs(by_proxy - trained) > 0.5}
            )
    return pd.DataFrame(rows)


def make_segments(architecture: str, segments: int = 200) -> pd.DataFrame:
    """The SDR of segments with the long lower tail that real ones have, and a perfect one."""
    rng = np.random.default_rng(0)
    parts = []
    for measure, level in {"trained": 6.0, "fixed_decoder": 5.0, "fixed_encoder": 3.5}.items():
        for source, offset in {"accompaniment": 6.0, "vocals": 0.0}.items():
            sdr = level + offset + 2 * rng.standard_normal(segments) - rng.exponential(2.0, segments)
            sdr[0] = np.inf
            parts.append(
                pd.DataFrame(
                    {"architecture": architecture, "measure": measure, "seed": 0, "source": source, "sdr": sdr}
                )
            )
    return pd.concat(parts, ignore_index=True)


def make_data(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What the plots need beside the table, by the plot's name."""
    return {
        "regret_recall": make_curves(table),
        "best_so_far": make_best_so_far(Board.of(table, "trained", 1, 0), table, None, None),
        "effects": make_effects(),
        "segments": make_segments(table["architecture"].iloc[0]),
    }
