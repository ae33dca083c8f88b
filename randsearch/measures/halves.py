"""Stronger fixed halves: the J-Net proxies (arXiv 1911.12926) with better random halves, or better use made of them.

Each trains as `fixed_decoder` and `fixed_encoder` do, in random streams of its own, and keeps neither weights nor
audio. What a measure costs besides its steps is in `costs`, so that `early` can be given as much.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from statistics import fmean

import torch

from randsearch.measures import costs
from randsearch.measures.calibration import calibrate, redraw
from randsearch.measures.contract import Outcome, Setting
from randsearch.measures.readout import Batches, solve_output
from randsearch.measures.run import Run
from randsearch.measures.several import put_in_turn, with_each
from randsearch.models.architecture import Architecture, Half, Initialisation
from randsearch.models.frozen import fix_half
from randsearch.models.wave_unet import WaveUNet
from randsearch.training.loop import Trained, Validation


def fixed_decoder_calibrated(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """As `fixed_decoder`, its random half scaled so that each layer keeps the level of its input (cf. 1511.06422)."""
    return _calibrated("fixed_decoder_calibrated", "decoder", setting, architecture, seed)


def fixed_encoder_calibrated(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """As `fixed_encoder`, its random half scaled so that each layer keeps the level of its input (cf. 1511.06422)."""
    return _calibrated("fixed_encoder_calibrated", "encoder", setting, architecture, seed)


def fixed_decoder_he(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """As `fixed_decoder`, its random half drawn by He's rule (arXiv 1502.01852)."""
    return _drawn("fixed_decoder_he", "decoder", "he", setting, architecture, seed)


