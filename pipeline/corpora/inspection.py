"""A look at a corpus before training: what it holds, and whether axes and units can be right.

``python -m pipeline.corpus --inspect`` prints the summary and writes, per speaker, a picture of
where the sensors were, and the first utterance with its sound.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from features.articulation import onto_grid
from features.frames import FRAME_RATE
from features.mfcc import mfcc
from features.timing import explained
from pipeline.corpora import Item, carstens, emu, files, ndi_wave, palates
from pipeline.ground.console import InputError, progress, say
from pipeline.ground.params import Corpus
from pipeline.ground.sensors import tongue_sensors
from pipeline.ground.utterance import Utterance
from pipeline.plots import style
from pipeline.plots.cloud import cloud
from pipeline.plots.midsagittal import fleshpoints
from pipeline.plots.timeline import timeline

RAW = {"carstens": (carstens, (".pos", ".txt")), "ndi-wave": (ndi_wave, (".tsv",))}
MOST_POINTS, LEAST_POINTS = 2000, 10  # of a sensor's cloud, from the first and the last utterance
MOUTH = 15, 250  # mm; the extent of sensors on anyone's articulators
STILL = 0.01  # mm; a sensor that moves less than this is broken or not there
LATE_S = 0.1  # between the end of the sound and that of the tracks
STATIC = 13  # MFCCs
FURTHEST = 30  # frames; between sound and tracks
TIMED = 150, 6000  # frames that time can be told from, and that are enough
MOVING = 0.5  # mm; a channel that moves less tells no time
LAG_S = 0.05  # that is said, if R squared at 0 is lower than its best by so much of
CLEAR = 0.08, 0.4  # the whole, and of the distance between best and worst
APART = 2  # mm; between sensors whose order can be told
IN_FRONT = ("UL", "LL", "LI", "JAW", "MNI", "LT")  # of the tongue: one of these is there
TYPICAL = 70  # mm; over which the articulators of a mouth spread
UNITS = {-1: "cm", -3: "m", 2: "1e-5 m", 3: "micrometres"}  # by the power of ten that it is off
MOST_KINDS = 40  # of labels that are listed
CUTOFF_HZ, MAX_GAP_S = 20, 0.1  # of the tracks that are held against the sound

Array = NDArray[np.float64]
Found = Iterable[tuple[Item, Utterance | str]]


class Timing(NamedTuple):
    """How sound and tracks keep time.

    ``lag`` in s is where linear regression on the sound explains most of the tracks, positive where
    the sound is later; ``best`` is R squared there and ``now`` at 0; ``clear`` if they differ.
    """

    lag: float
    best: float
    now: float
    clear: bool


@dataclass
class Speaker:
    """What was found of one speaker; sums, so that a corpus of any size fits."""

    first: Utterance
    utterances: int = 0
    seconds: float = 0.0
    late: int = 0
    counts: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    missing: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    sums: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    squares: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    places: defaultdict[str, list[Array]] = field(default_factory=lambda: defaultdict(list))
    cepstra: list[NDArray[np.floating]] = field(default_factory=list)
    moved: list[Array] = field(default_factory=list)

    def add(self, utterance: Utterance) -> None:
        """Take an utterance into the sums."""
        tracks = utterance.tracks
        end = float(tracks.time[-1])
        if utterance.audio is not None:
            end = len(utterance.audio) / utterance.sample_rate
            self.late += abs(end - tracks.time[-1]) > LATE_S
            self.compare(utterance)
        self.utterances += 1
        self.seconds += end
        for name, values in zip(tracks.channels, tracks.values.T, strict=True):
            known = values[np.isfinite(values)]
            self.counts[name] += len(values)
            self.missing[name] += len(values) - len(known)
            self.sums[name] += known.sum()
            self.squares[name] += (known**2).sum()
        wanted = max(MOST_POINTS // self.utterances, LEAST_POINTS)
        step = max(len(tracks.time) // wanted, 1)
        for sensor in fleshpoints(tracks.channels):
            columns = [tracks.channels.index(f"{sensor}_{axis}") for axis in "xy"]
            self.places[sensor].append(tracks.values[::step, columns])

    def compare(self, utterance: Utterance) -> None:
        """Keep the features of the sound and the tracks beside them, of some first utterances."""
        assert utterance.audio is not None
        if sum(map(len, self.moved)) > TIMED[1]:
            return
        tracks, first = utterance.tracks, self.first.tracks
        with np.errstate(invalid="ignore"):
            wide = np.nanmax(first.values, axis=0) - np.nanmin(first.values, axis=0) > MOVING
        names = [c for c, moves in zip(first.channels, wide, strict=True) if moves]
        if not {*names} <= {*tracks.channels} or not names:
            return
        values = tracks.values[:, [tracks.channels.index(name) for name in names]]
        try:
            # without deltas, which see what is near: the peak would be wider
            cepstra = mfcc(utterance.audio, utterance.sample_rate)[:, :STATIC]
            start, grid = onto_grid(tracks.time, values, CUTOFF_HZ, MAX_GAP_S, len(cepstra))
        except ValueError:
            return  # a gap; other utterances will do
        self.cepstra.append(cepstra[start : start + len(grid)])
        self.moved.append(grid)

    def mean(self, channel: str) -> float:
        """Return the mean of a channel, mm; NaN without a sample or a channel."""
        known = self.counts.get(channel, 0) - self.missing.get(channel, 0)
        return self.sums[channel] / known if known else np.nan

    def deviation(self, channel: str) -> float:
        """Return the standard deviation of a channel, mm."""
        known = self.counts[channel] - self.missing[channel]
        if not known:
            return np.nan
        return float(np.sqrt(max(self.squares[channel] / known - self.mean(channel) ** 2, 0)))

    def timing(self) -> Timing | None:
        """Return how sound and tracks keep time; None where there is too little to tell."""
        try:
            share = explained(self.cepstra, self.moved, FURTHEST)
        except ValueError:
            return None
        if sum(max(len(grid) - 2 * FURTHEST, 0) for grid in self.moved) < TIMED[0]:
            return None
        best, now = float(share.max()), float(share[FURTHEST])
        clear = best - now > max(CLEAR[0], CLEAR[1] * (best - float(share.min())))
        return Timing((int(share.argmax()) - FURTHEST) / FRAME_RATE, best, now, clear)

    def findings(self) -> Iterator[str]:
        """Yield what cannot be right, or needs a decision before training."""
        if self.first.tracks.unit == "mm":
            yield from self.misplaced()
        else:
            yield "z-scores, no millimetres: axes, unit and the sensors' order cannot be told"
        still = [name for name in self.counts if self.deviation(name) < STILL]
        if still:
            yield f"constant: {', '.join(still)}"
        if self.late:
            yield f"sound and tracks end {LATE_S} s or more apart in {self.late} utterances"
        if (timing := self.timing()) and timing.clear and abs(timing.lag) >= LAG_S:
            late = "late" if timing.lag < 0 else "early"
            yield f"the tracks come {abs(timing.lag) * 1000:.0f} ms too {late} for the sound"

    def misplaced(self) -> Iterator[str]:
        """Yield what says that an axis, a sensor's name or the unit is another one."""
        height = {sensor: self.mean(f"{sensor}_y") for sensor in self.places}
        forward = {sensor: self.mean(f"{sensor}_x") for sensor in self.places}
        tongue = tongue_sensors([f"{sensor}_{axis}" for sensor in self.places for axis in "xy"])
        from_tip = np.array([forward[sensor] for sensor in tongue])
        lips = next((sensor for sensor in IN_FRONT if sensor in forward), None)
        turned = False
        if lips and len(tongue) and forward[lips] < np.nanmax(from_tip):
            turned = forward[lips] < np.nanmin(from_tip)
            yield (
                f"the {style.sensor_name(lips)} lies behind the tongue: x may be turned round or"
                " another axis, or sensors swapped"
            )
        back = np.diff(-from_tip if turned else from_tip) > APART
        if back.any() and back.all() and len(tongue) > 2 and not lips:
            yield "the tongue lies back to front: x may be turned round"
        for k in np.flatnonzero(back):
            yield (
                f"{tongue[k + 1]} lies in front of {tongue[k]}, though it is named further back on"
                " the tongue: two sensors may be swapped"
            )
        if height.get("UL", np.inf) < height.get("LL", -np.inf):
            yield (
                "the upper lip lies below the lower one: y may be turned round or another axis, or"
                " the two swapped"
            )
        if self.mean("LC_z") < self.mean("RC_z"):
            yield "the left corner of the mouth lies to the right: z may be turned round"
        if self.places:
            points = np.concatenate([np.concatenate(cloud) for cloud in self.places.values()])
            low, high = np.nanpercentile(points, [1, 99], axis=0)
            extent = float(np.max(high - low))
            if not MOUTH[0] < extent < MOUTH[1]:
                power = round(np.log10(max(extent, 1e-9) / TYPICAL))
                unit = f", such as {UNITS[power]}" if power in UNITS else ""
                yield f"the sensors spread over {extent:.3g} mm: the unit may be another one{unit}"


