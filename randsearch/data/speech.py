"""How corpora of noisy and clean speech lie on disk: VoiceBank-DEMAND's folders of equally named files."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from randsearch.base.errors import UserError
from randsearch.data.audio_files import Header, audio_header, read_audio
from randsearch.data.layouts import NoSubsetError, Recording, sound_entries
from randsearch.data.task import SPEECH_STEMS, TASKS, Task
from randsearch.data.track import FloatArray


class SpeechFolders:
    """Pairs `NOISY/NAME.wav`, `CLEAN/NAME.wav` at any sample rate; the noise is what they differ by.

    The folders of a subset are `noisy_trainset_28spk_wav` and `clean_trainset_28spk_wav` (with any number of speakers,
    or none), `noisy_testset_wav` and `clean_testset_wav`, or `train/noisy` and `train/clean`, `test/noisy` and
    `test/clean`.
    """

    stems: tuple[str, ...] = SPEECH_STEMS
    tasks: Mapping[str, Task] = TASKS
    partial = False
    unequal_seconds = 0.0  # their difference is the noise

    def find(self, root: Path, subset: str) -> tuple[Recording, ...]:
        """Pairs the files of a subset; see `Layout.find`."""
        noisy, clean = _folders(root, subset)
        names = {folder: _wavs(folder) for folder in (noisy, clean)}
        for folder, other in ((noisy, clean), (clean, noisy)):
            alone = sorted(names[folder] - names[other])
            if alone:
                raise UserError(
                    f"{folder / alone[0]} has no counterpart in {other} ({len(alone)} such file(s)): noisy and clean "
                    "files must bear the same names"
                )
        if not names[noisy]:
            raise UserError(f"{noisy} has no WAV files: speech:PATH expects NAME.wav there and in {clean}")
        (twice, times), *_ = Counter(Path(name).stem for name in names[noisy]).most_common(1)
        if times > 1:
            raise UserError(f"{noisy} has {times} files named {twice} (.wav, .WAV): rename one, there and in {clean}")
        return tuple(
            Recording(Path(name).stem, self.stems, (noisy / name, clean / name)) for name in sorted(names[noisy])
        )

    def header(self, file: Path) -> Header:
        """Reads a WAV header; see `Layout.header`."""
        return audio_header(file)

    def decode(self, recording: Recording) -> Iterator[Iterable[FloatArray]]:
        """Yields noise and speech; see `Layout.decode`."""
        yield self._noise(recording)
        yield read_audio(recording.files[1])

    def _noise(self, recording: Recording) -> Iterator[FloatArray]:
        for noisy, clean in zip(*map(read_audio, recording.files), strict=True):
            if noisy.shape != clean.shape:
                files = " and ".join(map(str, recording.files))
                raise UserError(
                    f"{files} differ in channels ({noisy.shape[1]} and {clean.shape[1]}): make them equal, so that "
                    "their difference is the noise"
                )
            yield noisy - clean


def _folders(root: Path, subset: str) -> tuple[Path, Path]:
    """The noisy and the clean folder of a subset."""
    if not root.is_dir():
        raise UserError(f"there is no folder {root}: check the path given to --data")
    plain = [root / subset / "noisy"] if (root / subset / "noisy").is_dir() else []
    found = plain + sorted(folder for folder in root.glob(f"noisy_{subset}set*") if folder.is_dir())
    if not found:
        raise NoSubsetError(
            f"{root} has no noisy speech for '{subset}': give the folder that holds noisy_{subset}set_wav and "
            f"clean_{subset}set_wav (as VoiceBank-DEMAND names them), or {subset}/noisy and {subset}/clean"
        )
    if len(found) > 1:
        listed = ", ".join(str(folder.relative_to(root)) for folder in found)
        raise UserError(
            f"{root} has several folders of noisy speech for '{subset}' ({listed}): leave one of them there"
        )
    noisy = found[0]
    clean = noisy.with_name("clean" + noisy.name.removeprefix("noisy"))
    if not clean.is_dir():
        raise UserError(f"there is no folder {clean} beside {noisy}: add the clean files")
    return noisy, clean


def _wavs(folder: Path) -> set[str]:
    return {file.name for file in sound_entries(folder, lambda entry: entry.suffix.lower() == ".wav")}
