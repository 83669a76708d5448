import numpy as np
import pytest
from numpy.testing import assert_allclose

from pipeline.corpora import mngu0
from pipeline.formats import est_track
from pipeline.ground.console import InputError
from pipeline.ground.utterance import Label, Tracks
from tests.pipeline.corpora.recording_files import (
    column,
    put,
    put_sound,
    read_all,
    read_one,
    settings,
)

MNGU0 = settings("mngu0")
SENSORS = ("T3", "T2", "T1", "ref", "jaw", "upperlip", "lowerlip")
PLACES = {
    "T3": 5.4,
    "T2": 4.0,
    "T1": 2.5,
    "ref": 0.0,
    "jaw": 0.8,
    "upperlip": -1.0,
    "lowerlip": -1.1,
}
LEAD = 0.488  # s of silence before the speech
LABELS = f"signal mngu0_s1_0001\n#\n\t{LEAD} 26 \t#\n\t0.600 26 \tD\n\t0.900 26 \t@\n\t1.2 26 \t#\n"


def height(time):
    return 1 + 0.5 * np.sin(2 * np.pi * 2 * time)  # cm


def packages(folder, *, basic: bool = True, normalized: bool = True):
    """Both packages of one sentence of 1.2 s whose tongue tip rises and falls."""
    put_sound(folder / "mngu0_s1_wav_16kHz_1.1.0" / "mngu0_s1_0001.wav", 1.2)
    put(folder / "mngu0_s1_lab_1.1.1" / "mngu0_s1_0001.lab", LABELS)
    time = np.arange(240) / 200
    if basic:
        names, values = [], []
        for sensor in SENSORS:
            for axis, value in (("px", 0.1), ("py", PLACES[sensor]), ("pz", height(time))):
                names.append(f"{sensor}_{axis}")
                values.append(np.broadcast_to(value, time.shape))
            names += [f"{sensor}_{rest}" for rest in ("ox", "oy", "oz", "rms", "newflag")]
            values += [np.ones_like(time)] * 5
        path = folder / "mngu0_s1_ema_basic_1.1.0" / "mngu0_s1_0001.ema"
        path.parent.mkdir(parents=True)
        est_track.write(path, Tracks(time, np.stack(values, axis=1), tuple(names)))
    if normalized:
        norm = folder / "mngu0_s1_ema_norm_1.0.1"
        mean, deviation = np.linspace(-1, 5, 36), np.linspace(0.1, 0.4, 36)
        put(norm / "norm_parms" / "ema_means.txt", "\n".join(map(repr, mean.tolist())))
        put(norm / "norm_parms" / "ema_stds.txt", "\n".join(map(repr, deviation.tolist())))
        spoken = time[(time >= LEAD) & (time <= 0.9)]  # the silence is cut off, the stamps restart
        centimetres = np.zeros((len(spoken), 36))
        for k, sensor in enumerate(("T3", "T2", "T1", "jaw", "upperlip", "lowerlip")):
            centimetres[:, 2 * k], centimetres[:, 2 * k + 1] = PLACES[sensor], height(spoken)
        stored = (centimetres - mean) / (4 * deviation)
        names = tuple(f"channel{k}" for k in range(36))
        est_track.write(
            norm / "mngu0_s1_0001.ema", Tracks(np.arange(len(spoken)) / 200, stored, names)
        )
    return folder


@pytest.mark.parametrize("basic", [True, False], ids=["basic", "norm"])
def test_both_packages_give_the_same_millimetres_at_the_same_time(tmp_path, basic):
    utterance = read_one(packages(tmp_path, basic=basic), MNGU0)
    tracks = utterance.tracks
    assert set(mngu0.LAYOUT.channels) <= set(tracks.channels)
    # cm become mm, and x, which the corpus counts to the back, points to the lips
    assert_allclose(column(tracks, "TD_x"), -54, atol=1e-4)
    assert_allclose(column(tracks, "UL_x"), 10, atol=1e-4)
    # the frame that says 0 in ema_norm stands at the end of the leading silence
    error = column(tracks, "TT_y") - 10 * height(tracks.time)
    assert np.abs(error).max() < (1e-3 if basic else 0.2)
    assert tracks.time[0] == pytest.approx(0 if basic else LEAD)
    assert tracks.rate == pytest.approx(200)
    assert utterance.phones[:2] == (Label(0, LEAD, "#"), Label(LEAD, 0.6, "D"))


