"""Songs made by numpy, so that the package can be tried without any data.

Each song draws its own key, tempo, chords, drum pattern, timbres, singer and melody from a seed of its own. A song is
four stems at 8 kHz: `bass` and `drums` overlap little with the voice, `other` plays chords or arpeggios right in its
pitch range, and the voice is as loud as all of them together, so that no volume knob and no fixed filter separates
them well. The songs are written once as 16-bit WAV files in MUSDB-HQ's layout and then read like any other corpus.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from randsearch.data.cache import locked, writing
from randsearch.data.instruments import SAMPLE_RATE, bass_note, hat, kick, other_note, snare, voice
from randsearch.data.task import STEMS

GENERATOR_VERSION = 1
"""Raise it when the same seed should give different songs."""

SONGS = {"train": 16, "test": 4}
SECONDS = 12.0
PEAK = 0.9  # of the loudest of mixture and stems, so that nothing clips in 16 bits

FloatArray = npt.NDArray[np.float64]

_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_MINOR = (0, 2, 3, 5, 7, 8, 10)
_PROGRESSIONS = ((0, 4, 5, 3), (0, 5, 3, 4), (5, 3, 0, 4), (0, 3, 1, 4), (0, 2, 3, 4), (3, 4, 2, 5), (0, 3, 0, 4))
_KICKS = ("x...x...x...x...", "x.....x.x.......", "x..x..x...x.....", "x.......x.x...x.")
_SNARES = ("....x.......x...", "....x.......x..x", "........x.......", "....x..x....x...")
_HATS = ("x.x.x.x.x.x.x.x.", "xxxxxxxxxxxxxxxx", "..x...x...x...x.", "x..xx..xx..xx..x")
_LEVELS = {"bass": -4.5, "drums": -7.0, "other": -5.5, "vocals": 0.0}  # dB, before each song's own deviation


@dataclass(frozen=True)
class Score:
    """What all players of a song agree on."""

    tonic: int  # MIDI note, 48 to 59
    scale: tuple[int, ...]
    chords: tuple[int, ...]  # scale degrees, one a bar
    step_seconds: float  # a sixteenth note; a bar has 16

    @property
    def bars(self) -> int:
        """Bars that begin within the song."""
        return int(np.ceil(SECONDS / (16 * self.step_seconds)))

    def pitch(self, degree: int) -> int:
        """MIDI note of a scale degree; degrees below 0 or above 6 lie in other octaves."""
        octave, step = divmod(degree, len(self.scale))
        return self.tonic + 12 * octave + self.scale[step]

    def chord(self, bar: int) -> int:
        """Scale degree on which the bar's chord is built."""
        return self.chords[bar % len(self.chords)]


def synthetic_corpus(seed: int, cache: Path) -> Path:
    """Returns the folder of the songs of a seed, writing them first if need be.

    Args:
        seed: non-negative; each seed gives other songs.
        cache: the cache folder.

    Returns:
        a folder in MUSDB-HQ's layout.
    """
    name = f"synthetic-v{GENERATOR_VERSION}-seed{seed}"
    folder = cache / name
    if folder.is_dir():
        return folder
    with locked(cache, name), writing(cache):
        if not folder.is_dir():
            unfinished = cache / f"{name}.tmp"
            shutil.rmtree(unfinished, ignore_errors=True)
            titles = [
                f"{subset}/Synthetic {seed} - {song:02d}" for subset, n in SONGS.items() for song in range(1, n + 1)
            ]
            for number, title in enumerate(titles):
                _write_song(unfinished / title, make_song(seed, number))
            unfinished.rename(folder)
    return folder


def _write_song(folder: Path, stems: dict[str, FloatArray]) -> None:
    folder.mkdir(parents=True)
    for stem, samples in stems.items():
        with (folder / f"{stem}.wav").open("wb") as file:  # opened here: a full disk then raises OSError
            soundfile.write(file, samples, SAMPLE_RATE, subtype="PCM_16", format="WAV")


def make_song(seed: int, number: int) -> dict[str, FloatArray]:
    """Composes and plays one song.

    Args:
        seed: of the corpus.
        number: of the song in the corpus.

    Returns:
        for each of `STEMS` its samples, shape `(samples,)`.
    """
    random = np.random.default_rng([GENERATOR_VERSION, seed, number])
    score = Score(
        tonic=int(random.integers(48, 60)),
        scale=_MAJOR if random.random() < 0.5 else _MINOR,
        chords=tuple(_PROGRESSIONS[random.integers(len(_PROGRESSIONS))]),
        step_seconds=15.0 / random.uniform(75.0, 150.0),
    )
    stems = {
        "bass": _play_bass(score, random),
        "drums": _play_drums(score, random),
        "other": _play_other(score, random),
        "vocals": _sing(score, random),
    }
    for stem in STEMS:
        level_db = _LEVELS[stem] + random.uniform(-1.5, 1.5)
        stems[stem] *= 10 ** (level_db / 20) / np.sqrt(np.mean(stems[stem] ** 2))
    loudest = max(np.abs(samples).max() for samples in (*stems.values(), sum(stems.values())))
    return {stem: samples * (PEAK / loudest) for stem, samples in stems.items()}


