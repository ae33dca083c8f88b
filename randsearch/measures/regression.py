"""Synthetic regression: how far a few steps of training get on signals that nobody had to record.

GenNAS (Li et al., arXiv 2108.01899) trains a network for a moment to regress made-up signals, and ranks by the loss.
What is made up for audio is the project's own songs: the mixture goes in, the stems are the targets. The score needs
none of the user's data, and says little about networks whose data are nothing like music at 8 kHz: the songs are taken
as they are, whatever the study's sample rate.
"""

from __future__ import annotations

import time
from functools import lru_cache

import numpy as np
import torch
from torch.nn import functional

from randsearch.base.seeds import derive
from randsearch.data.augmentation import GAINS
from randsearch.data.synthetic import make_song
from randsearch.data.task import STEMS
from randsearch.data.track import FloatArray
from randsearch.measures.contract import Outcome, Setting
from randsearch.measures.costs import REGRESSION_STEPS, REGRESSION_TESTS
from randsearch.measures.probing import Batch, fresh_network
from randsearch.models.architecture import Architecture
from randsearch.models.resampling import crop
from randsearch.models.sizing import lengths
from randsearch.training.loop import take_step

LEARNT, HEARD = range(4), range(4, 6)
"""Numbers of the songs that networks train on, and are tested on."""
SONGS_SEED = 0


def synthetic_regression(setting: Setting, architecture: Architecture, seed: int) -> Outcome:
    """Minus the squared error on songs not heard before, after a few steps of training on others (GenNAS, 2108.01899).

    Steps and crops have the size of the study's, and all architectures get the same crops in the same order. Adam at
    the study's constant learning rate, where the published code takes SGD at a rate tuned for images; its targets are
    waves and dots, regressed at three depths.
    """
    network = fresh_network("synthetic_regression", setting, architecture, seed)
    optimiser = torch.optim.Adam((p for p in network.parameters() if p.requires_grad), setting.recipe.learning_rate)
    seconds, data_seconds, parts, errors = 0.0, 0.0, 1, []
    for index in range(REGRESSION_STEPS + REGRESSION_TESTS):
        began = time.perf_counter()
        learns = index < REGRESSION_STEPS
        mixture, sources = synthetic_batch(setting, architecture, LEARNT if learns else HEARD, seed, index)
        drawn = time.perf_counter()
        if learns:
            _, parts = take_step(network, optimiser, mixture, sources, parts, clip=setting.recipe.clip)
        else:
            with torch.no_grad():
                estimates = crop(network.eval()(mixture), sources.shape[-1])
            errors.append(float(functional.mse_loss(estimates, sources)))
        seconds += time.perf_counter() - drawn
        data_seconds += drawn - began
    return Outcome(-float(np.mean(errors)), seconds=seconds, data_seconds=data_seconds, steps=REGRESSION_STEPS)


def synthetic_batch(setting: Setting, architecture: Architecture, numbers: range, seed: int, index: int) -> Batch:
    """A batch of crops of synthetic songs, each source at its own gain in each channel.

    Args:
        setting: says how many sources, channels and crops, and of what length.
        architecture: says how much context the mixture has.
        numbers: of the songs.
        seed: of the measurement; with the study's name it decides the crops.
        index: of the batch.

    Shape:
        mixture (batch, channels, input time), sources (batch, sources, channels, segment).
    """
    random = np.random.default_rng([derive("synthetic songs", setting.study, seed), index])
    songs, signal = _songs(numbers), setting.signal
    size, segment = lengths(architecture, setting.recipe.segment).input, setting.recipe.segment
    mixtures, sources = [], []
    for _ in range(setting.recipe.batch):
        chosen = random.choice(len(songs), size=-(-signal.sources // len(STEMS)), replace=False)
        first = random.integers(songs.shape[-1])
        gains = random.uniform(*GAINS, size=(signal.sources, signal.channels, 1)).astype(np.float32)
        # Counted from the middle, so that context changes nothing of the targets; songs are rings.
        window = (first + np.arange(size) - (size - segment) // 2) % songs.shape[-1]
        played = gains * grouped(songs[chosen].reshape(-1, songs.shape[-1])[:, window], signal.sources)[:, None]
        mixtures.append(played.sum(axis=0))
        sources.append(played[..., (size - segment) // 2 :][..., :segment])
    mixture, wanted = (torch.from_numpy(np.stack(part)).to(setting.device) for part in (mixtures, sources))
    return mixture, wanted


def grouped(stems: FloatArray, sources: int) -> FloatArray:
    """As many sources as are asked for: the last stems one by one, what is left of the first song before them as one.

    Args:
        stems: of one song or more, (stems, time).
        sources: at most as many as there are stems.

    Returns:
        (sources, time); of four stems and two sources, the accompaniment and the voice.
    """
    used = stems[: max(sources, len(STEMS))]
    rest = len(used) - sources + 1
    return np.concatenate([used[:rest].sum(axis=0, keepdims=True), used[rest:]])


@lru_cache(maxsize=2)
def _songs(numbers: range) -> FloatArray:
    """Synthetic songs, (songs, stems, samples); they take a third of a second each, once a process."""
    made = [make_song(SONGS_SEED, number) for number in numbers]
    return np.stack([np.stack([song[stem] for stem in STEMS]) for song in made]).astype(np.float32)
