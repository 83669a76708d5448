import numpy as np
import pytest
from numpy.testing import assert_allclose

from pipeline.corpora import ndi_wave
from pipeline.ground.console import InputError
from tests.pipeline.corpora.recording_files import column, put, put_sound, read_one, settings

MAP = {1: "TT", 4: "LL"}
WAVE = settings("ndi-wave", channel_map=MAP)
SENSOR = "Sensor {0} Id\tSensor {0} Status\tX[mm]\tY[mm]\tZ[mm]\tQ0\tQx\tQy\tQz"
HEADER = "\t".join(["AudioTime[s]", "MeasId", "WavId", *(SENSOR.format(n) for n in (1, 3, 4))])


def row(frame, missing=()):
    cells = [f"{0.0193 + frame / 100:.6f}", str(7 + frame), "425"]
    for number in (1, 3, 4):
        place = [100 * number + frame, -number, 10 * number]
        if number in missing:
            cells += ["0.0", "119.0", *[""] * 7]
        else:
            cells += ["0.0", "55.0", *(f"{value:.6f}" for value in place), *["0.5"] * 4]
    return "\t".join(cells)


def export(folder, rows, header=HEADER):
    put(folder / "anna" / "a1.tsv", "\n".join([header, *rows]) + "\n")
    put_sound(folder / "anna" / "a1.wav", 0.4)
    return folder


ROWS = [row(frame) for frame in range(30)]


def test_sensors_go_by_the_numbers_of_the_header(tmp_path):
    utterance = read_one(export(tmp_path, ROWS), WAVE)
    assert (utterance.id, utterance.speaker) == ("anna_a1", "anna")
    tracks = utterance.tracks
    assert tracks.time[0] == pytest.approx(0.0193)
    assert_allclose(column(tracks, "TT_x")[:2], [100, 101])
    assert_allclose(column(tracks, "LL_x")[:2], [400, 401])
    assert_allclose(column(tracks, "LL_y"), -4)
    assert_allclose(column(tracks, "LL_z"), -40)  # Z is to the right, z to the left


def test_empty_cells_are_missing_samples(tmp_path):
    rows = [*ROWS[:5], row(5, {1}), row(6, {1, 4}), *ROWS[7:]]
    tracks = read_one(export(tmp_path, rows), WAVE).tracks
    assert np.flatnonzero(np.isnan(column(tracks, "TT_y"))).tolist() == [5, 6]
    assert np.flatnonzero(np.isnan(column(tracks, "LL_x"))).tolist() == [6]


def test_missing_rows_leave_the_time_stamps_right(tmp_path):
    tracks = read_one(export(tmp_path, [*ROWS[:10], *ROWS[20:]]), WAVE).tracks
    assert_allclose(np.diff(tracks.time)[8:11], [0.01, 0.11, 0.01], atol=1e-9)


def test_real_export(shared_data):
    path = shared_data / "ndi_wave" / "Example3.tsv"
    sweep = ndi_wave.read_sweep(path)
    assert len(sweep.time) == 100
    assert sweep.sensors == (1, *range(3, 17))
    assert sweep.time[0] == pytest.approx(0.0193) and sweep.time[-1] == pytest.approx(1.0185)
    assert np.diff(sweep.time).max() == pytest.approx(0.02, abs=1e-3)  # a row is missing
    assert_allclose(sweep.points[0, 0], [45.170494, 169.453570, 68.635109])
    connected = [n for k, n in enumerate(sweep.sensors) if np.isfinite(sweep.points[:, k]).all()]
    assert connected == [1, 9, 10, 11, 14, 15, 16]


def test_real_export_with_a_sound(shared_data, tmp_path):
    (tmp_path / "Example3.tsv").symlink_to(shared_data / "ndi_wave" / "Example3.tsv")
    put_sound(tmp_path / "Example3.wav", 1.1)
    head = {"reference": ("RE", "LE", "NB")}
    names = {1: "TT", 9: "RE", 10: "LE", 11: "NB"}
    corpus = settings("ndi-wave", channel_map=names, head_correction=head)
    tracks = read_one(tmp_path, corpus).tracks
    assert tracks.values.shape == (100, 3) and np.isfinite(tracks.values).all()


@pytest.mark.parametrize(
    ("rows", "header", "reason"),
    [
        (ROWS, HEADER.replace("AudioTime[s]", "Time"), "line 1: no column 'AudioTime[s]'"),
        (ROWS, "AudioTime[s]\tMeasId", "line 1: no column 'AudioTime[s]', or no 'Sensor 1 Id'"),
        (ROWS, HEADER.replace("Y[mm]", "Y[m]", 1), "line 1: sensor 1 has no X[mm], Y[mm], Z[mm]"),
        ([*ROWS[:3], ROWS[3].replace("55.0", "ok", 1)], HEADER, "line 5, column 5: 'ok' is not"),
        ([*ROWS[:3], ROWS[3] + "\t1"], HEADER, "line 5: 31 columns, not 30"),
        ([r.rpartition("\t")[0] for r in ROWS], HEADER, "29 columns, the header has 30"),
        ([ROWS[0], ROWS[0]], HEADER, "frame 1: time 0.0193 s does not follow"),
        ([row(f, {1, 3, 4}) for f in range(9)], HEADER, "no sample in any of 6 channels"),
        ([], HEADER, "line 2: no numbers"),
    ],
)
def test_refusals(tmp_path, rows, header, reason):
    with pytest.raises(InputError) as refusal:
        read_one(export(tmp_path, rows, header), WAVE)
    assert "a1.tsv: " in str(refusal.value) and reason in str(refusal.value)
