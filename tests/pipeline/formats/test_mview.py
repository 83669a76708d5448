import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from pipeline.formats import mview
from pipeline.ground.console import InputError
from pipeline.ground.utterance import Label, Tracks, Utterance
from tests.pipeline.formats.recordings import NAMES, assert_same, values

SOUND = np.sin(np.arange(800) / 7) / 2


def structs(**changes):
    """Rows of an MVIEW array as a user of SciPy would make them."""
    rows = {
        "AUDIO": {"NAME": "AUDIO", "SRATE": 8000, "SIGNAL": SOUND[:, None]},
        "TT": {"NAME": "TT", "SRATE": 100, "SIGNAL": np.arange(60.0).reshape(10, 6)},
        "LL": {"NAME": "LL", "SRATE": 100, "SIGNAL": -np.arange(60.0).reshape(10, 6)},
    }
    for name, change in changes.items():
        rows[name] = rows.get(name, {}) | change
    return mview.records(list(rows.values()))


def put(folder, variable, name="F01_B01.mat"):
    path = folder / name
    scipy.io.savemat(path, {path.stem: variable}, do_compression=True)
    return path


def test_columns_get_their_axes_and_sensors_their_names(tmp_path):
    recording = mview.read(put(tmp_path, structs()), "xzy")
    assert recording.tracks.channels == ("TT_x", "TT_z", "TT_y", "LL_x", "LL_z", "LL_y")
    assert_array_equal(recording.tracks.values[1], [6, 7, 8, -6, -7, -8])
    assert_allclose(recording.tracks.time, np.arange(10) / 100)
    assert recording.sample_rate == 8000
    assert_allclose(recording.audio, SOUND, atol=1e-7)
    assert (recording.id, recording.phones, recording.words) == ("F01_B01", (), ())


def test_sound_of_16_bits_gets_a_full_scale_of_1(tmp_path):
    samples = np.round(SOUND * 32768).astype(np.int16)[:, None]
    recording = mview.read(put(tmp_path, structs(AUDIO={"SIGNAL": samples})), "xzy")
    assert_allclose(recording.audio, SOUND, atol=2e-5)


@pytest.mark.parametrize("peak", [1.03, 4.0])
def test_sound_that_overshoots_1_is_not_taken_for_integers(tmp_path, peak):
    samples = (SOUND / np.abs(SOUND).max() * peak)[:, None]
    recording = mview.read(put(tmp_path, structs(AUDIO={"SIGNAL": samples})), "xzy")
    assert np.abs(recording.audio).max() == pytest.approx(peak)
    resampled = samples / peak * 20_000.5  # integers that were resampled
    recording = mview.read(put(tmp_path, structs(AUDIO={"SIGNAL": resampled})), "xzy")
    assert np.abs(recording.audio).max() == pytest.approx(20_000.5 / 32768)


def test_real_file(shared_data):
    path = shared_data / "hprc" / "F01_B01_S01_R01_N.mat"
    recording = mview.read(path, "xzy")
    names = list(dict.fromkeys(name.split("_")[0] for name in recording.tracks.channels))
    assert names == ["TR", "TB", "TT", "UL", "LL", "ML", "JAW", "JAWL"]
    assert recording.tracks.values.shape == (262, 24)
    assert recording.tracks.rate == pytest.approx(100)
    assert recording.sample_rate == 44100
    assert len(recording.audio) / recording.sample_rate == pytest.approx(2.605, abs=1e-3)
    assert recording.sentence == "The birch canoe slid on the smooth planks."
    words = [label.text for label in recording.words]
    assert words == ["sp", *recording.sentence.upper().rstrip(".").split(), "sp"]
    assert [label.text for label in recording.phones[:4]] == ["sp", "DH", "AH0", "B"]
    limits = [label.start for label in recording.phones] + [recording.phones[-1].end]
    assert np.all(np.diff(limits) > 0) and limits[0] == 0
    raw = scipy.io.loadmat(path)[path.stem][0]
    for row in raw[1:]:
        columns = [recording.tracks.channels.index(f"{row['NAME'][0]}_{axis}") for axis in "xzy"]
        assert_array_equal(recording.tracks.values[:, columns], row["SIGNAL"][:, :3])
    assert_array_equal(recording.audio, raw[0]["SIGNAL"][:, 0])


