"""The embedded corpus: the same bytes however it is made, whole files only, a sane speaker."""

import csv
import importlib.metadata
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.corpora import vocaltractlab
from pipeline.corpora.vocaltractlab import phonotactics, score, synthesis
from pipeline.ground import params
from pipeline.ground.console import InputError, UsageError
from pipeline.ground.params import Synthesis
from tests.conftest import ROOT

SHORT = Synthesis(
    speakers=1, utterances=4, seed=2353
)  # four utterances of 1.5 s with all kinds of consonants
TOUCHING_MM = 18.0  # between the borders of lips that touch: they are that thick
PARAMS = params.load(ROOT / "params.yaml").corpus


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def library() -> None:
    try:
        importlib.metadata.version(synthesis.LIBRARY)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{synthesis.LIBRARY} is not installed (the extra `synthesis`)")


@pytest.fixture(scope="module")
def corpus(library, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("embedded")
    vocaltractlab.synthesize(folder, SHORT, jobs=2)
    return folder


@pytest.fixture(scope="module")
def utterances(corpus):
    return [vocaltractlab.read(item, PARAMS) for item in vocaltractlab.find(corpus, PARAMS)]


def channel(utterance, name) -> np.ndarray:
    return utterance.tracks.values[:, utterance.tracks.channels.index(name)]


def lip_aperture(utterance) -> np.ndarray:
    return channel(utterance, "UL_y") - channel(utterance, "LL_y")


def loudness(utterance, seconds=0.01) -> np.ndarray:
    """Level in dB around each row of the tracks."""
    half = int(seconds * utterance.sample_rate / 2)
    power = np.cumsum(np.concatenate([np.zeros(half + 1), utterance.audio**2.0, np.zeros(half)]))
    centre = np.round(utterance.tracks.time * utterance.sample_rate).astype(int)
    centre = np.minimum(centre, len(utterance.audio) - 1)
    return 10 * np.log10((power[centre + 2 * half] - power[centre]) / (2 * half) + 1e-12)


@pytest.mark.slow
def test_only_what_is_missing_damaged_or_made_otherwise_is_made(corpus, tmp_path, monkeypatch):
    made = []

    def note(folder, seed, made_by, todo, jobs):
        made.append([index for job in todo for index in job.utterances])
        return iter([(job, None) for job in todo])

    monkeypatch.setattr(synthesis, "in_workers", note)
    folder = tmp_path / "copy"
    for name, data in contents(corpus).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    vocaltractlab.synthesize(folder, SHORT)
    with (folder / "vtl00001.wav").open("r+b") as file:
        file.seek(5000)
        file.write(b"\0\1\0\1")
    (folder / "vtl00002.TextGrid").unlink()
    vocaltractlab.synthesize(folder, SHORT)
    vocaltractlab.synthesize(folder, Synthesis(speakers=1, utterances=2, seed=7))
    assert made == [[], [1, 2], [0, 1]]
    assert {name[:8] for name in contents(folder) if name.startswith("vtl")} == {
        "vtl00000",
        "vtl00001",
    }


@pytest.mark.slow
def test_metadata_lists_every_utterance(corpus):
    with (corpus / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [f"vtl{k:05d}" for k in range(4)]
    assert all(row["speaker"] and row["style"] in phonotactics.STYLES for row in rows)
    assert all(row["voice_quality"] in score.QUALITIES for row in rows)


@pytest.mark.slow
def test_reader_gives_sound_tracks_and_labels_of_one_length(utterances):
    for utterance in utterances:
        seconds = len(utterance.audio) / utterance.sample_rate
        assert utterance.sample_rate == 16_000
        assert utterance.tracks.rate == pytest.approx(100)
        assert utterance.tracks.time[0] == 0
        assert abs(utterance.tracks.time[-1] - seconds) < 0.01
        assert utterance.phones[-1].end == seconds
        spoken = " ".join(label.text for label in utterance.phones if label.text)
        assert spoken == utterance.sentence.replace(" . ", " ")
        assert 0.05 < np.abs(utterance.audio).max() < 1
        assert set(vocaltractlab.LAYOUT.channels) < set(utterance.tracks.channels)
        assert utterance.tracks.values.shape[1] == 36


@pytest.mark.slow
def test_no_stretch_is_digitally_silent(utterances):
    for utterance in utterances:
        level = loudness(utterance, 0.03)[2:-2]  # the window lies within the sound
        assert level.min() == pytest.approx(-70, abs=1)


@pytest.mark.slow
def test_fleshpoints_lie_where_they_belong(utterances):
    values = np.concatenate([utterance.tracks.values for utterance in utterances])
    at = dict(zip(utterances[0].tracks.channels, values.T, strict=True))
    along_tongue = ["TT", "TB", "TF", "TM", "TD"]
    for front, back in itertools.pairwise(along_tongue):
        assert np.mean(at[f"{front}_x"] > at[f"{back}_x"]) > 0.99
    for front, back in itertools.pairwise(["T1", "T2", "T3", "T4"]):
        gap = np.hypot(at[f"{front}_x"] - at[f"{back}_x"], at[f"{front}_y"] - at[f"{back}_y"])
        assert 5 < gap.min() < gap.max() < 35
    for point in along_tongue:
        assert (at[f"{point}_x"] < np.minimum(at["UL_x"], at["LL_x"])).all()
        assert (at[f"{point}_y"] > at["HY_y"]).all()
        assert at[f"{point}_y"].max() < 20  # the palate
    assert (at["UL_y"] > at["LL_y"]).all()
    assert (at["LI_x"] < at["LL_x"]).all()
    jaw = np.hypot(at["MNI_x"] - at["MNM_x"], at["MNI_y"] - at["MNM_y"])
    assert np.ptp(jaw) < 0.05  # a bone is rigid
    assert np.ptp(at["VL_y"]) > 2  # nasals lower the velum


@pytest.mark.slow
@pytest.mark.parametrize("channels", [("TT", "TD"), ("UL", "LL"), ("LI", "VL")])
def test_tracks_move_as_organs_do(utterances, channels):
    """Smoothly: no faster than the 0.6 m/s that tongues reach, and never at rest throughout."""
    for utterance, point in itertools.product(utterances, channels):
        steps = np.hypot(*(np.diff(channel(utterance, f"{point}_{axis}")) for axis in "xy"))
        assert 0.1 < steps.max() < 6


@pytest.mark.slow
def test_stops_interrupt_the_sound_where_they_are_labelled(utterances):
    stops = 0
    for utterance in utterances:
        time, level = utterance.tracks.time, loudness(utterance)
        for label in utterance.phones:
            if label.text in ("p", "b", "t", "d", "k", "g"):
                within = (time > label.start - 0.02) & (time < label.end)
                assert level[within].min() < np.percentile(level, 90) - 15
                stops += 1
    assert stops >= 8


@pytest.mark.slow
def test_sound_bursts_out_when_the_lips_part(utterances):
    """Sound and tracks run on one clock: either 20 ms late fails, in every burst."""
    heard = 0
    for utterance in utterances:
        time, aperture = utterance.tracks.time, lip_aperture(utterance)
        fine = np.arange(0, time[-1], 0.001)
        level = np.interp(fine, time, loudness(utterance, 0.005))
        for label in utterance.phones:
            if label.text in ("p", "b"):
                near = (fine > label.start) & (fine < label.end + 0.05)
                touching = np.interp(fine, time, aperture)[near] < TOUCHING_MM
                parted = fine[near][touching][-1]
                around = (fine > parted - 0.05) & (fine < parted + 0.05)
                mean = np.convolve(level[around], np.full(10, 0.1), "valid")
                burst = fine[around][10 + np.argmax(mean[10:] - mean[:-10])]
                assert -0.005 < burst - parted < 0.020
                heard += 1
    assert heard >= 2


def test_seeds_and_numbers_make_different_utterances():
    drawn = [
        (phonotactics.prompt(rng).text, score.compose(phonotactics.prompt(rng), rng).f0_hz)
        for rng in (np.random.default_rng([seed, k]) for seed in range(5) for k in range(5))
    ]
    assert len(set(drawn)) == 25


def test_every_phone_has_a_duration_and_an_articulation():
    for seed in range(300):
        prompt = phonotactics.prompt(np.random.default_rng(seed))
        phones = prompt.phones
        assert all(one.end == next_.start for one, next_ in itertools.pairwise(phones))
        assert phones[0].start == phonotactics.SILENCE
        assert prompt.duration == pytest.approx(phones[-1].end + phonotactics.SILENCE, abs=1e-3)
        for phone in phones:
            assert 0.02 < phone.end - phone.start < 0.8
            assert (phone.text in score.VOWEL_TARGETS) != (phone.text in score.CONSONANTS)


def test_tiers_of_a_score_are_gapless_and_as_long_as_the_utterance():
    for number in range(300):
        rng = np.random.default_rng([1, number])
        prompt = phonotactics.prompt(rng)
        for tier in score.ET.fromstring(score.compose(prompt, rng).xml):
            durations = [float(gesture.get("duration_s")) for gesture in tier]
            assert not durations or sum(durations) == pytest.approx(prompt.duration, abs=1e-4)
            assert min(durations, default=1) > 0.001  # or VocalTractLab refuses the score


def test_missing_library_names_the_extra(tmp_path, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(InputError, match=r"pip install 'articulatory-inversion\[synthesis\]'"):
        vocaltractlab.synthesize(tmp_path / "corpus", SHORT)
    assert not (tmp_path / "corpus").exists()


def test_jobs_must_be_a_number_of_processes(tmp_path):
    with pytest.raises(UsageError, match="--jobs: 0"):
        vocaltractlab.synthesize(tmp_path, SHORT, jobs=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", r"vtl0000\d: VocalTractLab crashed \(.*-11\)"),
        ("raise ValueError('bad\\nscore')", r"vtl0000\d: ValueError: bad score"),
    ],
)
def test_failing_library_is_one_line_and_the_run_ends(tmp_path, monkeypatch, body, message):
    stand_in = f"import os, signal\ndef gesture_file_to_motor_file(*_):\n    {body}\n"
    (tmp_path / "vocaltractlab_cython.py").write_text(stand_in)
    monkeypatch.syspath_prepend(tmp_path)  # the workers inherit it
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0")
    with pytest.raises(InputError, match=message) as caught:
        vocaltractlab.synthesize(tmp_path / "corpus", SHORT, jobs=2)
    assert "and 3 more" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "corpus").glob("vtl*"))


@pytest.mark.slow
def test_library_that_never_comes_back_is_given_up(tmp_path, monkeypatch):
    stand_in = "import time\ndef gesture_file_to_motor_file(*_):\n    time.sleep(3600)\n"
    (tmp_path / "vocaltractlab_cython.py").write_text(stand_in)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0")
    monkeypatch.setattr(synthesis, "PATIENCE_S", 1.0)
    with pytest.raises(InputError, match="vtl00000: VocalTractLab does not come back"):
        vocaltractlab.synthesize(
            tmp_path / "corpus", Synthesis(speakers=1, utterances=1, seed=1), jobs=1
        )


@pytest.mark.slow
def test_records_say_what_made_an_utterance(corpus):
    record = json.loads((corpus / ".made" / "vtl00000.json").read_text())
    assert record["made_by"] == synthesis.fingerprint(SHORT.seed)
    assert record["made_by"] != synthesis.fingerprint(SHORT.seed + 1)
