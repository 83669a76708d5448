"""The files of an utterance: found by name and place, and read together."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pipeline.corpora import Item
from pipeline.formats import audio, lab
from pipeline.ground.params import Corpus
from pipeline.ground.storage import walk
from pipeline.ground.utterance import Label, Tracks, Utterance

# folders that say what kind of file lies in them, and nothing of speaker or session: ``wav``,
# ``wavfiles``, ``wav_headMic``, ``mngu0_s1_ema_basic_1.1.0``
# but not Ema and Mat, who may be speakers
KINDS = re.compile(
    r"(?<![^\W\d_])(?-i:(?!Ema|Mat))(audio|ema|lab|label|mat|ndi|phn|pos|prompt|sound|ssff|textgrid"
    r"|trans|transcript|tsv|txt|txy|wav|wave)(file|folder)?s?(?![^\W\d_])",
    re.IGNORECASE,
)


UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # control signs, bytes that are no text, line breaks
HTK_UNITS = 1e7  # per second
BEYOND_S = 0.5  # by which labels may outlast the sound
LEAST = 0.1  # of the sound that labels in another unit must span to be believed


def below(folder: Path, *endings: str) -> list[Path]:
    """Return the files below a folder by their endings, whatever the case, in a fixed order.

    All files, if no ending is given.

    Links to folders are followed; a folder to which several ways lead is entered once.
    """
    wanted = {ending.lower() for ending in endings}
    return sorted(path for path in walk(folder) if not wanted or path.suffix.lower() in wanted)


def home(path: Path) -> tuple[str, ...]:
    """Return the folders of a file that tell whose it is, without those of `KINDS`."""
    return tuple(part for part in path.parent.parts if not KINDS.search(part))


class Companions:
    """The files that may belong to another file, by name and place.

    Corpora keep sound, tracks and labels of an utterance under one name, side by side or in folders
    of their own. The name may come again for another speaker or session, whose file is never taken:
    a companion lies in the same folder but for folders that tell kinds of files apart (`KINDS`).

    Parameters
    ----------
    folder : Path
        Of the corpus.
    *endings : str
        Of the companions.
    unique : bool
        The names themselves tell speaker and session, so that a companion may lie anywhere.
    """

    def __init__(self, folder: Path, *endings: str, unique: bool = False) -> None:
        self.folder = folder
        self.unique = unique
        self.by_name: dict[str, list[Path]] = {}
        for path in below(folder, *endings):
            self.by_name.setdefault(path.stem.lower(), []).append(path)

    def of(self, path: Path, *, unique: bool = False) -> Path | None:
        """Return the file of the same name that belongs to ``path``, if any.

        The one that shares most folders with it, should there be several.
        """
        named = self.by_name.get(path.stem.lower(), [])
        if not (unique or self.unique):
            own = home(path.relative_to(self.folder))
            named = [other for other in named if home(other.relative_to(self.folder)) == own]

        def shared(other: Path) -> int:
            return len(Path(os.path.commonpath([path, other])).parts)

        return max(named, key=shared, default=None)

    def expected(self, path: Path, ending: str, *, unique: bool = False) -> Path:
        """Return the companion or, where there is none, the path whose absence can be reported."""
        return self.of(path, unique=unique) or path.with_suffix(ending)


def present(*paths: Path | None) -> tuple[Path, ...]:
    """Return the paths that are there."""
    return tuple(path for path in paths if path is not None)


def by_ending(paths: Iterable[Path]) -> dict[str, Path]:
    """Return files by their lower-case ending, such as ``.lab``."""
    return {path.suffix.lower(): path for path in paths}


def identifier(*words: str, separator: str = "_") -> str:
    """Join words to an id of letters of any script, digits, ``_``, ``-`` and ``.``."""
    return separator.join("".join(map(safe, composed(word))) for word in words if word)


def composed(word: str) -> str:
    """Return a name with its accents composed: some systems store them as signs of their own."""
    return unicodedata.normalize("NFC", word)


def shown(path: Path) -> str:
    """Return a path on one line: what would break it, or is no text, as Python writes it."""
    return "".join(
        f"\\x{ord(sign) & 0xFF:02x}" if unicodedata.category(sign) in UNPRINTABLE else sign
        for sign in str(path)
    )


def safe(sign: str) -> str:
    """Return a letter, a mark of one, a digit, ``-`` or ``.`` as it is, anything else as ``_``."""
    kind = unicodedata.category(sign)[0]
    return sign if kind in "LMN" or sign in "-." else "_"


def read_together(
    item: Item, corpus: Corpus, read_tracks: Callable[[Path], Tracks], label_units: float = 1.0
) -> Utterance:
    """Read an utterance whose files are the sound, the tracks and perhaps the phone labels.

    Parameters
    ----------
    item : Item
    corpus : Corpus
        Tells which channel of the sound is the microphone's.
    read_tracks : callable
    label_units : float
        Units of the labels' times per second.
    """
    sound, sample_rate = audio.read(item.files[0], corpus.channel)
    notes: list[str] = []
    phones: Sequence[Label] = ()
    if len(item.files) > 2:
        seconds = len(sound) / sample_rate
        phones = read_labels(item.files[2], seconds, sample_rate, notes, units=label_units)
    return item.utterance(
        read_tracks(item.files[1]),
        audio=sound,
        sample_rate=sample_rate,
        phones=phones,
        notes=tuple(notes),
    )


def read_labels(
    path: Path, seconds: float, sample_rate: int, notes: list[str], *, units: float = 1.0
) -> tuple[Label, ...]:
    """Read a label file, in whatever unit its times fit the sound.

    Parameters
    ----------
    path : Path
    seconds, sample_rate : float, int
        Of the sound. Labels in ``units`` that go far beyond it are in samples or, as HTK has them,
        in units of 100 ns, if they span a good part of the sound then.
    notes : list of str
        Is told of what cannot be used.
    units : float
        Per second.
    """
    labels = lab.read(path, units, notes)
    last = max((label.end for label in labels), default=0.0) * units
    if last / units > seconds + BEYOND_S:
        for other in (sample_rate, HTK_UNITS):
            if LEAST * seconds < last / other <= seconds + BEYOND_S:
                scale = units / other
                labels = tuple(Label(x.start * scale, x.end * scale, x.text) for x in labels)
                break
    return usable(path, labels, seconds, notes)


def usable(
    path: Path, labels: Iterable[Label], seconds: float, notes: list[str]
) -> tuple[Label, ...]:
    """Return the labels that lie within the sound; ``notes`` is told of the others.

    An end that is only somewhat beyond that of the sound, as rounding makes it, is brought to it.
    """
    found = []
    for label in labels:
        ordered = 0 <= label.start <= label.end
        if not ordered or label.start >= seconds or label.end > seconds + BEYOND_S:
            notes.append(
                f"{path}: label {label.text!r} from {label.start:g} to {label.end:g} s of"
                f" {seconds:.3f} s of sound"
            )
        else:
            found.append(Label(label.start, min(label.end, seconds), label.text))
    return tuple(found)
