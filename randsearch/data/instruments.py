"""The instruments of the synthetic songs: each function returns the samples of one note, hit or vocal line.

All are additive or filtered-noise synthesis at 8 kHz; partials above 3.8 kHz are left out, so nothing aliases.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 8000
HIGHEST_HZ = 3800.0

FloatArray = npt.NDArray[np.float64]

_FRAME = 40  # samples between two values of a slow curve (5 ms)
_VOWELS_HZ = ((730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410))
_FORMANT_WIDTHS_HZ = (90.0, 110.0, 160.0)
_FORMANT_GAINS = (1.0, 0.6, 0.35)


def frequency_hz(pitch: float) -> float:
    """Frequency of a MIDI note."""
    return 440.0 * float(2.0 ** ((pitch - 69.0) / 12.0))


def _seconds(duration: float) -> FloatArray:
    """Points in time of a sound, at least one."""
    return np.arange(max(1, round(duration * SAMPLE_RATE))) / SAMPLE_RATE


def _faded(samples: FloatArray, attack_seconds: float, release_seconds: float) -> FloatArray:
    """Ramps the ends of a sound so that it does not click."""
    position = np.arange(len(samples)) / SAMPLE_RATE
    rise = np.minimum(1.0, position / attack_seconds)
    return samples * rise * np.minimum(1.0, position[::-1] / release_seconds)


def kick(tuning: float) -> FloatArray:
    """A sine that falls from 130 Hz to 45 Hz."""
    time = _seconds(0.28)
    phase = 45.0 * time + 85.0 * 0.03 * (1.0 - np.exp(-time / 0.03))
    return _faded(np.sin(2 * np.pi * tuning * phase) * np.exp(-time / 0.09), 0.001, 0.02)


def snare(tuning: float, random: np.random.Generator) -> FloatArray:
    """A short tone under a burst of noise."""
    time = _seconds(0.2)
    tone = np.sin(2 * np.pi * 185.0 * tuning * time) * np.exp(-time / 0.04)
    return _faded(0.6 * tone + 0.6 * random.standard_normal(len(time)) * np.exp(-time / 0.06), 0.001, 0.02)


def hat(tuning: float, random: np.random.Generator) -> FloatArray:
    """A very short burst of high noise."""
    time = _seconds(0.09)
    noise = np.diff(random.standard_normal(len(time) + 2), n=2) / 2.0
    return _faded(noise * np.exp(-time / (0.025 / tuning)), 0.001, 0.01)


def _partials(fundamental_hz: float, time: FloatArray, amplitudes: FloatArray, decays: FloatArray) -> FloatArray:
    """Sums harmonics that die away at their own speed (decays in 1/s)."""
    number = np.arange(1, len(amplitudes) + 1)[:, None]
    waves = np.sin(2 * np.pi * fundamental_hz * number * time)
    total: FloatArray = (amplitudes[:, None] * np.exp(-decays[:, None] * time) * waves).sum(axis=0)
    return total


def bass_note(pitch: int, duration: float, brightness: float) -> FloatArray:
    """A plucked string: harmonics fall off as 1/n**(2/brightness) and the high ones die first."""
    time = _seconds(duration)
    number = np.arange(1.0, 9.0)
    note = _partials(frequency_hz(pitch), time, number ** (-2.0 / brightness), 1.0 + 1.5 * number)
    return _faded(note, 0.005, 0.03)


def other_note(pitch: int, duration: float, slope: float, odd_only: bool, sustained: bool) -> FloatArray:
    """A plucked or sustained tone.

    Args:
        pitch: MIDI note.
        duration: seconds.
        slope: harmonic n has the amplitude n**-slope.
        odd_only: whether even harmonics are weak, as in a clarinet.
        sustained: held like an organ instead of decaying like a string.
    """
    time = _seconds(duration)
    fundamental = frequency_hz(pitch)
    number = np.arange(1, min(12, int(HIGHEST_HZ / fundamental)) + 1.0)
    amplitudes: FloatArray = number**-slope * np.where(odd_only & (number % 2 == 0), 0.15, 1.0)
    decays = np.zeros(len(number)) if sustained else 2.0 + 1.2 * number
    note = _partials(fundamental, time, amplitudes, decays)
    return _faded(note, 0.06, 0.1) if sustained else _faded(note, 0.004, 0.03)


def voice(syllables: Sequence[tuple[float, float, float]], seconds: float, random: np.random.Generator) -> FloatArray:
    """A singing voice: glides, vibrato, vowels with three formants, breath, and a consonant before most syllables.

    Args:
        syllables: start in seconds, duration in seconds and MIDI note of each, in order, not overlapping.
        seconds: length of the result.
        random: decides the singer (size of the vocal tract, vibrato) and the vowels.

    Returns:
        samples, shape `(seconds * SAMPLE_RATE,)`.
    """
    n_samples = round(seconds * SAMPLE_RATE)
    frames = np.arange(0, n_samples + _FRAME, _FRAME) / SAMPLE_RATE
    tract = random.uniform(0.9, 1.2)
    pitch, loudness, formants = np.zeros_like(frames), np.zeros_like(frames), np.zeros((3, len(frames)))
    consonants = np.zeros(n_samples)
    for position, (start, duration, note) in enumerate(syllables):
        # each holds until the next begins, so that the smoothed curves glide from note to note
        held = slice(None) if position == 0 else frames >= start
        pitch[held] = note
        formants[:, held] = tract * np.array(_VOWELS_HZ[random.integers(len(_VOWELS_HZ))], dtype=float)[:, None]
        loudness[(frames >= start + 0.04) & (frames < start + duration - 0.02)] = random.uniform(0.75, 1.0)
        if random.random() < 0.7:
            _add_consonant(consonants, start, random)
    vibrato = random.uniform(0.2, 0.5) * np.sin(2 * np.pi * random.uniform(4.8, 6.5) * frames + random.uniform(0, 6))
    pitch = _smoothed(pitch, 0.05) + vibrato + 0.05 * random.standard_normal(len(frames))
    sung = _sung(pitch, _smoothed(loudness, 0.03), np.array([_smoothed(row, 0.05) for row in formants]), n_samples)
    sung /= np.abs(sung).max()
    breath = np.diff(random.standard_normal(n_samples + 1)) * np.abs(sung)
    return sung + 0.08 * breath + 0.12 * consonants


def _smoothed(curve: FloatArray, seconds: float) -> FloatArray:
    """Moving average of a slow curve that holds its end values."""
    half = round(seconds * SAMPLE_RATE / _FRAME / 2)
    window = np.ones(2 * half + 1) / (2 * half + 1)
    return np.convolve(np.pad(curve, half, mode="edge"), window, mode="valid")


def _add_consonant(samples: FloatArray, start: float, random: np.random.Generator) -> None:
    """Adds a hiss or a plosive's burst, 30 to 80 ms, at the start of a syllable."""
    noise = np.diff(random.standard_normal(round(random.uniform(0.03, 0.08) * SAMPLE_RATE) + 1))
    shape = np.exp(-np.arange(len(noise)) / len(noise) * random.uniform(1.0, 5.0))
    begin = round(start * SAMPLE_RATE)
    end = min(len(samples), begin + len(noise))
    samples[begin:end] += (_faded(noise * shape, 0.003, 0.01))[: max(0, end - begin)]


def _sung(pitch: FloatArray, loudness: FloatArray, formants_hz: FloatArray, n_samples: int) -> FloatArray:
    """Harmonics of a gliding tone, each as loud as the formants let its momentary frequency through.

    The arguments are curves with a value a frame; the last, `formants_hz`, has the shape `(3, frames)`.
    """
    fundamental = 440.0 * 2.0 ** ((pitch - 69.0) / 12.0)
    samples = np.arange(n_samples)
    frame_starts = np.arange(len(pitch)) * _FRAME
    phase = 2 * np.pi * np.cumsum(np.interp(samples, frame_starts, fundamental)) / SAMPLE_RATE
    out = np.zeros(n_samples)
    for number in range(1, int(HIGHEST_HZ / fundamental.min()) + 1):
        partial_hz = number * fundamental
        through = np.full(len(pitch), 0.03)
        for centre, width, gain in zip(formants_hz, _FORMANT_WIDTHS_HZ, _FORMANT_GAINS, strict=True):
            through += gain / (1.0 + ((partial_hz - centre) / width) ** 2)
        amplitude = loudness * through / number**0.7 * (partial_hz < HIGHEST_HZ)
        out += np.interp(samples, frame_starts, amplitude) * np.sin(number * phase)
    return out