def test_basic_is_preferred(tmp_path):
    assert read_one(packages(tmp_path), MNGU0).tracks.time[0] == 0


def test_the_lateral_axis_is_kept(tmp_path):
    assert_allclose(column(read_one(packages(tmp_path), MNGU0).tracks, "LI_z"), 1, atol=1e-5)


def test_ema_norm_without_labels_is_refused(tmp_path):
    packages(tmp_path, basic=False)
    (tmp_path / "mngu0_s1_lab_1.1.1" / "mngu0_s1_0001.lab").unlink()
    with pytest.raises(InputError, match=r"no \.lab; .* place of ema_norm in the sound is unknown"):
        read_one(tmp_path, MNGU0)


def test_short_parameters_are_refused(tmp_path):
    packages(tmp_path, basic=False)
    put(tmp_path / "mngu0_s1_ema_norm_1.0.1" / "norm_parms" / "ema_stds.txt", "1 2 3")
    with pytest.raises(InputError, match="fewer than 12 channels"):
        read_one(tmp_path, MNGU0)


def test_channels_of_something_else_are_refused(tmp_path):
    packages(tmp_path, normalized=False)
    path = tmp_path / "mngu0_s1_ema_basic_1.1.0" / "mngu0_s1_0001.ema"
    est_track.write(path, Tracks(np.arange(3) / 200, np.ones((3, 1)), ("f0",)))
    with pytest.raises(InputError, match="no channel T3_py, T3_pz"):
        read_one(tmp_path, MNGU0)


def arrays(folder, frames=240, columns=12, dtype=float):
    """Column k is k + frame / 1000."""
    table = (np.arange(columns) + np.arange(frames)[:, None] / 1000).astype(dtype)
    np.save(folder / "mngu0_s1_0001.npy", table)
    put_sound(folder / "mngu0_s1_0001.wav", 1.2)
    return folder


def test_arrays_of_z_scores_are_no_millimetres(tmp_path):
    utterance = read_one(arrays(tmp_path), MNGU0)
    tracks = utterance.tracks
    assert tracks.unit == "z" and tracks.rate == pytest.approx(200) and tracks.time[0] == 0
    assert tracks.channels[:4] == ("TD_x", "TD_y", "TB_x", "TB_y")
    assert tracks.channels[4:] == tuple(f"{s}_{a}" for s in ("TT", "LI", "UL", "LL") for a in "xy")
    assert tracks.values[5, :4].tolist() == [-0.005, 1.005, -2.005, 3.005]  # x counted backward
    assert read_one(packages(tmp_path), MNGU0).tracks.unit == "mm"  # where there are millimetres


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda f: arrays(f, columns=11), r"float64 \(240, 11\) is no table of 12 columns"),
        (lambda f: arrays(f, dtype=object), "of object fills the file"),
        (lambda f: put(f / "mngu0_s1_0001.npy", b"no"), "not a .npy file"),
        (
            lambda f: put(
                f / "mngu0_s1_0001.npy", (arrays(f) / "mngu0_s1_0001.npy").read_bytes()[:-1]
            ),
            "no array .* fills the file",
        ),
    ],
)
def test_arrays_that_are_none(tmp_path, spoil, reason):
    arrays(tmp_path)
    spoil(tmp_path)
    with pytest.raises(InputError, match=rf"mngu0_s1_0001\.npy: .*{reason}"):
        read_one(tmp_path, MNGU0)


def test_real_arrays(shared_data):
    utterances = read_all(shared_data / "mngu0", MNGU0)
    assert len(utterances) == 6
    for utterance in utterances:
        tracks = utterance.tracks
        assert utterance.sample_rate == 16_000 and tracks.unit == "z"
        silent_end = len(utterance.audio) / 16_000 - tracks.time[-1]
        assert 0 <= silent_end < 0.5
        # one point of the tongue is hardly ever ahead of the next: their x go together
        r = np.corrcoef(column(tracks, "TT_x"), column(tracks, "TB_x"))[0, 1]
        assert r > 0.7 and np.abs(tracks.values).max() < 8
