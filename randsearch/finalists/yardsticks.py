"""What a network that was trained on is held against: the same network as the search left it, and a constant gain."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from randsearch.base.layout import WEIGHTS_FILE
from randsearch.finalists.loading import has_weights, load_network
from randsearch.finalists.training import Setup
from randsearch.finalists.winner import Finalist
from randsearch.measures.baseline import constant_gain_segments
from randsearch.measures.excerpts import excerpts, write_excerpt
from randsearch.models.inference import separate
from randsearch.models.wave_unet import WaveUNet
from randsearch.statistics.interval import Interval
from randsearch.statistics.tracks import gain_over
from randsearch.study.finishes import Result
from randsearch.table.segments import write_segments
from randsearch.training.loop import segment_scores

Segments = list[NDArray[np.float64]]


class Yardsticks:
    """Compares networks of a finish, all on the study's validation excerpts.

    Args:
        setup: of the finish.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup

    @cached_property
    def _constant_gain(self) -> Segments:
        setup = self._setup
        return constant_gain_segments(setup.data.train, setup.validation, setup.data.source_names)

    def compared(self, result: Result, searched: Finalist) -> Result:
        """Says how far the best weights of a network are above both, and keeps what these make of the excerpts.

        Args:
            result: of its training.
            searched: the network as the search left it.

        Raises:
            PlaceError: a file cannot be written.
        """
        setup = self._setup
        home, place = setup.home(searched), setup.place
        if not place.has(home / WEIGHTS_FILE):
            return replace(result, searched=searched.score)
        finalist = setup.finalist(searched)
        network = load_network(finalist).to(setup.device)
        found = self._segments(network)
        write_segments(place, home, setup.data.source_names, found)
        self._keep_excerpts(network, searched)
        over = Interval(finalist.score - searched.score)
        if has_weights(searched):
            before = load_network(searched).to(setup.device)
            over = gain_over(found, self._segments(before))
        return replace(
            result,
            searched=searched.score,
            over_searched=over,
            over_gain=gain_over(found, self._constant_gain),
            tracks=sum(track.shape[1] > 0 for track in found),
        )

    def _segments(self, network: WaveUNet) -> Segments:
        setup = self._setup
        return segment_scores(network, setup.validation, setup.data.sample_rate, setup.device)[0]

    def _keep_excerpts(self, network: WaveUNet, searched: Finalist) -> None:
        setup, home = self._setup, self._setup.home(searched)
        for number, sources in excerpts(setup.data):
            mixture = torch.from_numpy(sources.sum(axis=0)).to(setup.device)
            estimates = separate(network, mixture).cpu().numpy()
            for source, estimate in zip(setup.data.source_names, estimates, strict=True):
                write_excerpt(setup.place, home, number, source, estimate, setup.data.sample_rate)
