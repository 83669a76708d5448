import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from pipeline import corpora
from pipeline.corpora import palates, sweeps
from pipeline.formats import carstens_pos
from pipeline.ground.console import InputError, UsageError
from pipeline.ground.params import PalateTrace
from pipeline.ground.utterance import Tracks
from tests.pipeline.corpora.recording_files import (
    column,
    put,
    put_sound,
    read_all,
    read_one,
    settings,
)

MAP = {1: "LE", 2: "RE", 3: "NB", 5: "TT", 6: "LL"}
# where the sensors are in the head: forward, left, up in mm; the plate's front at the origin
HEAD = {1: (-110, 70, 30), 2: (-112, -69, 28), 3: (10, 3, 90), 5: (-12, 0, 2), 6: (8, 1, -15)}
PLATE = {8: (0, 0, 0), 9: (-45, 22, 0), 10: (-45, -22, 0)}
REFERENCE = ("LE", "RE", "NB")


@pytest.fixture(autouse=True)
def forget():
    sweeps.recorded_template.cache_clear()


def in_head(frames=100, plate=False):
    """Sensors [T, 12, 3] in the frame of the head, NaN where unconnected; two articulators move."""
    points = np.full((frames, 12, 3), np.nan)
    for number, place in (HEAD | (PLATE if plate else {})).items():
        points[:, number - 1] = place
    if not plate:
        points[:, 4, 2] += 6 * np.sin(np.arange(frames) / 8)
        points[:, 5, 2] -= 9 * np.sin(np.arange(frames) / 11)
    return points


def put_sweep(path, points, moving=True, posture=0, version="V003"):
    """Write a sweep as the device sees it: the head turned, shifted and moving."""
    fields = np.zeros((len(points), 12, 7))
    for frame, there in enumerate(points):
        swing = 0.2 * np.sin(frame / 30) if moving else 0.0
        turn = Rotation.from_euler("xyz", [0.1 + posture, -0.2 + swing, 0.3])
        shift = np.array([5, -8, 40 + frame / 50])
        fields[frame, :, :3] = np.nan_to_num(turn.apply(there) + shift)
    names = tuple(f"{k + 1}_{field}" for k in range(12) for field in carstens_pos.FIELDS)
    tracks = Tracks(np.arange(len(points)) / 200, fields.reshape(len(points), -1), names)
    path.parent.mkdir(parents=True, exist_ok=True)
    carstens_pos.write(path, tracks, version)


def session(folder, **options):
    put_sweep(folder / "pos" / "0001.pos", in_head(), **options)
    put_sound(folder / "wav" / "0001.wav", 0.5)
    return folder


@pytest.mark.parametrize("version", ["V003", "V002", "AG500"])
def test_sensors_get_their_names(tmp_path, version):
    utterance = read_one(session(tmp_path, version=version), settings("carstens", channel_map=MAP))
    assert utterance.id == "0001"
    assert utterance.tracks.channels[:3] == ("LE_x", "LE_z", "LE_y")
    assert len(utterance.tracks.channels) == 15
    assert utterance.tracks.rate == pytest.approx(200)


def test_an_unconnected_sensor_is_missing_and_not_at_the_origin(tmp_path):
    corpus = settings("carstens", channel_map={5: "TT", 11: "UL"})
    tracks = read_one(session(tmp_path), corpus).tracks
    assert np.isnan(column(tracks, "UL_y")).all()
    assert not np.isnan(column(tracks, "TT_y")).any()


def test_the_head_is_held_still(tmp_path):
    raw = read_one(session(tmp_path), settings("carstens", channel_map=MAP)).tracks
    corpus = settings("carstens", channel_map=MAP, head_correction={"reference": REFERENCE})
    corrected = read_one(tmp_path, corpus).tracks
    assert corrected.channels == tuple(f"{name}_{axis}" for name in ("TT", "LL") for axis in "xzy")
    truth = in_head()

    def distance(tracks):
        ends = (column(tracks, f"TT_{axis}") - column(tracks, f"LL_{axis}") for axis in "xyz")
        return np.sqrt(sum(end**2 for end in ends))

    # distances are nobody's frame: they were right before and stay so
    wanted = np.linalg.norm(truth[:, 4] - truth[:, 5], axis=1)
    assert_allclose(distance(raw), wanted, atol=1e-3)
    assert_allclose(distance(corrected), wanted, atol=1e-3)
    # the lip went up and down along a straight line once the head is still
    path = np.stack([column(corrected, f"LL_{axis}") for axis in "xyz"])
    spread = np.linalg.svd(path - path.mean(axis=1, keepdims=True), compute_uv=False)
    assert spread[1] < 1e-2 * spread[0]
    raw_path = np.stack([column(raw, f"LL_{axis}") for axis in "xyz"])
    spread = np.linalg.svd(raw_path - raw_path.mean(axis=1, keepdims=True), compute_uv=False)
    assert spread[1] > 0.1 * spread[0]


