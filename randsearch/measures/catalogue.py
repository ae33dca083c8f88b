"""The registry: every measure by name. A new proxy is one function and one entry here; nothing else changes.

Functions are named by their place and imported when they run, so that reading the registry does not import torch.
"""

from __future__ import annotations

from functools import partial

from randsearch.errors import UserError
from randsearch.measures import costs
from randsearch.measures.base import Lazy, Measure


def _at(place: str) -> Lazy:
    return Lazy(f"randsearch.measures.{place}")


def _on_batches(place: str, needs: str, source: str, steps: float, sign: str = "+") -> Measure:
    """A measure at fresh random weights that costs so many training steps on `proxy_batch` crops."""
    return Measure(_at(place), needs, source, f"{steps:.2g}", partial(costs.batch_cost, steps=steps), sign=sign)


MEASURES: dict[str, Measure] = {
    "trained": Measure(
        _at("training:trained"), "a full training", "the truth", "steps", costs.trained_cost, trains=True
    ),
    "fixed_decoder": Measure(
        _at("training:fixed_decoder"),
        "a short training",
        "J-Net, 1911.12926",
        "proxy_steps, cheaper",
        partial(costs.proxy_cost, half="decoder"),
        fixes="decoder",
        trains=True,
    ),
    "fixed_encoder": Measure(
        _at("training:fixed_encoder"),
        "a short training",
        "J-Net, 1911.12926",
        "proxy_steps, cheaper",
        partial(costs.proxy_cost, half="encoder"),
        fixes="encoder",
        trains=True,
    ),
    "early": Measure(
        _at("training:early"),
        "a short training",
        "equal-cost control",
        "as the primary proxy",
        costs.early_cost,
        trains=True,
    ),
    "sotl": Measure(
        _at("training:sotl"),
        "a short training",
        "Ru et al., 2006.04492",
        "proxy_steps",
        partial(costs.proxy_cost, half="none"),
        sign="-",
    ),
    "sotl_e": Measure(
        _at("training:sotl_e"),
        "a short training",
        "Ru et al., 2006.04492",
        "proxy_steps",
        partial(costs.proxy_cost, half="none"),
        sign="-",
    ),
    "readout": Measure(
        _at("readout:readout"),
        "forward passes, a linear solve",
        "random features; cf. Saxe et al. 2011",
        f"{costs.READOUT_DRAWS * costs.READOUT_BATCHES * costs.FORWARD:.2g}",
        costs.readout_cost,
    ),
    "readout_last": Measure(
        _at("readout:readout_last"),
        "forward passes, a linear solve",
        "random features; cf. Saxe et al. 2011",
        f"{costs.READOUT_DRAWS * costs.READOUT_BATCHES * costs.FORWARD:.2g}",
        costs.readout_cost,
    ),
    "params": Measure(_at("sizes:params"), "nothing", "baseline", seeded=False),
    "macs": Measure(_at("sizes:macs"), "nothing", "baseline", seeded=False),
    "receptive_field": Measure(_at("sizes:receptive_field"), "nothing", "baseline", seeded=False),
    "l2_norm": Measure(_at("gradients:l2_norm"), "weights", "Abdelfattah et al., 2101.08134"),
    "grad_norm": _on_batches("gradients:grad_norm", "1 batch", "Abdelfattah et al., 2101.08134", 1, "log"),
    "snip": _on_batches("gradients:snip", "1 batch", "Lee et al., 1810.02340", 1, "log"),
    "grasp": _on_batches("gradients:grasp", "1 batch, double backward", "Wang et al., 2002.07376", 3, "-"),
    "fisher": _on_batches("gradients:fisher", "1 batch", "Turner et al., 1906.04113", 1, "log"),
    "zico": _on_batches("gradients:zico", "4 batches", "Li et al., 2301.11300", 4),
    "synflow": Measure(
        _at("synflow:synflow"),
        "1 crop of ones",
        "Tanaka et al., 2006.05467",
        "1 crop",
        partial(costs.crop_cost, steps=1.0),
        sign="log",
    ),
    "jacob_cov": _on_batches("kernels:jacob_cov", "1 batch", "Mellor et al., 2006.04647v1", 2 * costs.FORWARD),
    "nwot": _on_batches("kernels:nwot", "1 batch, forward", "Mellor et al., 2006.04647v3", costs.FORWARD),
    "zen": _on_batches("zen:zen", "noise, forward", "Lin et al., 2102.01063", 2 * costs.FORWARD),
}


def find(name: str) -> Measure:
    """The measure of that name: of the registry, or a user's own `package.module:function`.

    Raises:
        UserError: there is none.
    """
    if ":" in name:
        return Measure(Lazy(name), needs="?", source=name, steps="?")
    try:
        return MEASURES[name]
    except KeyError:
        raise UserError(
            f"there is no measure {name}: choose from {', '.join(MEASURES)}, or name one of your own "
            "as package.module:function."
        ) from None
