from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import frames
from pipeline import corpus, extract
from pipeline.corpora import layouts
from pipeline.ground import artifacts, params
from pipeline.ground.console import InputError
from pipeline.ground.storage import Store
from pipeline.ground.utterance import Label, Tracks, Utterance
from tests.conftest import ROOT
from tests.features.sounds import RATE, SILENCES, voice
from tests.pipeline.conftest import change, small_utterance

SETTINGS = params.load(ROOT / "params.yaml").extract
ONE = params.Layout(channels=("TT_y",), deltas=0)


def utterance_with(time, track, seconds=1.0, **more) -> Utterance:
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.01, round(seconds * 16_000)).astype(np.float32)
    tracks = Tracks(time, np.asarray(track, float)[:, None], ("TT_y",))
    return Utterance("u", tracks, sound, 16_000, **more)


@settings(max_examples=25, deadline=None)
@given(
    instant=st.floats(0.25, 0.75),
    sample_rate=st.sampled_from([8_000, 16_000, 22_050, 44_100, 48_000]),
    track_rate=st.floats(100, 500),
    late=st.floats(0, 0.1),
)
def test_a_click_and_a_step_land_on_the_same_frame(instant, sample_rate, track_rate, late):
    sound = np.random.default_rng(0).normal(0, 1e-4, sample_rate).astype(np.float32)
    sound[round(instant * sample_rate)] = 1
    time = np.arange(late, 1, 1 / track_rate)
    tracks = Tracks(time, np.where(time < instant, 0.0, 10.0)[:, None], ("TT_y",))
    first, arrays = extract.on_one_grid(Utterance("u", tracks, sound, sample_rate), ONE, SETTINGS)
    times = frames.frame_times(len(arrays["targets"]), first)
    # the frames that see the click lie within half a window of it, symmetrically
    loud = arrays["inputs"][:, 0] > arrays["inputs"][:, 0].max() - 10
    click = times[loud].mean()
    # the step, low-passed without phase shift, crosses its middle where it happened
    step = np.interp(5.0, arrays["targets"][:, 0], times)
    assert abs(click - instant) <= 0.005 + 1e-6
    assert abs(step - instant) <= 0.5 / track_rate + 0.001
    assert len(arrays["inputs"]) == len(arrays["targets"])


def test_tracks_that_start_late_shift_the_first_frame_of_both():
    time = np.arange(0.203, 0.9, 0.004)
    first, arrays = extract.on_one_grid(utterance_with(time, np.sin(time)), ONE, SETTINGS)
    assert first == 21
    assert len(arrays["targets"]) == 89 - 21 + 1
    whole, all_frames = extract.on_one_grid(
        utterance_with(np.arange(0, 1.01, 0.004), np.zeros(253)), ONE, SETTINGS
    )
    assert whole == 0
    np.testing.assert_array_equal(arrays["inputs"], all_frames["inputs"][21:90])


def test_silence_at_both_ends_is_trimmed_by_the_labels():
    phones = (Label(0, 0.3, "sil"), Label(0.3, 0.5, "a"), Label(0.5, 0.7, "t"), Label(0.7, 1, ""))
    trimmed = params.Extract(SETTINGS.layout, SETTINGS.cutoff_hz, SETTINGS.max_gap_s, True)
    time = np.arange(0, 1.01, 0.005)
    utterance = utterance_with(time, np.sin(9 * time), phones=phones)
    first, arrays = extract.on_one_grid(utterance, ONE, trimmed)
    assert (first, len(arrays["targets"])) == (30, 41)
    with pytest.raises(InputError, match="trim_silence needs phone labels"):
        extract.on_one_grid(utterance_with(time, np.sin(9 * time)), ONE, trimmed)


def test_a_long_gap_is_refused_by_channel_and_a_short_one_repaired():
    time = np.arange(0, 1.01, 0.005)
    track = np.sin(9 * time)
    short, long = track.copy(), track.copy()
    short[50:60] = np.nan
    long[50:90] = np.nan
    _, arrays = extract.on_one_grid(utterance_with(time, short), ONE, SETTINGS)
    _, whole = extract.on_one_grid(utterance_with(time, track), ONE, SETTINGS)
    np.testing.assert_allclose(arrays["targets"], whole["targets"], atol=0.02)
    with pytest.raises(InputError, match=r"channel TT_y has no samples from 0\.2\d+ to 0\.4"):
        extract.on_one_grid(utterance_with(time, long), ONE, SETTINGS)


