"""A measure of one's own: how loud a random network is. It runs as `--measures params,example_measure:loudness`."""

import torch

from randsearch.measures.probing import fresh_network


def loudness(setting, architecture, seed):
    network = fresh_network("loudness", setting, architecture, seed)
    noise = torch.randn(4, setting.signal.channels, 2**14, generator=torch.Generator().manual_seed(seed))
    return network(noise.to(setting.device)).square().mean().item()