@dataclass
class Survey:
    """What was found of a corpus."""

    speakers: dict[str, Speaker] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)
    sample_rates: Counter[int] = field(default_factory=Counter)
    frame_rates: Counter[float] = field(default_factory=Counter)
    phones: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    sentences: set[str] = field(default_factory=set)
    styles: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def add(self, item: Item, utterance: Utterance | str) -> None:
        """Take an utterance, or the reason why it cannot be used."""
        if isinstance(utterance, str):
            self.refused.append((item.id, utterance))
            return
        speaker = self.speakers.setdefault(utterance.speaker, Speaker(utterance))
        speaker.add(utterance)
        self.sample_rates[utterance.sample_rate] += 1
        self.frame_rates[round(utterance.tracks.rate, 2)] += 1
        self.phones.update(label.text for label in utterance.phones)
        self.words.update(label.text for label in utterance.words)
        self.notes += utterance.notes
        self.styles[utterance.style] += 1
        self.sentences.add(utterance.sentence)


def survey(found: Found) -> Survey:
    """Go through a corpus, one utterance at a time."""
    result = Survey()
    for item, utterance in found:
        result.add(item, utterance)
    return result


def with_names(corpus: Corpus, folder: Path) -> Corpus:
    """Name the sensors of raw sweeps by number, of EMU by file, where the parameters name none."""
    if corpus.reader == "emu" and not corpus.emu.sensors:
        tracks = {name: name for name in sorted(emu.tracked(folder, corpus.emu.axes))}
        named = msgspec.structs.replace(corpus.emu, sensors=tracks)
        return msgspec.structs.replace(corpus, emu=named)
    if corpus.reader not in RAW or corpus.channel_map:
        return corpus
    module, endings = RAW[corpus.reader]
    for path in files.below(folder, *endings):
        try:
            sweep = module.read_sweep(path, corpus.text_rate_hz)
        except InputError:
            continue  # the survey will say what is wrong with it
        connected = np.isfinite(sweep.points).any(axis=(0, 2))
        names = {n: f"S{n}" for n, there in zip(sweep.sensors, connected, strict=True) if there}
        head = msgspec.structs.replace(corpus.head_correction, reference=(), bite_plane=())
        return msgspec.structs.replace(corpus, channel_map=names, head_correction=head)
    return corpus