def test_an_all_missing_channel_is_refused_by_name():
    time = np.arange(0, 1.01, 0.005)
    with pytest.raises(InputError, match="channel TT_y has no samples"):
        extract.on_one_grid(utterance_with(time, np.full(len(time), np.nan)), ONE, SETTINGS)


@pytest.mark.parametrize("name", SILENCES)
def test_a_sound_that_holds_no_speech_is_refused(name):
    time = np.arange(0, 2, 0.005)
    tracks = Tracks(time, np.sin(9 * time)[:, None], ("TT_y",))
    utterance = Utterance("u", tracks, SILENCES[name], RATE)
    with pytest.raises(InputError, match="silence: "):
        extract.on_one_grid(utterance, ONE, SETTINGS)
    with pytest.raises(InputError, match="silence: "):
        corpus.check(utterance)
    corpus.check(replace(utterance, audio=1e-3 * voice(2)))


def test_a_layout_names_what_the_corpus_lacks():
    _, tracks = small_utterance(0)
    with pytest.raises(InputError, match=r"no channel TD_x, TD_y among TT_x, TT_y, LL_y, VL_y"):
        layouts.pick(tracks, params.Layout(("TT_x", "TD_x", "TD_y"), 0))


def test_pellets_are_eight_channels_and_two_orders_of_delta():
    names = layouts.track_names(layouts.BUILT_IN["pellets"])
    assert len(names) == 24
    assert names[:2] == ("T1_x", "T1_y")
    assert names[8] == "T1_x_delta"
    assert names[23] == "T4_y_delta_delta"
    assert len(layouts.track_names(layouts.BUILT_IN["fleshpoints"])) == 24


@pytest.mark.exact
def test_the_stage_writes_every_utterance_and_the_bytes_do_not_depend_on_jobs(project, stage):
    assert stage("corpus").status == 0
    assert stage("extract", "--jobs", "1").status == 0
    one = {p.name: p.read_bytes() for p in artifacts.FRAMES.iterdir()}
    outcome = stage("extract", "--jobs", "2")
    assert outcome.status == 0
    assert "24 utterances" in outcome.out
    assert {p.name: p.read_bytes() for p in artifacts.FRAMES.iterdir()} == one
    store = Store(artifacts.FRAMES, "extract")
    assert store.about["channels"] == ["TT_x", "TT_y", "LL_y", "VL_y"]
    assert store.columns == {"inputs": 39, "targets": 4, "speech": 1}


def test_a_bad_utterance_is_refused_and_the_rest_go_on(project, stage):
    (project / "recordings" / "u03.wav").write_text("this is no sound")
    (project / "recordings" / "u05.csv").write_text("time_s,TT_x\n0.0,abc\n")
    outcome = stage("corpus")
    assert outcome.status == 0
    assert "22 utterances" in outcome.out
    assert "2 refused" in outcome.out
    assert all(name in outcome.err for name in ("u03.wav", "u05.csv"))
    change(project / "params.yaml", corpus__strict=True)
    outcome = stage("corpus")
    assert outcome.status == 1
    assert outcome.err.count("\n") == 1


def test_a_file_that_changed_since_is_refused(project, stage):
    stage("corpus")
    (project / "recordings" / "u03.csv").write_bytes(
        (project / "recordings" / "u04.csv").read_bytes()
    )
    outcome = stage("extract")
    assert "u03" in outcome.err
    assert "dvc repro --force corpus" in outcome.err
    assert "23 utterances" in outcome.out


def test_no_utterances_at_all_is_one_line(project, stage):
    for path in (project / "recordings").iterdir():
        path.unlink()
    outcome = stage("corpus")
    assert outcome.status == 1
    assert "no utterance that the reader folder can use" in outcome.err
    outcome = stage("extract")
    assert outcome.status == 1
    assert (
        outcome.err == "error: data/corpus/manifest.csv: not found; run `dvc repro corpus` first\n"
    )