def fixed_encoder_he(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """As `fixed_encoder`, its random half drawn by He's rule (arXiv 1502.01852)."""
    return _drawn("fixed_encoder_he", "encoder", "he", setting, architecture, seed)


def fixed_decoder_delta(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """As `fixed_decoder`, its random half delta-orthogonal (Xiao et al., arXiv 1806.05393): no taps but the middle."""
    return _drawn("fixed_decoder_delta", "decoder", "delta_orthogonal", setting, architecture, seed)


def fixed_encoder_delta(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """As `fixed_encoder`, its random half delta-orthogonal (Xiao et al., arXiv 1806.05393): no taps but the middle."""
    return _drawn("fixed_encoder_delta", "encoder", "delta_orthogonal", setting, architecture, seed)


def fixed_decoder_shared(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """As `fixed_decoder`, what trains shared by three draws of the decoder, which see a third of each batch each."""
    return _shared("fixed_decoder_shared", "decoder", setting, architecture, seed)


def fixed_encoder_shared(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """As `fixed_encoder`, what trains shared by three draws of the encoder, which see a third of each batch each."""
    return _shared("fixed_encoder_shared", "encoder", setting, architecture, seed)


def fixed_decoder_averaged(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """As `fixed_decoder`, the mean of three trainings of a third of the steps, each with a draw of its own."""
    return _averaged("fixed_decoder_averaged", "decoder", setting, architecture, seed)


def fixed_encoder_averaged(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """As `fixed_encoder`, the mean of three trainings of a third of the steps, each with a draw of its own."""
    return _averaged("fixed_encoder_averaged", "encoder", setting, architecture, seed)


def early_averaged(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """The mean of three normal trainings of a third of the steps: the control of what averaging is worth."""
    return _averaged("early_averaged", "none", setting, architecture, seed)


def fixed_decoder_solved(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """As `fixed_decoder`, the output convolution solved by ridge regression at each validation."""
    return _solved("fixed_decoder_solved", "decoder", setting, architecture, seed)


def fixed_encoder_solved(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """As `fixed_encoder`, the output convolution solved by ridge regression at each validation."""
    return _solved("fixed_encoder_solved", "encoder", setting, architecture, seed)


def _calibrated(measure: str, half: Half, setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    run = Run(measure, setting.proxy_steps, setting, architecture, seed)
    network = run.network().to(run.device)
    began = time.perf_counter()
    mixture = torch.from_numpy(run.crops("calibration").batch_at(0)[0]).to(run.device)
    read = time.perf_counter()
    calibrate(network, half, mixture)
    calibrated = time.perf_counter()
    made = _trained(run, network, half, costs.calibrated_cost(setting, architecture, half))
    return replace(made, seconds=made.seconds + calibrated - read, data_seconds=made.data_seconds + read - began)


def _drawn(
    measure: str, half: Half, initialisation: Initialisation, setting: Setting, architecture: Architecture, seed: int
) -> Outcome:
    run = Run(measure, setting.proxy_steps, setting, architecture, seed)
    network = run.network()
    redraw(network, half, initialisation, run.stream("half"))
    return _trained(run, network, half, costs.proxy_cost(setting, architecture, half))


def _trained(run: Run, network: WaveUNet, half: Half, cost: float) -> Outcome:
    """The outcome of a training with a half fixed as it is now."""
    fix_half(network, half)
    return run.outcome(run.train(network, run.score), cost)


def _shared(measure: str, half: Half, setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    run = Run(measure, setting.proxy_steps, setting, architecture, seed)
    network = run.network()
    draws = min(costs.DRAWS, setting.recipe.batch)
    put_in_turn(network, half, [run.stream("half", draw) for draw in range(1, draws)])

    def validate(current: WaveUNet) -> Validation:
        found = [run.score(current) for _ in with_each(current, draws)]
        return Validation(fmean(each.score for each in found), fmean(each.loss for each in found))

    fix_half(network, half)
    return run.outcome(run.train(network, validate), costs.proxy_cost(setting, architecture, half))


def _averaged(measure: str, half: Half, setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    steps = costs.steps_each(setting)
    found: list[Trained] = []
    for draw in range(costs.DRAWS):
        run = Run(measure, steps, setting, architecture, seed, draw)
        network = run.network()
        fix_half(network, half)
        found.append(run.train(network, run.score))
    return run.outcome(mean(found), costs.averaged_cost(setting, architecture, half))


def mean(trainings: list[Trained]) -> Trained:
    """Several trainings of equal length as one that takes all of their steps: its curve is the mean of theirs."""
    count, first = len(trainings), trainings[0]

    def averaged(curves: list[tuple[tuple[int, float], ...]]) -> tuple[tuple[int, float], ...]:
        points = (zip(*curve, strict=True) for curve in zip(*curves, strict=True))
        return tuple((count * steps[0], fmean(values)) for steps, values in points)

    return Trained(
        curve=averaged([each.curve for each in trainings]),
        losses=tuple(fmean(values) for values in zip(*(each.losses for each in trainings), strict=True)),
        validation_losses=averaged([each.validation_losses for each in trainings]),
        best_weights=first.best_weights,
        steps=sum(each.steps for each in trainings),
        seconds=sum(each.seconds for each in trainings),
        validation_seconds=sum(each.validation_seconds for each in trainings),
        data_seconds=sum(each.data_seconds for each in trainings),
    )


def _solved(measure: str, half: Half, setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    run = Run(measure, setting.proxy_steps, setting, architecture, seed)
    network = run.network()
    fix_half(network, half)
    batches = Batches(setting, architecture, seed, costs.SOLVED_BATCHES)
    solving = 0.0

    def validate(current: WaveUNet) -> Validation:
        nonlocal solving
        began = time.perf_counter()
        with output_solved(current, batches, run.stream("moments")):
            solving += time.perf_counter() - began
            return run.score(current)

    trained = run.train(network, validate)
    made = run.outcome(trained, costs.solved_cost(setting, architecture, half))
    return replace(
        made,
        seconds=made.seconds + solving - batches.seconds,
        data_seconds=made.data_seconds + batches.seconds,
        validation_seconds=made.validation_seconds - solving,
    )


@contextmanager
def output_solved(network: WaveUNet, batches: Batches, seed: int) -> Iterator[None]:
    """The network with its output convolution solved, and scored, before any tanh; what trains is put back afterwards.

    Args:
        network: in training mode.
        batches: that it is solved on.
        seed: of the choice of moments.

    Raises:
        UnmeasurableError: there are too many features, or they do not serve.
    """
    architecture, kept = network.architecture, {name: t.clone() for name, t in network.output.state_dict().items()}
    network.architecture = architecture.model_copy(update={"output_activation": "linear"})
    network.eval()
    try:
        solve_output(network, batches, seed)
        yield
    finally:
        network.architecture = architecture
        network.output.load_state_dict(kept)
        network.train()