@pytest.mark.parametrize("posture", [0, 0.4])
def test_a_bite_plate_gives_origin_and_axes(tmp_path, posture):
    session(tmp_path / "corpus", posture=posture)
    put_sweep(tmp_path / "bite.pos", in_head(plate=True), moving=False)
    head = {
        "reference": REFERENCE,
        "recording": str(tmp_path / "bite.pos"),
        "bite_plane": ("F", "L", "R"),
    }
    plate = {8: "F", 9: "L", 10: "R"}
    corpus = settings("carstens", channel_map=MAP | plate, head_correction=head)
    tracks = read_one(tmp_path / "corpus", corpus).tracks
    truth = in_head()
    for name, sensor in (("TT", 4), ("LL", 5)):
        for axis, k in (("x", 0), ("z", 1), ("y", 2)):
            assert_allclose(column(tracks, f"{name}_{axis}"), truth[:, sensor, k], atol=1e-3)


def test_the_layout_follows_from_the_map():
    corpus = settings("carstens", channel_map=MAP, head_correction={"reference": REFERENCE})
    layout = corpora.default_layout(corpus)
    assert layout.channels == ("TT_x", "TT_y", "LL_x", "LL_y") and layout.deltas == 0
    assert corpora.default_layout(settings("xrmb")).channels[0] == "UL_x"
    with pytest.raises(UsageError, match=r"corpus\.channel_map: name the sensors"):
        corpora.default_layout(settings("carstens"))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "corpus.channel_map: name the sensors"),
        ({"channel_map": {1: "TT", 2: "TT"}}, "corpus.channel_map: TT more than once"),
        ({"head_correction": {"reference": ("LE",)}}, "LE not in corpus.channel_map"),
        (
            {"channel_map": MAP, "head_correction": {"reference": ("LE", "RE")}},
            "corpus.head_correction.reference: three sensors at least",
        ),
        (
            {"channel_map": MAP, "head_correction": {"bite_plane": ("LE", "RE", "NB")}},
            "corpus.head_correction.bite_plane: three sensors, and a recording",
        ),
    ],
)
def test_parameters_that_do_not_fit(tmp_path, changes, reason):
    changes = {"channel_map": {5: "TT"}} | changes if "head_correction" in changes else changes
    with pytest.raises(UsageError) as refusal:
        read_one(session(tmp_path), settings("carstens", **changes))
    assert reason in str(refusal.value)


def test_a_sensor_that_the_sweep_lacks(tmp_path):
    corpus = settings("carstens", channel_map={5: "TT", 17: "XX"})
    with pytest.raises(
        InputError, match=r"0001\.pos: no sensor 17, which corpus\.channel_map names"
    ):
        read_one(session(tmp_path), corpus)


def test_raw_positions_are_not_read_and_folders_are_speakers(tmp_path):
    for speaker in ("anna", "ben"):
        session(tmp_path / speaker / "day1")
        put_sweep(tmp_path / speaker / "day1" / "rawpos" / "0001.pos", in_head())
    utterances = read_all(tmp_path, settings("carstens", channel_map=MAP))
    assert [u.id for u in utterances] == ["anna_day1_0001", "ben_day1_0001"]
    assert [(u.speaker, u.session) for u in utterances] == [("anna", "day1"), ("ben", "day1")]


def test_real_sweep(shared_data, tmp_path):
    for name in ("0023.pos", "0023.wav"):
        (tmp_path / name).symlink_to(shared_data / "carstens" / name)
    names = {1: "LE", 2: "RE", 3: "NB", 4: "LI", 5: "TB", 6: "TM", 7: "TT", 8: "UL", 9: "LL"}
    corpus = settings("carstens", channel_map=names, head_correction={"reference": REFERENCE})
    utterance = read_one(tmp_path, corpus)
    tracks = utterance.tracks
    assert len(tracks.time) == 896 and tracks.rate == pytest.approx(250)
    assert utterance.sample_rate == 48_000
    assert len(utterance.audio) / 48_000 == pytest.approx(3.584, abs=1e-3)
    assert len(corpora.default_layout(corpus).channels) == 12
    # from back to front, the upper lip above the lower; all within a mouth
    order = [column(tracks, f"{name}_x").mean() for name in ("TB", "TM", "TT", "UL")]
    assert order == sorted(order)
    assert column(tracks, "UL_y").mean() > column(tracks, "LL_y").mean() + 10
    # the file was corrected by NormPos: doing it again changes next to nothing
    plain = read_one(tmp_path, settings("carstens", channel_map=names)).tracks
    assert_allclose(column(tracks, "TT_y"), column(plain, "TT_y"), atol=0.5)