def _place(stem: FloatArray, seconds: float, note: FloatArray) -> None:
    """Adds a note to a stem from `seconds` on, cut at the end of the song."""
    start = round(seconds * SAMPLE_RATE)
    stop = min(start + len(note), len(stem))
    stem[start:stop] += note[: max(0, stop - start)]


def _silence() -> FloatArray:
    return np.zeros(round(SECONDS * SAMPLE_RATE))


def _play_drums(score: Score, random: np.random.Generator) -> FloatArray:
    """One pattern a song, with human accents, dropped hits and a fill at the end of every fourth bar."""
    stem = _silence()
    patterns = [patterns[random.integers(len(patterns))] for patterns in (_KICKS, _SNARES, _HATS)]
    tuning = random.uniform(0.8, 1.25)
    for step in range(16 * score.bars):
        fill = step % 64 >= 60
        hits = [pattern[step % 16] == "x" and random.random() > 0.05 for pattern in patterns]
        seconds = step * score.step_seconds
        if hits[0]:
            _place(stem, seconds, random.uniform(0.8, 1.0) * kick(tuning))
        if hits[1] or fill:
            _place(stem, seconds, random.uniform(0.5, 0.8) * snare(tuning, random))
        if hits[2]:
            _place(stem, seconds, random.uniform(0.2, 0.45) * hat(tuning, random))
    return stem


def _play_bass(score: Score, random: np.random.Generator) -> FloatArray:
    """Roots, with fifths and octaves in between, in the song's own rhythm."""
    stem = _silence()
    brightness = random.uniform(0.6, 1.6)
    steps = int(random.choice([2, 4, 8]))
    for step in range(0, 16 * score.bars, steps):
        degree = score.chord(step // 16) + (0 if step % 16 == 0 else int(random.choice([0, 0, 4, 7])))
        pitch = score.pitch(degree) - 24
        duration = steps * score.step_seconds * random.uniform(0.6, 0.98)
        _place(stem, step * score.step_seconds, bass_note(pitch + 12 * (pitch < 28), duration, brightness))
    return stem


def _play_other(score: Score, random: np.random.Generator) -> FloatArray:
    """Arpeggios, strummed chords or sustained chords, an octave above the tonic: where the voice sings."""
    stem = _silence()
    style = str(random.choice(["arpeggio", "strum", "sustained"]))
    timbre = random.uniform(0.7, 2.0), bool(random.random() < 0.4), style == "sustained"
    order = random.permutation([0, 2, 4, 7])
    steps = {"arpeggio": 2, "strum": int(random.choice([4, 8])), "sustained": 16}[style]
    for step in range(0, 16 * score.bars, steps):
        degrees = [int(order[step // steps % 4])] if style == "arpeggio" else [0, 2, 4, 7]
        for position, degree in enumerate(degrees):
            seconds = step * score.step_seconds + (0.015 * position if style == "strum" else 0.0)
            duration = (2 * steps if style == "arpeggio" else steps) * score.step_seconds
            pitch = score.pitch(score.chord(step // 16) + degree) + 12
            _place(stem, seconds, random.uniform(0.7, 1.0) * other_note(pitch, duration, *timbre))
    return stem


def _sing(score: Score, random: np.random.Generator) -> FloatArray:
    """Phrases of syllables that walk through the scale towards the chord's notes, with breaths in between."""
    low, high = (2, 11) if random.random() < 0.5 else (5, 14)  # a lower and a higher singer, in scale degrees
    degree = int(random.integers(low, high))
    syllables = []
    step, left = int(random.integers(0, 4)), int(random.integers(5, 10))
    while step * score.step_seconds < SECONDS:
        steps = int(random.choice([1, 2, 2, 3, 4, 6])) if left > 1 else int(random.integers(4, 8))
        degree = int(np.clip(degree + random.integers(-2, 3), low, high))
        if step % 4 == 0 and random.random() < 0.6:
            degree += (0, 1, 0, -1, 0, 1, 0)[(degree - score.chord(step // 16)) % 7]
        syllables.append((step * score.step_seconds, max(0.14, steps * score.step_seconds), score.pitch(degree)))
        step, left = step + steps, left - 1
        if left == 0:
            step, left = step + int(random.integers(3, 8)), int(random.integers(5, 10))
    return voice(syllables, SECONDS, random)
