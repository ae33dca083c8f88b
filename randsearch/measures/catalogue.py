"""The registry: every measure by name. A new proxy is one function and one entry here; nothing else changes.

Functions are named by their place and imported when they run, so that reading the registry does not import torch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from randsearch.base.errors import UserError
from randsearch.measures import costs
from randsearch.measures.contract import Lazy, Measure, Setting
from randsearch.measures.own import is_own
from randsearch.models.architecture import Architecture, Half


def _at(place: str) -> Lazy:
    return Lazy(f"randsearch.measures.{place}", shipped=True)


def _on_batches(place: str, needs: str, source: str, steps: float, sign: str = "+") -> Measure:
    """A measure at fresh random weights that costs so many training steps on `proxy_batch` crops."""
    return Measure(_at(place), needs, source, f"{steps:.1g}", partial(costs.batch_cost, steps=steps), sign=sign)


def _half_fixed(half: Half) -> Measure:
    """A J-Net proxy: a short training with a half at random weights."""
    cost = partial(costs.proxy_cost, half=half)
    place = _at(f"trained:fixed_{half}")
    return Measure(place, "short training", "J-Net 1911.12926", "proxy_steps", cost, fixes=half, trains=True)


def _stronger(half: Half, kind: str, source: str, cost: Callable[..., float]) -> Measure:
    """A J-Net proxy with a random half, or an output, of another kind."""
    place, steps = _at(f"halves:fixed_{half}_{kind}"), "proxy_steps"
    return Measure(place, "short training", source, steps, partial(cost, half=half), fixes=half)


def _losses(place: str) -> Measure:
    """A measure of the losses of a short training."""
    cost = partial(costs.proxy_cost, half="none")
    return Measure(_at(place), "short training", "Ru 2006.04492", "proxy_steps", cost, sign="-")


def _solved(place: str, cost: Callable[[Setting, Architecture], float] = costs.readout_cost) -> Measure:
    """A measure of a random network whose output is solved for."""
    steps = costs.READOUT_DRAWS * costs.READOUT_BATCHES * costs.FORWARD
    return Measure(_at(place), "forward, solve", "cf. Saxe et al. 2011", f"{steps:.2g}", cost)


STRONGER: dict[str, tuple[str, Callable[..., float]]] = {
    "calibrated": ("cf. LSUV 1511.06422", costs.calibrated_cost),
    "he": ("He 1502.01852", costs.proxy_cost),
    "delta": ("Xiao 1806.05393", costs.proxy_cost),
    "shared": ("3 draws share a training", costs.proxy_cost),
    "averaged": ("mean of 3 short trainings", costs.averaged_cost),
    "solved": ("output by ridge", costs.solved_cost),
}
"""Kinds of stronger fixed halves: their source, and what they cost."""

MEASURES: dict[str, Measure] = {
    "trained": Measure(_at("trained:trained"), "training", "the truth", "steps", costs.trained_cost, trains=True),
    "fixed_decoder": _half_fixed("decoder"),
    "fixed_encoder": _half_fixed("encoder"),
    "early": Measure(
        _at("trained:early"),
        "short training",
        "equal-cost control",
        "equal cost",
        costs.early_cost,
        trains=True,
    ),
    "sotl": _losses("trained:sotl"),
    "sotl_e": _losses("trained:sotl_e"),
    **{
        f"fixed_{half}_{kind}": _stronger(half, kind, *facts)
        for kind, facts in STRONGER.items()
        for half in ("decoder", "encoder")
    },
    "early_averaged": Measure(
        _at("halves:early_averaged"),
        "short training",
        "control of averaging",
        "proxy_steps",
        partial(costs.averaged_cost, half="none"),
    ),
    "affine": Measure(
        _at("affine:affine"), "short training", "cf. Frankle 2003.00152", "proxy_steps", costs.affine_cost
    ),
    "readout": _solved("readout:readout"),
    "readout_last": _solved("readout:readout_last"),
    "readout_decoder": _solved("levels:readout_decoder", partial(costs.levels_cost, side="decoder")),
    "readout_encoder": _solved("levels:readout_encoder", partial(costs.levels_cost, side="encoder")),
    "linearised": Measure(
        _at("linearised:linearised"),
        "forward, solve",
        "cf. Jacot 1806.07572",
        f"from {costs.TANGENT_BATCHES * costs.FORWARD:.2g}",
        costs.linearised_cost,
    ),
    "params": Measure(_at("sizes:params"), "nothing", "baseline", seeded=False),
    "macs": Measure(_at("sizes:macs"), "nothing", "baseline", seeded=False),
    "receptive_field": Measure(_at("sizes:receptive_field"), "nothing", "baseline", seeded=False),
    "l2_norm": Measure(_at("gradients:l2_norm"), "weights", "Abdelfattah 2101.08134"),
    "grad_norm": _on_batches("gradients:grad_norm", "1 batch", "Abdelfattah 2101.08134", 1, "log"),
    "snip": _on_batches("gradients:snip", "1 batch", "Lee 1810.02340", 1, "log"),
    "grasp": _on_batches("gradients:grasp", "1 batch, Hessian", "Wang 2002.07376", 3, "-"),
    "fisher": _on_batches("gradients:fisher", "1 batch", "Turner 1906.04113", 1, "log"),
    "zico": _on_batches("gradients:zico", f"{costs.ZICO_BATCHES} batches", "Li 2301.11300", costs.ZICO_BATCHES),
    "synflow": Measure(
        _at("synflow:synflow"),
        "a crop of ones",
        "Tanaka 2006.05467",
        "1 crop",
        partial(costs.crop_cost, steps=1.0),
        sign="log",
    ),
    "jacob_cov": _on_batches("kernels:jacob_cov", "1 batch", "Mellor 2006.04647v1", 2 * costs.FORWARD),
    "nwot": _on_batches("kernels:nwot", "1 batch, forward", "Mellor 2006.04647v3", costs.FORWARD),
    "zen": _on_batches("zen:zen", "noise, forward", "Lin 2102.01063", 2 * costs.FORWARD),
}


def find(name: str) -> Measure:
    """The measure of that name: of the registry, or a user's own `package.module:function`.

    Raises:
        UserError: there is none.
    """
    if is_own(name):
        return Measure(Lazy(name), needs="?", source=name, steps="?")
    try:
        return MEASURES[name]
    except KeyError:
        raise UserError(
            f"there is no measure {name}: choose from {', '.join(MEASURES)}, or name one of your own "
            "as package.module:function."
        ) from None
