"""A look at a corpus before training: what it holds, and whether axes and units can be right.

``python -m pipeline.corpus --inspect`` prints the summary and writes, per speaker, a picture of
where the sensors were, and the first utterance with its sound.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from features.articulation import onto_grid
from features.energy import log_energy
from features.metrics import best_lag
from pipeline.corpora import Item, carstens, files, ndi_wave
from pipeline.ground.console import InputError, progress, say
from pipeline.ground.params import Corpus
from pipeline.ground.sensors import TONGUE
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
OPENING = ("JAW", "LI", "MNI", "LL")  # sensors that go down when the mouth opens
MOST_KINDS = 40  # of labels that are listed
CUTOFF_HZ, MAX_GAP_S, MAX_LAG = 20, 0.1, 20  # of the tracks that are held against the sound

Array = NDArray[np.float64]
Found = Iterable[tuple[Item, Utterance | str]]


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
    opening: defaultdict[str, list[Array]] = field(default_factory=lambda: defaultdict(list))
    energy: defaultdict[str, list[Array]] = field(default_factory=lambda: defaultdict(list))

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
        """Keep the heights that follow the opening of the mouth, and the energy beside them."""
        assert utterance.audio is not None
        loud = log_energy(utterance.audio, utterance.sample_rate)
        tracks = utterance.tracks
        for sensor in OPENING:
            if f"{sensor}_y" not in tracks.channels:
                continue
            height = tracks.values[:, [tracks.channels.index(f"{sensor}_y")]]
            try:
                first, grid = onto_grid(tracks.time, height, CUTOFF_HZ, MAX_GAP_S, len(loud))
            except ValueError:
                continue  # a gap; other utterances will do
            self.opening[sensor].append(-grid)
            self.energy[sensor].append(loud[first : first + len(grid), None])

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

    def lags(self) -> Iterator[tuple[str, float, float]]:
        """Yield each sensor that goes down as the mouth opens, and how the log energy follows it.

        The lag in s at which their correlation is best, negative where the sound comes first, and
        that correlation.
        """
        for sensor, opening in self.opening.items():
            lag, r = best_lag(opening, self.energy[sensor], MAX_LAG)
            yield sensor, float(lag[0]) / 100, float(r[0])

    def findings(self) -> Iterator[str]:
        """Yield what cannot be right, or needs a decision before training."""
        heights = {sensor: self.mean(f"{sensor}_y") for sensor in self.places}
        forward = {sensor: self.mean(f"{sensor}_x") for sensor in self.places}
        tongue = [forward[sensor] for sensor in TONGUE if sensor in forward]
        if tongue and forward.get("UL", np.inf) < np.nanmax(tongue):
            yield "the upper lip lies behind the tongue: x may be turned round or another axis"
        if heights.get("UL", np.inf) < heights.get("LL", -np.inf):
            yield "the upper lip lies below the lower one: y may be turned round or another axis"
        if self.places:
            points = np.concatenate([np.concatenate(cloud) for cloud in self.places.values()])
            low, high = np.nanpercentile(points, [1, 99], axis=0)
            extent = float(np.max(high - low))
            if not MOUTH[0] < extent < MOUTH[1]:
                yield f"the sensors spread over {extent:.3g} mm: the unit may be another one"
        still = [name for name in self.counts if self.deviation(name) < STILL]
        if still:
            yield f"constant: {', '.join(still)}"
        if self.late:
            yield f"sound and tracks end {LATE_S} s or more apart in {self.late} utterances"


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
        self.styles[utterance.style] += 1
        self.sentences.add(utterance.sentence)


def survey(found: Found) -> Survey:
    """Go through a corpus, one utterance at a time."""
    result = Survey()
    for item, utterance in found:
        result.add(item, utterance)
    return result


def with_names(corpus: Corpus, folder: Path) -> Corpus:
    """Name the connected sensors of raw sweeps by their numbers where ``channel_map`` is empty."""
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
        yield f"    {sensor:5} {', '.join(places)} mm; {share:.1f} % missing"
    for sensor, lag, r in speaker.lags():
        yield (
            f"    {sensor} going down and log energy correlate best at a lag of"
            f" {lag * 1000:+.0f} ms (+: the sound is later), r = {r:.2f}"
        )
    for finding in speaker.findings():
        yield f"    LOOK: {finding}"


def pictures(corpus: Corpus, result: Survey, output: Path) -> Iterator[Path]:
    """Draw every speaker; yield the stems of the pictures, to which .png and .pdf belong."""
    for name, speaker in result.speakers.items():
        stem = f"{corpus.reader}-{files.identifier(name) or 'speaker'}"
        if speaker.places:
            places = {sensor: np.concatenate(parts) for sensor, parts in speaker.places.items()}
            means = {
                sensor: np.array([speaker.mean(f"{sensor}_{axis}") for axis in "xyz"])
                for sensor in places
            }
            title = f"{corpus.reader} {name}, {speaker.seconds / 60:.2g} min"
            yield save(cloud(places, means, title), output / f"{stem}-sensors")
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
