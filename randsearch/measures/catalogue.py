"""The registry: every measure by name. A new proxy is one function and one entry here; nothing else changes.

Functions are named by their place and imported when they run, so that reading the registry does not import torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from randsearch.base.errors import UserError
from randsearch.measures import costs
from randsearch.measures.contract import Group, Lazy, Measure, Setting
from randsearch.measures.own import is_own
from randsearch.models.architecture import Architecture, Half


def _at(place: str) -> Lazy:
    return Lazy(f"randsearch.measures.{place}", shipped=True)


_SHORT = partial(Measure, group="short", normalised="mean")
"""A short training, or what is solved for without one, on the data."""


def _on_batches(place: str, needs: str, source: str, steps: float, sign: str = "+", differs: str = "") -> Measure:
    """A measure at fresh random weights that costs so many training steps on `proxy_batch` crops."""
    cost = partial(costs.batch_cost, steps=steps)
    return Measure(_at(place), needs, source, f"{steps:.1g}", cost, sign=sign, normalised="batch", differs=differs)


def _half_fixed(half: Half) -> Measure:
    """A J-Net proxy: a short training with a half at random weights."""
    cost = partial(costs.proxy_cost, half=half)
    place = _at(f"trained:fixed_{half}")
    return _SHORT(place, "short training", "J-Net 1911.12926", "proxy_steps", cost, fixes=half, trains=True)


def _stronger(half: Half, kind: str, source: str, cost: Callable[..., float]) -> Measure:
    """A J-Net proxy with a random half, or an output, of another kind."""
    place, steps = _at(f"halves:fixed_{half}_{kind}"), "proxy_steps"
    return _SHORT(place, "short training", source, steps, partial(cost, half=half), fixes=half, group="halves")


def _losses(place: str) -> Measure:
    """A measure of the losses of a short training."""
    cost = partial(costs.proxy_cost, half="none")
    return _SHORT(_at(place), "short training", "Ru 2006.04492", "proxy_steps", cost, sign="-", normalised="batch")


def _solved(place: str, cost: Callable[[Setting, Architecture], float] = costs.readout_cost) -> Measure:
    """A measure of a random network whose output is solved for."""
    steps = costs.READOUT_DRAWS * costs.READOUT_BATCHES * costs.FORWARD
    return _SHORT(_at(place), "forward, solve", "cf. Saxe et al. 2011", f"{steps:.2g}", cost)


ALL: tuple[Group, ...] = ("cheap", "short")
"""The groups that `all` takes. The variants of fixed halves would take thrice as long as these together."""
GROUPS: tuple[Group, ...] = (*ALL, "halves")
"""Names of many measures at once."""

STRONGER: dict[str, tuple[str, Callable[..., float]]] = {
    "calibrated": ("cf. LSUV 1511.06422", costs.calibrated_cost),
    "he": ("He 1502.01852", costs.proxy_cost),
    "delta": ("Xiao 1806.05393", costs.proxy_cost),
    "shared": ("3 draws, 1 training", costs.proxy_cost),
    "averaged": ("mean of 3 trainings", costs.averaged_cost),
    "solved": ("output by ridge", costs.solved_cost),
}
"""Kinds of stronger fixed halves: their source, and what they cost."""

MEASURES: dict[str, Measure] = {
    "trained": Measure(
        *(_at("trained:trained"), "training", "the truth", "steps", costs.trained_cost),
        trains=True,
        group="full",
        normalised="mean",
    ),
    "fixed_decoder": _half_fixed("decoder"),
    "fixed_encoder": _half_fixed("encoder"),
    "early": _SHORT(
        _at("trained:early"), "short training", "equal-cost control", "equal cost", costs.early_cost, trains=True
    ),
    "sotl": _losses("trained:sotl"),
    "sotl_e": _losses("trained:sotl_e"),
    **{
        f"fixed_{half}_{kind}": _stronger(half, kind, *facts)
        for kind, facts in STRONGER.items()
        for half in ("decoder", "encoder")
    },
    "early_averaged": _SHORT(
        _at("halves:early_averaged"),
        "short training",
        "control of averaging",
        "proxy_steps",
        partial(costs.averaged_cost, half="none"),
        group="halves",
    ),
    "affine": _SHORT(
        _at("affine:affine"),
        "short training",
        "cf. Frankle 2003.00152",
        "proxy_steps",
        costs.affine_cost,
        group="halves",
    ),
    "readout": _solved("readout:readout"),
    "readout_last": _solved("readout:readout_last"),
    "readout_decoder": _solved("levels:readout_decoder", partial(costs.levels_cost, side="decoder")),
    "readout_encoder": _solved("levels:readout_encoder", partial(costs.levels_cost, side="encoder")),
    "linearised": _SHORT(
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
    "grasp": _on_batches("gradients:grasp", "batch, Hessian", "Wang 2002.07376", 3, "-"),
    "fisher": _on_batches(
        *("gradients:fisher", "1 batch", "Turner 1906.04113", 1, "log"),
        differs="the paper's channel sum; 2101.08134 counts a channel once for each weight",
    ),
    "zico": _on_batches(
        *("gradients:zico", f"{costs.ZICO_BATCHES} batches", "Li 2301.11300", costs.ZICO_BATCHES),
        differs=f"{costs.ZICO_BATCHES} batches, not 2",
    ),
    "synflow": Measure(
        _at("synflow:synflow"),
        "a crop of ones",
        "Tanaka 2006.05467",
        "1 crop",
        partial(costs.crop_cost, steps=1.0),
        sign="log",
        normalised="out",
        differs="of what the output convolution computes, before the head",
    ),
    "jacob_cov": _on_batches(
        *("kernels:jacob_cov", "1 batch", "Mellor 2006.04647v1", 2 * costs.FORWARD),
        differs="of a random projection of what the output convolution computes, not the sum",
    ),
    "nwot": _on_batches(
        *("kernels:nwot", "1 batch", "Mellor 2006.04647v3", costs.FORWARD),
        differs="256 random samples of each channel stand for all",
    ),
    "swap": _on_batches(
        *("kernels:swap", "2 batches", "Peng 2403.04161", costs.SWAP_BATCHES * costs.FORWARD),
        differs="one draw of the weights a seed, the architecture's own",
    ),
    "near": _on_batches(
        *("spectra:near", "1 batch", "Husistein 2408.08776", costs.FORWARD),
        differs="all positions, not as many as channels; the output convolution is left out",
    ),
    "az_expressivity": _on_batches(
        *("spectra:az_expressivity", "1 batch", "Lee 2403.19232", costs.FORWARD),
        differs="the architecture's own weights; every nonlinearity ends a level",
    ),
    "az_trainability": _on_batches(
        *("spectra:az_trainability", "1 batch", "Lee 2403.19232", costs.FORWARD),
        differs="all taps of a kernel and the skip; the code sees the middle tap alone",
    ),
    "vkdnw": Measure(
        _at("vkdnw:vkdnw"),
        f"{costs.VKDNW_CROPS} crops, J^T J",
        "Tybl 2502.04975",
        f"{costs.VKDNW_WEIGHTS * costs.VKDNW_CROPS * 2 * costs.FORWARD:.0f} a layer",
        costs.derivatives_cost,
        normalised="batch",
        differs="of a regression, J^T J; without the number of layers, which they add",
    ),
    "synthetic_regression": _SHORT(
        _at("regression:synthetic_regression"),
        "synthetic data",
        "GenNAS 2108.01899",
        f"{costs.REGRESSION_STEPS + costs.REGRESSION_TESTS * costs.FORWARD:.0f}",
        costs.regression_cost,
        sign="-",
        differs="songs, not waves and dots; Adam at the study's rate; the output alone",
    ),
    "zen": _on_batches(
        *("zen:zen", "noise, forward", "cf. Lin 2102.01063", 2 * costs.FORWARD),
        differs="the architecture's own weights, Euclidean norm: another ranking",
    ),
    "zen_published": _on_batches(
        *("zen:zen_published", "noise, forward", "Lin 2102.01063", 2 * costs.FORWARD),
        differs="one draw of the weights a seed, not 32; deviations are the batch's own",
    ),
}


def named(names: Iterable[str]) -> tuple[str, ...]:
    """Measures by name, the names of groups standing for what is in them.

    Args:
        names: of measures; or of `GROUPS`, or `all`, which is `cheap` and `short`.
    """
    found: list[str] = []
    for name in names:
        groups = ALL if name == "all" else (name,)
        grouped = name in ("all", *GROUPS)
        found += [each for each, entry in MEASURES.items() if entry.group in groups] if grouped else [name]
    return tuple(dict.fromkeys(found))


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
            f"there is no measure {name}: choose from {', '.join(MEASURES)}, or name a group "
            f"({', '.join(('all', *GROUPS))}) or one of your own as package.module:function."
        ) from None
