"""What a search would run, and what it would cost, before it runs."""

from __future__ import annotations

import time
from collections import Counter
from itertools import pairwise

import torch

from randsearch.base.seeds import derive
from randsearch.data import Dataset
from randsearch.measures import Setting, find
from randsearch.measures.costs import layers_of, step_cost
from randsearch.measures.excerpts import EXCERPT_SECONDS, EXCERPTS
from randsearch.models.architecture import Architecture
from randsearch.models.build import build
from randsearch.models.channels_last import estimate_all
from randsearch.models.sizing import lengths, parameters
from randsearch.running.control import cost_lines
from randsearch.running.machine import Machine
from randsearch.running.session import make_setting, scored_on
from randsearch.study.candidates import bind_space, check_room
from randsearch.study.config import StudyConfig
from randsearch.study.rungs import expected, plan_of
from randsearch.study.votes import SAMPLE as STANDING
from randsearch.table.votes import is_vote
from randsearch.training.loop import squared_error

SAMPLE = 50
TIMED = 3


def estimate(config: StudyConfig, dataset: Dataset, machine: Machine) -> list[str]:
    """Lines that say what a search would do, with hours and disk.

    Hours come from the multiply-adds of a sample of the space's architectures, and from the rate at which this machine
    trains a few of them now; validation comes on top.

    Args:
        config: resolved.
        dataset: that it names.
        machine: where it would run.

    Raises:
        UserError: the search would be refused.
    """
    validation = scored_on(config, dataset)
    setting = make_setting(config, dataset, validation, machine.results / config.study, 0.0)
    space = bind_space(config)
    check_room(config, space)
    seed = derive("sampling", config.seed)
    sample = [space.draw(seed, index).architecture for index in range(min(config.trials, SAMPLE))]
    rate = sum(_rate(setting, architecture) for architecture in sample[:TIMED]) / len(sample[:TIMED])
    runs, stopped = _runs(config), _stopped(config)
    # Those that are stopped cost what they trained for, and leave neither weights nor audio.
    paid = runs - Counter({"trained": sum(stopped.values())})
    parts = {**paid, "trained": paid["trained"] + sum(count * step for step, count in stopped.items()) / config.steps}
    work = sum(
        count * sum(find(measure).cost(setting, architecture) for architecture in sample) / len(sample)
        for measure, count in parts.items()
    )
    size = _bytes_per_training(setting, sample) * sum(count for name, count in paid.items() if find(name).trains)
    workers = machine.jobs(config.device)
    hours = work / rate / workers / 3600
    planned = ", ".join(f"{count} x {name}" for name, count in runs.items())
    stops = ", ".join(f"{count} at step {step}" for step, count in stopped.items())
    tracks = f"{len(dataset.train)} training and {len(dataset.validation)} validation tracks"
    return [
        f"study {config.study}: {config.trials} architectures by {config.sampler} from {space.count()} valid ones",
        f"data {config.data}: {tracks}, {dataset.sample_rate} Hz, {config.audio.aim}",
        f"networks are scored on {sum(track.length for track in validation) / dataset.sample_rate:.0f} s of "
        f"{len(validation)} validation tracks ({config.validation if config.validation == 'whole' else 'excerpts'})",
        f"measurements: {planned}" + (f" (stopped: {stops} of {config.steps})" if stops else ""),
        f"about {hours:.2g} hours of training on {workers} worker(s) of {config.threads} thread(s), "
        f"{config.device}; validation comes on top",
        f"about {size / 1e6:.3g} MB of weights and audio in {machine.results / config.study}",
        *([f"measured first, for places among them: {STANDING} other architectures"] if _apart(config) else []),
        *cost_lines(config, setting),
    ]


def _apart(config: StudyConfig) -> bool:
    """Whether a sample is measured that does not join the study."""
    return config.adaptive and is_vote(config.proxy)


def _runs(config: StudyConfig) -> Counter[str]:
    """How often each measure runs."""
    seeds = {name: len(config.seeds_of(name, seeded=find(name).seeded)) for name in (*config.all_measures, "trained")}
    runs = Counter({name: config.trials * seeds[name] for name in config.all_measures})
    trained = {"all": config.trials, "none": 0}.get(config.train, min(config.top or 0, config.trials))
    if config.halved:
        trained = expected(plan_of(config), config.trials)[0]
    if trained:
        runs["trained"] = trained * seeds["trained"]
    return runs


def _stopped(config: StudyConfig) -> dict[int, int]:
    """How many trainings are stopped at which step, if none fails."""
    if not config.halved:
        return {}
    plan = plan_of(config)
    counts = expected(plan, config.trials)
    leaving = (here - further for here, further in pairwise(counts))
    return {step: count * len(plan.seeds) for step, count in zip(plan.budgets, leaving, strict=False) if count}


def _rate(setting: Setting, architecture: Architecture) -> float:
    """Multiply-adds a second of two full training steps, after one to warm up."""
    torch.set_num_threads(setting.threads)
    network = build(architecture, setting.signal, 0).to(setting.device)
    size = lengths(architecture, setting.recipe.segment)
    mixture = torch.zeros((setting.recipe.batch, setting.signal.channels, size.input), device=setting.device)
    sources = torch.zeros((1, setting.signal.sources, setting.signal.channels, size.output), device=setting.device)
    began = 0.0
    for step in range(3):
        if step == 1:
            began = time.perf_counter()
        loss = squared_error(estimate_all(network, mixture), sources, architecture.levels)
        loss.backward()  # type: ignore[no-untyped-call]
        loss.item()
    return 2 * step_cost(setting, architecture, "none") / (time.perf_counter() - began)


def _bytes_per_training(setting: Setting, sample: list[Architecture]) -> float:
    layers = (layers_of(setting, architecture) for architecture in sample)
    weights = 4.0 * sum(sum(parameters(found).values()) for found in layers) / len(sample)
    seconds = EXCERPTS * EXCERPT_SECONDS * setting.signal.sources * setting.signal.channels
    # FLAC of 16 bits keeps music at roughly half its size.
    return weights + seconds * setting.dataset.sample_rate
