"""Measures that train: the whole network, the J-Net proxies, and the equal-cost control.

They share data, loop, loss and metric and differ only in what is fixed, in how long they run, and in their random
streams, so that no proxy shares initial weights or crops with the training that it is compared with.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save

from randsearch.base.layout import WEIGHTS_FILE
from randsearch.data.metrics import score
from randsearch.measures.contract import Outcome, Setting
from randsearch.measures.costs import early_steps, step_cost
from randsearch.measures.excerpts import excerpts, write_excerpt
from randsearch.measures.run import Run
from randsearch.models.architecture import Architecture
from randsearch.models.frozen import Half, fix_half
from randsearch.models.inference import separate
from randsearch.models.wave_unet import WaveUNet
from randsearch.table.segments import write_segments
from randsearch.training.loop import Validation, segment_scores


def run_training(
    measure: str,
    half: Half,
    steps: int,
    setting: Setting,
    architecture: Architecture,
    seed: int,
    until: int | None = None,
) -> Outcome:
    """Trains a network with a half fixed, and keeps its best weights and what it makes of a few excerpts.

    A training that pauses leaves its checkpoint, and nothing else.

    Args:
        measure: in whose name; it decides the random streams.
        half: what stays at its random initialisation.
        steps: how long.
        setting: the study.
        architecture: the network.
        seed: of the measurement.
        until: the step at which it pauses; None for its end.
    """
    run = Run(measure, steps, setting, architecture, seed, until=until)
    data, device, home = setting.dataset, run.device, setting.home(architecture, measure, seed)
    network = run.network()
    fix_half(network, half)
    # By its score, what the best validation found: to find it again would take as long as a validation.
    best: dict[float, list[NDArray[np.float64]]] = {}

    def validate(current: WaveUNet) -> Validation:
        segments, loss = segment_scores(current, setting.validation, data.sample_rate, device)
        value = score(segments)
        if not best or value > max(best):
            best.clear()
            best[value] = segments
        return Validation(value, loss)

    trained = run.train(network, validate)
    if until is None or trained.steps == steps:
        network.load_state_dict(trained.best_weights)
        # A best validation from before this run went on from its checkpoint is made again; a GPU may round it
        # differently.
        found = trained.score if trained.score in best else validate(network).score
        _keep(network, setting, architecture, home)
        write_segments(setting.place, home, data.source_names, best[found])
    return run.outcome(trained, float(trained.steps * step_cost(setting, architecture, half)))


def _keep(network: WaveUNet, setting: Setting, architecture: Architecture, home: Path) -> None:
    """Saves the weights and the estimates of the excerpts.

    Raises:
        PlaceError: a file cannot be written.
    """
    data, place = setting.dataset, setting.place
    content = save(
        {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()},
        metadata={"architecture": architecture.model_dump_json(exclude_defaults=True)},
    )
    place.write(home / WEIGHTS_FILE, content)
    for number, sources in excerpts(data):
        estimates = separate(network, torch.from_numpy(sources.sum(axis=0)).to(setting.device)).cpu().numpy()
        for source, estimate in zip(data.source_names, estimates, strict=True):
            write_excerpt(place, home, number, source, estimate, data.sample_rate)


def trained(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Validation SDR after normal training: the truth that proxies are compared with."""
    return run_training("trained", "none", setting.steps, setting, architecture, seed, setting.until)


def fixed_decoder(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Validation SDR after a short training with the decoder at random weights (J-Net, arXiv 1911.12926)."""
    return run_training("fixed_decoder", "decoder", setting.proxy_steps, setting, architecture, seed)


def fixed_encoder(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Validation SDR after a short training with the encoder at random weights (J-Net, arXiv 1911.12926)."""
    return run_training("fixed_encoder", "encoder", setting.proxy_steps, setting, architecture, seed)


def early(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Validation SDR after normal training for as many multiply-adds as the primary proxy takes.

    Where that is less than one step, it takes `proxy_steps` and is no control.
    """
    steps = early_steps(setting, architecture)
    return run_training("early", "none", steps, setting, architecture, seed)


def sotl(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Minus the sum of the training losses over a short normal training (SoTL, Ru et al., arXiv 2006.04492).

    As many steps for every architecture, since sums over different numbers of steps do not compare. The curve holds
    minus the sum up to each step.
    """
    return _sum_of_losses("sotl", setting, architecture, seed)


def sotl_e(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Minus the sum of the training losses over the last epoch of a short normal training (SoTL-E, 2006.04492).

    An epoch is what lies between two validations: batches are drawn at random and never end.
    """
    found = _sum_of_losses("sotl_e", setting, architecture, seed)
    ends = (0.0, *(value for _, value in found.curve))
    return replace(found, score=ends[-1] - ends[-2], curve=())


def _sum_of_losses(measure: str, setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    run, nothing = Run(measure, setting.proxy_steps, setting, architecture, seed), Validation(0.0, 0.0)
    # Nothing is validated: the losses are the score.
    trained = run.train(run.network(), lambda current: nothing)
    curve, total, before = [], 0.0, 0
    for (step, _), loss in zip(trained.curve, trained.losses, strict=True):
        total -= loss * (step - before)
        before = step
        curve.append((step, total))
    return Outcome(
        score=total,
        seconds=trained.seconds,
        steps=setting.proxy_steps,
        data_seconds=trained.data_seconds,
        schedule=run.schedule,
        curve=tuple(curve),
    )
