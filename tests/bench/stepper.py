"""A process that takes training steps on demand, in the plain formulation or in randsearch's own.

It reads commands, a line each, and answers each with a line of JSON: `network NUMBER HALF` builds one of the networks,
`run STEPS` gives the seconds a step, `profile` says what a step consists of.

The plain formulation is what a user would write: the same network of torch.nn.Conv1d modules, the usual training loop,
Adam as it comes, memory as the C library hands it out.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter

import torch
from networks import networks
from torch.nn import functional

from randsearch.base.memory import keep_freed_memory
from randsearch.models.build import build
from randsearch.models.channels_last import estimate_all
from randsearch.models.frozen import fix_half, is_fixed
from randsearch.models.layers import lengths
from randsearch.models.resampling import crop
from randsearch.models.sizing import convolutions, step_multiply_adds
from randsearch.training.loop import squared_error

PRODUCTS = ("mkldnn_convolution", "addmm", "addmm_", "mm", "bmm", "convolution_backward", "slow_conv", "thnn_conv")
VIEWS = ("view", "slice", "as_strided", "permute", "transpose", "select", "reshape", "detach", "expand", "t", "narrow")


class Stepper:
    """One network with its optimiser and a batch of noise."""

    def __init__(self, number: int, half: str, *, plain: bool) -> None:
        case = networks()[number]
        self.plain = plain
        size = lengths(case.architecture, case.segment)
        self.mixture = torch.randn(case.batch, case.signal.channels, size.input)
        self.sources = torch.randn(case.batch, case.signal.sources, case.signal.channels, size.output)
        self.network = build(case.architecture, case.signal, 0).train()
        fix_half(self.network, half)
        trainable = [weight for weight in self.network.parameters() if weight.requires_grad]
        self.optimiser = torch.optim.Adam(trainable, lr=1e-3, fused=None if plain else True)
        layers = convolutions(case.architecture, case.signal, size.input)
        self.work = 2 * case.batch * step_multiply_adds(layers, is_fixed(case.architecture, half))

    def step(self) -> None:
        """Takes a step."""
        self.optimiser.zero_grad(set_to_none=True)
        if self.plain:
            estimates = crop(self.network(self.mixture), self.sources.shape[-1])
            loss = functional.mse_loss(estimates, self.sources)
        else:
            estimates = estimate_all(self.network, self.mixture)
            loss = squared_error(estimates, self.sources, self.network.architecture.levels)
        loss.backward()
        self.optimiser.step()

    def seconds(self, steps: int) -> float:
        """Of one of so many steps."""
        began = time.perf_counter()
        for _ in range(steps):
            self.step()
        return (time.perf_counter() - began) / steps

    def profile(self, steps: int = 5) -> dict[str, float]:
        """Shares of a step's time: matrix products and convolutions, other arithmetic and copies, and the rest."""
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
            whole = self.seconds(steps) * steps * 1e6
        found: Counter[str] = Counter()
        for event in profiler.key_averages():
            name = event.key.removeprefix("aten::")
            if event.key.startswith("aten::") and name not in VIEWS:
                kind = "products" if name.startswith(PRODUCTS) else "elementwise and copies"
                found[kind] += event.self_cpu_time_total / whole
        found["Python and bookkeeping"] = 1 - sum(found.values())
        return dict(found)


def product_rate() -> float:
    """Floating-point operations a second of a large matrix product, the best of many."""
    left, right = torch.randn(1024, 1024), torch.randn(1024, 1024)
    best = min(_timed(lambda: left @ right) for _ in range(30))
    return 2 * 1024**3 / best


def _timed(call: object) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def serve(*, plain: bool, threads: int) -> None:
    """Answers commands until they end."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    if not plain:
        keep_freed_memory()
    stepper: Stepper | None = None
    for line in sys.stdin:
        command, *arguments = line.split()
        answer: object
        match command:
            case "network":
                stepper = Stepper(int(arguments[0]), arguments[1], plain=plain)
                stepper.seconds(2)
                answer = stepper.work
            case "run":
                answer = stepper.seconds(int(arguments[0]))
            case "profile":
                answer = stepper.profile()
            case "rate":
                answer = product_rate()
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve(plain=sys.argv[1] == "plain", threads=int(sys.argv[2]))