def summary(corpus: Corpus, folder: Path, result: Survey) -> Iterator[str]:
    """Yield the lines of the summary."""
    speakers = result.speakers.values()
    count = sum(speaker.utterances for speaker in speakers)
    minutes = sum(speaker.seconds for speaker in speakers) / 60
    yield f"{corpus.reader}: {folder}"
    yield (
        f"  utterances: {count}, {minutes:.2f} min; speakers: {len(result.speakers)};"
        f" sentences: {len(result.sentences - {''})}; refused: {len(result.refused)}"
    )
    yield f"  sound: {tally(result.sample_rates)} Hz; tracks: {tally(result.frame_rates)} Hz"
    for name, labels in (("phones", result.phones), ("words", result.words)):
        kinds = f" of {len(labels)} kinds: {tally(labels)}" if labels else ""
        yield f"  {name}: {labels.total()}{kinds}"
    if result.notes:
        yield f"  labels left out: {len(result.notes)}, the first: {result.notes[0]}"
    if styles := tally(result.styles):
        yield f"  styles: {styles}"
    for name, speaker in result.speakers.items():
        yield from about(name, speaker)
    for item, reason in result.refused:
        yield f"  refused {item}: {reason}"


def tally(counts: Counter) -> str:
    """Return values by frequency; how often, where there are several."""
    several = len(counts) > 1
    texts = [f"{v} ({n})" if several else f"{v}" for v, n in counts.most_common(MOST_KINDS) if v]
    return ", ".join(texts) + (", ..." if len(counts) > MOST_KINDS else "")


