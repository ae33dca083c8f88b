"""The score of a separation: signal-to-distortion ratio over one-second segments, and what a volume knob reaches.

SDR = 10 log10(sum s^2 / sum (s - s_hat)^2) for each source, each channel and each whole second of a track (a remainder
is left out). A second counts only if every source is above -60 dBFS in it, so that no source is scored on silence and
all sources are scored on the same seconds. The score is the median per source over the seconds of all tracks, and the
mean of that over sources.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

AUDIBLE_DBFS = -60.0

Array = NDArray[np.float64]


def energies(signal: NDArray[np.floating], sample_rate: int) -> Array:
    """Energy of each whole second.

    Args:
        signal: (..., time).
        sample_rate: samples a second.

    Returns:
        (..., seconds), summed in float64.
    """
    seconds = signal.shape[-1] // sample_rate
    frames = signal[..., : seconds * sample_rate].reshape(*signal.shape[:-1], seconds, sample_rate)
    summed: Array = np.einsum("...t,...t->...", frames, frames, dtype=np.float64)
    return summed


def audible(reference_energies: Array, sample_rate: int) -> NDArray[np.bool_]:
    """Which seconds count: those in which every source is above -60 dBFS.

    Args:
        reference_energies: (sources, channels, seconds).
        sample_rate: samples a second.

    Returns:
        (channels, seconds).
    """
    floor = sample_rate * 10.0 ** (AUDIBLE_DBFS / 10.0)
    return np.asarray((reference_energies > floor).all(axis=0))


def sdr(references: NDArray[np.floating], estimates: NDArray[np.floating], sample_rate: int) -> Array:
    """SDR of every audible second of one track.

    Args:
        references: (sources, channels, time).
        estimates: the same shape.
        sample_rate: samples a second.

    Returns:
        (sources, audible seconds of all channels) in dB; a perfect estimate gives infinity.
    """
    signal = energies(references, sample_rate)
    distortion = energies(np.subtract(references, estimates, dtype=np.float64), sample_rate)
    mask = audible(signal, sample_rate)
    with np.errstate(divide="ignore"):
        return 10.0 * (np.log10(signal[:, mask]) - np.log10(distortion[:, mask]))


def score(tracks: Iterable[Array]) -> float:
    """Median per source over the seconds of all tracks, mean over sources.

    Args:
        tracks: (sources, seconds) of each track, in dB.
    """
    return float(np.median(np.concatenate(list(tracks), axis=1), axis=1).mean())


def second_moments(references: NDArray[np.floating], sample_rate: int) -> Array:
    """What the SDR of a constant gain depends on, for every audible second of one track.

    Args:
        references: (sources, channels, time); the mixture is their sum.
        sample_rate: samples a second.

    Returns:
        (3, sources, seconds): energy of the source, its product with the mixture, energy of the mixture.
    """
    mixture = references.sum(axis=0, keepdims=True)
    signal, mixed = energies(references, sample_rate), energies(mixture, sample_rate)
    # <s, m> = (|s|^2 + |m|^2 - |m - s|^2) / 2 keeps to one helper and one accumulation.
    product = (signal + mixed - energies(mixture - references, sample_rate)) / 2.0
    mask = audible(signal, sample_rate)
    return np.stack([signal[:, mask], product[:, mask], np.broadcast_to(mixed, signal.shape)[:, mask]])


def gain_sdr(moments: Array, gains: Array) -> Array:
    """SDR of the mixture times a constant gain as the estimate of each source.

    Args:
        moments: (3, sources, seconds), see `second_moments`.
        gains: (sources,).

    Returns:
        (sources, seconds) in dB.
    """
    signal, product, mixed = moments
    gain = gains[:, None]
    distortion = signal - 2.0 * gain * product + gain**2 * mixed
    with np.errstate(divide="ignore"):
        decibels: Array = 10.0 * (np.log10(signal) - np.log10(np.maximum(distortion, 0.0)))
    return decibels


def best_gains(moments: Array) -> Array:
    """The constant gains, from 0 to 2 in steps of 0.005, with the highest median SDR for each source.

    Args:
        moments: (3, sources, seconds) of the tracks to fit on.
    """
    candidates = np.linspace(0.0, 2.0, 401)
    medians = np.stack([np.median(gain_sdr(moments, np.full(moments.shape[1], gain)), axis=1) for gain in candidates])
    best: Array = candidates[medians.argmax(axis=0)]
    return best