LABELS = st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5), NAMES), max_size=3).map(
    lambda rows: tuple(Label(min(a, b), max(a, b), text) for a, b, text in rows)
)


@settings(deadline=None)
@given(st.data(), LABELS, LABELS)
def test_round_trip(tmp_path_factory, data, phones, words):
    sensors = data.draw(st.lists(NAMES.filter("AUDIO".__ne__), min_size=1, max_size=3, unique=True))
    table = data.draw(values(3 * len(sensors)).filter(lambda table: len(table) > 1))
    channels = tuple(f"{name}_{axis}" for name in sensors for axis in "xzy")
    tracks = Tracks(np.arange(len(table)) / 100, table, channels)
    audio = SOUND.astype(np.float32)
    written = Utterance("a", tracks, audio, 8000, sentence="So?", phones=phones, words=words)
    path = tmp_path_factory.mktemp("mat") / "a.mat"
    mview.write(path, written, "xzy")
    read = mview.read(path, "xzy")
    assert_same(read.tracks, tracks)
    assert_array_equal(read.audio, audio)
    assert (read.sample_rate, read.sentence) == (8000, "So?")
    assert (read.phones, read.words) == (phones, words)


@pytest.mark.parametrize(
    ("variable", "reason"),
    [
        (np.zeros(3), "no array of structs with NAME, SRATE and SIGNAL"),
        (structs(TT={"NAME": "LL"}), "LL more than once"),
        (structs(TT={"NAME": 3}), "a struct without a NAME"),
        (structs(AUDIO={"NAME": "SOUND"}), "no struct AUDIO"),
        (structs(TT={"SRATE": 0}), "TT: SRATE is '0', not a rate in Hz"),
        (structs(TT={"SRATE": "fast"}), "TT: SRATE is 'fast'"),
        (structs(TT={"SRATE": 200}), "sensors of [100.0, 200.0] Hz, [10] frames"),
        (structs(TT={"SIGNAL": np.ones((9, 6))}), "sensors of [100.0] Hz, [9, 10] frames"),
        (structs(TT={"SIGNAL": np.ones((10, 2))}), "TT: SIGNAL has 2 columns, not 3"),
        (structs(TT={"SIGNAL": "text"}), "TT: SIGNAL is not a table of numbers"),
        (structs(AUDIO={"SIGNAL": SOUND * np.nan}), "AUDIO: NaN or infinite samples"),
        (
            structs(**{name: {"SIGNAL": np.full((10, 6), np.nan)} for name in ("TT", "LL")}),
            "no sample in any of 6 channels",
        ),
    ],
)
def test_refusals_name_the_struct_and_the_field(tmp_path, variable, reason):
    path = put(tmp_path, variable)
    with pytest.raises(InputError) as refusal:
        mview.read(path, "xzy")
    assert str(refusal.value).startswith(f"{path}: ")
    assert reason in str(refusal.value)


def test_labels_that_run_backward_are_refused(tmp_path):
    row = np.array([[("AH0", [[0.3, 0.1]])]], [("LABEL", object), ("OFFS", object)])
    none = {"TT": {"PHONES": []}, "LL": {"PHONES": []}}
    path = put(tmp_path, structs(AUDIO={"PHONES": row}, **none))
    with pytest.raises(InputError, match="AUDIO: label 1 has no start and end"):
        mview.read(path, "xzy")


def test_nothing_is_written_of_a_recording_without_sound(tmp_path):
    tracks = Tracks(np.arange(2.0), np.zeros((2, 3)), ("TT_x", "TT_z", "TT_y"))
    with pytest.raises(ValueError, match="needs sound"):
        mview.write(tmp_path / "a.mat", Utterance("a", tracks), "xzy")
    assert not list(tmp_path.iterdir())