def about(name: str, speaker: Speaker) -> Iterator[str]:
    """Yield the lines of a speaker."""
    minutes = speaker.seconds / 60
    yield f"  speaker {name or '(no name)'}: {minutes:.2f} min in {speaker.utterances} utterance(s)"
    for sensor in dict.fromkeys(channel.rpartition("_")[0] for channel in speaker.counts):
        channels = [c for c in speaker.counts if c.rpartition("_")[0] == sensor]
        places = (
            f"{style.AXES.get(c.rpartition('_')[2], c)} {speaker.mean(c):.1f} ±"
            f" {speaker.deviation(c):.1f}"
            for c in sorted(channels)
        )
        missing = sum(speaker.missing[c] for c in channels)
        share = 100 * missing / sum(speaker.counts[c] for c in channels)
        unit = speaker.first.tracks.unit
        yield f"    {sensor:5} {', '.join(places)} {unit}; {share:.1f} % missing"
    if timing := speaker.timing():
        yield (
            f"    sound and tracks go together best at a lag of {timing.lag * 1000:+.0f} ms"
            f" (+: the sound is later): R squared {timing.best:.2f}, and {timing.now:.2f} at 0"
        )
    for finding in speaker.findings():
        yield f"    LOOK: {finding}"


def pictures(corpus: Corpus, result: Survey, output: Path) -> Iterator[Path]:
    """Draw every speaker; yield the stems of the pictures, to which .png and .pdf belong."""
    known = palates.traced(corpus)
    for name, speaker in result.speakers.items():
        stem = f"{corpus.reader}-{files.identifier(name) or 'speaker'}"
        if speaker.places:
            places = {sensor: np.concatenate(parts) for sensor, parts in speaker.places.items()}
            means = {
                sensor: np.array([speaker.mean(f"{sensor}_{axis}") for axis in "xyz"])
                for sensor in places
            }
            title = f"{corpus.reader} {plain(name)}, {speaker.seconds / 60:.2g} min"
            unit = speaker.first.tracks.unit
            drawn = cloud(places, means, title, unit=unit, palate=known.get(name))
            yield save(drawn, output / f"{stem}-sensors")
        first = speaker.first
        if first.audio is not None:
            heights = [c for c in first.tracks.channels if c.endswith("_y")]
            drawn = timeline(
                first.audio,
                first.sample_rate,
                {"measured": first.tracks},
                phones=first.phones,
                channels=heights,
                title=f"{corpus.reader} {first.id}",
            )
            yield save(drawn, output / f"{stem}-first")


def plain(name: str) -> str:
    """Return a name as Matplotlib shows it letter by letter, and no mathematics."""
    return name.replace("$", r"\$")


def save(drawn: Figure, stem: Path) -> Path:
    """Write a picture and return its stem."""
    style.save(drawn, stem)
    return stem


def inspect(corpus: Corpus, folder: Path, output: Path, found: Found) -> None:
    """Print the summary of what was found and draw it into a folder."""
    result = survey(found)
    if not result.speakers and not result.refused:
        raise InputError(f"{folder}: no utterance that the reader {corpus.reader} knows")
    for line in summary(corpus, folder, result):
        say(line)
    for stem in progress(pictures(corpus, result, output), unit="pictures"):
        say(f"  {stem}.png")