TEXT = "\t".join(
    f"Ch{s + 1}_{name}"
    for s in range(2)
    for name in ("X", "Y", "Z", "phi", "theta", "RMS", "Extra")
)


def test_text_exports_are_sweeps_and_other_texts_are_not(tmp_path):
    rows = "\n".join("\t".join(str(k + row / 10) for k in range(14)) for row in range(100))
    put(tmp_path / "S1" / "0001.txt", f"{TEXT}\n{rows}\n")
    put(tmp_path / "S1" / "prompt.txt", "say so")
    put_sound(tmp_path / "S1" / "wav" / "0001.wav", 0.5)
    corpus = settings("carstens", channel_map={2: "TT"}, text_rate_hz=200)
    tracks = read_one(tmp_path, corpus).tracks
    assert tracks.rate == pytest.approx(200)
    assert tracks.values[0].tolist() == [7, 8, 9] and tracks.channels == ("TT_x", "TT_z", "TT_y")
    # the same sweep as the articulograph wrote it comes first
    put_sweep(tmp_path / "S1" / "0001.pos", in_head())
    assert read_one(tmp_path, settings("carstens", channel_map=MAP)).tracks.channels[0] == "LE_x"


@pytest.mark.parametrize("place", ["S2/wav", "S1/day2/wav", "S2"])
def test_another_speaker_s_sound_is_not_taken(tmp_path, place):
    put_sweep(tmp_path / "S1" / "day1" / "pos" / "0001.pos", in_head())
    put_sound(tmp_path / place / "0001.wav", 0.5)
    with pytest.raises(InputError, match=r"S1/day1/pos/0001\.wav: not found"):
        read_all(tmp_path, settings("carstens", channel_map=MAP))


def test_the_palate_is_the_way_of_a_sensor_along_it(tmp_path):
    x = np.concatenate([np.linspace(-50, 0, 200), np.linspace(0, -50, 200)])
    arch = 10 - 0.01 * (x + 25) ** 2
    points = in_head(400)
    points[:, 8] = np.stack([x, 0 * x, arch - 3 * (np.arange(400) % 50 == 0)], axis=1)  # lifted off
    put_sweep(tmp_path / "palate.pos", points)
    session(tmp_path / "corpus")
    trace = PalateTrace(file=str(tmp_path / "palate.pos"), sensor=9)
    # the head moved meanwhile: it is held still as in every sweep
    corpus = settings(
        "carstens",
        channel_map=MAP,
        palates={"A": trace},
        head_correction={"reference": REFERENCE, "recording": str(tmp_path / "palate.pos")},
    )
    found = palates.traced(corpus)["A"]
    ends = np.linalg.norm(found[0] - found[-1])
    assert 40 < ends < 51
    assert (np.diff(found[:, 0]) > 0).all()


def test_a_real_palate_lies_over_the_tongue(shared_data):
    folder = shared_data / "tardis_sf2"
    names = {1: "TT", 2: "TB", 3: "TD", 4: "LI", 6: "UL", 7: "LL"}
    trace = PalateTrace(file=str(folder / "sf2_palate.txt"), sensor=15)
    corpus = settings("carstens", channel_map=names, palates={"sf2": trace})
    utterance = read_one(folder, corpus)  # the trace is no utterance
    assert utterance.id == "sf2_0005" and utterance.sample_rate == 48_000
    tracks = utterance.tracks
    palate = palates.traced(corpus)["sf2"]
    assert palate[0, 0] < 47 and palate[-1, 0] > 84
    for sensor in ("TT", "TB", "TD"):
        roof = np.interp(column(tracks, f"{sensor}_x"), *palate.T)
        room = roof - column(tracks, f"{sensor}_y")
        assert -1.5 < room.min() < 6 and room.max() > 5  # it touches or all but touches, and leaves
