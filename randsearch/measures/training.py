"""Measures that train: the whole network, the J-Net proxies, and the equal-cost control.

They share data, loop, loss and metric and differ only in what is fixed, in how long they run, and in their random
streams, so that no proxy shares initial weights or crops with the training that it is compared with.
"""

from __future__ import annotations

from dataclasses import replace

import soundfile
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from randsearch.architecture import Architecture
from randsearch.data import Crops
from randsearch.measures.base import Outcome, Setting
from randsearch.measures.costs import early_steps, step_cost
from randsearch.models.frozen import Half, fix_half
from randsearch.models.inference import separate
from randsearch.models.sizing import lengths
from randsearch.models.wave_unet import WaveUNet, build
from randsearch.seeds import derive
from randsearch.training import evaluate, train

EXCERPTS = 3
EXCERPT_SECONDS = 10


def run_training(
    measure: str, half: Half, steps: int, setting: Setting, architecture: Architecture, seed: int
) -> Outcome:
    """Trains a network with a half fixed, and keeps its best weights and what it makes of a few excerpts.

    Args:
        measure: in whose name; it decides the random streams.
        half: what stays at its random initialisation.
        steps: how long.
        setting: the study.
        architecture: the network.
        seed: of the measurement.
    """
    data, recipe, device = setting.dataset, setting.recipe, torch.device(setting.device)
    network = build(architecture, setting.signal, derive("weights", architecture.hash, measure, seed))
    fix_half(network, half)
    trained = train(
        network,
        _crops(measure, setting, architecture, seed),
        lambda current: evaluate(current, data.validation, data.sample_rate, device),
        recipe=recipe,
        steps=steps,
        device=device,
    )
    network.load_state_dict(trained.best_weights)
    _keep(network, setting, architecture, measure, seed)
    return Outcome(
        score=trained.score,
        baseline=setting.baseline,
        seconds=trained.seconds,
        steps=steps,
        multiply_adds=float(steps * step_cost(setting, architecture, half)),
        validation_seconds=trained.validation_seconds,
        data_seconds=trained.data_seconds,
        curve=trained.curve,
    )


def _crops(measure: str, setting: Setting, architecture: Architecture, seed: int) -> Crops:
    """Training crops in a measurement's own order."""
    size = lengths(architecture, setting.recipe.segment)
    return Crops(
        tracks=setting.dataset.train,
        batch=setting.recipe.batch,
        input_length=size.input,
        output_length=size.output,
        seed=derive("crops", architecture.hash, measure, seed),
        pads=setting.dataset.task.pads,
    )


def _keep(network: WaveUNet, setting: Setting, architecture: Architecture, measure: str, seed: int) -> None:
    """Saves the weights and the estimates of the first seconds of three validation tracks.

    Raises:
        OSError: the folder cannot be written.
    """
    home, data = setting.home(architecture, measure, seed), setting.dataset
    home.mkdir(parents=True, exist_ok=True)
    try:
        save_file(
            {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()},
            home / "weights.safetensors",
            metadata={"architecture": architecture.model_dump_json(exclude_defaults=True)},
        )
        for number, track in enumerate(data.validation[:EXCERPTS], 1):
            excerpt = track.sources(0, min(track.length, EXCERPT_SECONDS * data.sample_rate))
            estimates = separate(network, torch.from_numpy(excerpt.sum(axis=0)).to(setting.device)).cpu().numpy()
            for source, estimate in zip(data.source_names, estimates, strict=True):
                soundfile.write(home / f"excerpt-{number}-{source}.flac", estimate.T.clip(-1, 1), data.sample_rate)
    except (SafetensorError, soundfile.LibsndfileError) as error:
        # Both libraries tell of a full disk by exceptions of their own.
        raise OSError(f"{home} cannot be written: {error}") from error


def trained(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Validation SDR after normal training: the truth that proxies are compared with."""
    return run_training("trained", "none", setting.steps, setting, architecture, seed)


def fixed_decoder(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Validation SDR after a short training with the decoder at random weights (J-Net, arXiv 1911.12926)."""
    return run_training("fixed_decoder", "decoder", setting.proxy_steps, setting, architecture, seed)


def fixed_encoder(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Validation SDR after a short training with the encoder at random weights (J-Net, arXiv 1911.12926)."""
    return run_training("fixed_encoder", "encoder", setting.proxy_steps, setting, architecture, seed)


def early(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Validation SDR after normal training for as many multiply-adds as the primary proxy takes."""
    steps = early_steps(setting, architecture, setting.proxy_half)
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
    network = build(architecture, setting.signal, derive("weights", architecture.hash, measure, seed))
    trained = train(
        network,
        _crops(measure, setting, architecture, seed),
        lambda current: 0.0,  # Nothing is validated: the losses are the score.
        recipe=setting.recipe,
        steps=setting.proxy_steps,
        device=torch.device(setting.device),
    )
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
        curve=tuple(curve),
    )
