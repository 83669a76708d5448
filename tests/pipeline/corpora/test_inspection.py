"""The look at a corpus: what it prints, what it finds odd, and what it draws."""

import dataclasses

import msgspec
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from pipeline.corpora import Item, inspection, reader
from pipeline.formats import carstens_pos
from pipeline.ground.utterance import Label, Tracks, Utterance
from pipeline.plots.cloud import cloud
from tests.pipeline.corpora.recording_files import put_sound, settings

PLACES = {"TT": (-15, 0), "TB": (-30, 5), "TD": (-45, 3), "UL": (10, 12), "LL": (8, -18)}
RATE = 16_000
RHYTHMS = 0.9, 1.7, 2.6, 3.5, 4.3, 5.2, 6.1  # Hz


def utterance(number=0, speaker="A", scale=1.0, delay=0.0, change=None) -> Utterance:
    """Two seconds in which the lower lip opens the mouth and the sound is as loud as it is open."""
    generator = np.random.default_rng(number)
    time = np.arange(400) / 200
    waves = [np.sin(2 * np.pi * f * time + generator.uniform(0, 6)) for f in RHYTHMS]
    opening = 5 + 1.5 * np.sum(waves, axis=0)
    values = {}
    for sensor, (x, y) in PLACES.items():
        values[f"{sensor}_x"] = x + 0.2 * opening + generator.normal(0, 0.3, 400)
        values[f"{sensor}_y"] = y - 0.3 * opening + generator.normal(0, 0.3, 400)
    values["LL_y"] = PLACES["LL"][1] - opening
    if change:
        change(values)
    fine = np.arange(2 * RATE) / RATE
    loudness = np.interp(fine - delay, time, 10 ** (opening / 20))
    sound = 0.05 * loudness * generator.normal(0, 0.3, len(fine))
    table = scale * np.stack(list(values.values()), axis=1)
    return Utterance(
        f"u{number}",
        Tracks(time, table, tuple(values)),
        sound.astype(np.float32),
        RATE,
        speaker=speaker,
        sentence=f"s{number}",
        phones=(Label(0, 1, "a"), Label(1, 2, "t")),
    )


def look(*found) -> str:
    """The summary of some utterances and refusals."""
    pairs = [(Item(f"u{k}", ()), one) for k, one in enumerate(found)]
    corpus = settings("xrmb")
    return "\n".join(inspection.summary(corpus, "FOLDER", inspection.survey(pairs)))


def test_what_was_found_is_counted():
    text = look(utterance(0), utterance(1), utterance(2, "B"), "FILE: no sample in any channel")
    assert "xrmb: FOLDER" in text
    assert "utterances: 3, 0.10 min; speakers: 2; sentences: 3; refused: 1" in text
    assert "sound: 16000 Hz; tracks: 200.0 Hz" in text
    assert "phones: 6 of 2 kinds: a (3), t (3)" in text
    assert "speaker A: 0.07 min in 2 utterance(s)" in text
    assert "refused u3: FILE: no sample in any channel" in text
    assert "LOOK" not in text


def test_means_deviations_and_missing_samples_are_right():
    def lose(values):
        values["TT_x"][:200] = np.nan

    parts = [utterance(0), utterance(1, change=lose)]
    speaker = inspection.Speaker(parts[0])
    for part in parts:
        speaker.add(part)
    column = np.concatenate([part.tracks.values[:, 0] for part in parts])
    assert speaker.mean("TT_x") == pytest.approx(np.nanmean(column))
    assert speaker.deviation("TT_x") == pytest.approx(np.nanstd(column))
    line = next(line for line in inspection.about("A", speaker) if line.strip().startswith("TT"))
    assert line.endswith("mm; 12.5 % missing")


def exchange(one, other):
    def change(values):
        for axis in "xy":
            a, b = f"{one}_{axis}", f"{other}_{axis}"
            values[a], values[b] = values[b], values[a]

    return change


def turn(axis):
    def change(values):
        for name in values:
            if name.endswith(axis):
                values[name] *= -1

    return change


def hold_still(values):
    values["TB_y"][:] = 3.0


def cut_short(whole: Utterance) -> Utterance:
    return dataclasses.replace(whole, audio=whole.audio[: RATE * 3 // 2])


@pytest.mark.parametrize(
    ("odd", "finding"),
    [
        (utterance(change=turn("_x")), "the upper lip UL lies behind the tongue"),
        (utterance(change=exchange("TT", "TB")), "TB lies in front of TT"),
        (utterance(change=exchange("TB", "TD")), "TD lies in front of TB"),
        (utterance(change=exchange("UL", "LL")), "the upper lip lies below the lower one"),
        (utterance(change=turn("_y")), "the upper lip lies below the lower one"),
        (utterance(scale=1000), "mm: the unit may be another one, such as micrometres"),
        (utterance(scale=0.1), "mm: the unit may be another one, such as cm"),
        (utterance(change=hold_still), "constant: TB_y"),
        (cut_short(utterance()), "sound and tracks end 0.1 s or more apart in 1 utterances"),
    ],
)
def test_what_cannot_be_right_is_said(odd, finding):
    lines = [line for line in look(odd).splitlines() if line.strip().startswith("LOOK: ")]
    assert any(finding in line for line in lines)


@pytest.mark.parametrize("delay", [0.0, 0.03, -0.12])
def test_tracks_that_do_not_keep_time_with_the_sound_are_said(delay):
    speaker = inspection.Speaker(utterance())
    for number in range(3):
        speaker.add(utterance(number, delay=delay))
    lag, share, _, clear = speaker.timing()
    assert lag == pytest.approx(delay, abs=0.011)
    assert share > 0.5 and clear == (delay != 0)
    said = [finding for finding in speaker.findings() if "ms too" in finding]
    assert len(said) == (abs(delay) > 0.05)
    if said:
        assert "ms too late for the sound" in said[0]  # the sound was there before


def test_a_corpus_without_sound_has_no_lag():
    whole = utterance()
    silent = Utterance("u", whole.tracks, inputs=np.zeros((200, 39), np.float32))
    text = look(silent)
    assert "correlate" not in text and "0.03 min" in text


def test_every_sensor_of_the_cloud_has_its_name_and_no_names_overlap():
    generator = np.random.default_rng(0)
    # three sensors all but on top of each other
    means = {name: np.array([*place, 0.0]) for name, place in PLACES.items()}
    means |= {"JAW": np.array([8.5, -18.5, 1]), "JAWL": np.array([7.5, -18.2, 15.0])}
    places = {name: mean[:2] + generator.normal(0, 2, (50, 2)) for name, mean in means.items()}
    drawn = cloud(places, means, "two words")
    canvas = FigureCanvasAgg(drawn)
    canvas.draw()
    (axes,) = drawn.axes
    assert sorted(t.get_text() for t in axes.texts) == sorted([*PLACES, "JAW", "JAWL (+15 mm)"])
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in axes.texts]
    for k, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:k])
    assert axes.get_aspect() == 1
    assert "forward (mm)" in axes.get_xlabel() and axes.get_ylabel() == "height (mm)"


def test_a_sensor_that_was_never_seen_is_no_cloud():
    places = {"TT": np.zeros((5, 2)) + np.arange(5)[:, None], "XX": np.full((5, 2), np.nan)}
    drawn = cloud(places, {"TT": np.full(3, 2.0), "XX": np.full(3, np.nan)}, "")
    assert [text.get_text() for text in drawn.axes[0].texts] == ["TT"]


def test_raw_sweeps_without_names_go_by_number(tmp_path):
    fields = np.zeros((50, 12, 7))
    fields[:, [0, 4], :3] = [[[1, 2, 3], [4, 5, 6]]]
    names = tuple(f"{k + 1}_{field}" for k in range(12) for field in carstens_pos.FIELDS)
    tracks = Tracks(np.arange(50) / 200, fields.reshape(50, -1), names)
    (tmp_path / "0000.pos").write_bytes(b"broken")
    carstens_pos.write(tmp_path / "0001.pos", tracks)
    put_sound(tmp_path / "0001.wav")
    named = inspection.with_names(settings("carstens"), tmp_path)
    assert named.channel_map == {1: "S1", 5: "S5"}
    given = settings("carstens", channel_map={5: "TT"})
    assert inspection.with_names(given, tmp_path) is given
    assert inspection.with_names(settings("xrmb"), tmp_path) == settings("xrmb")


@pytest.mark.slow
def test_the_command_prints_draws_and_leaves_the_stages_alone(project, stage):
    outcome = stage("corpus", "--inspect", "--reader", "folder", "--path", "recordings")
    assert outcome.status == 0, outcome.err
    assert "utterances: 24" in outcome.out and "speakers: 1" in outcome.out
    drawn = sorted((project / "data" / "inspection").glob("*.png"))
    assert [path.name for path in drawn] == [
        "folder-speaker-first.png",
        "folder-speaker-sensors.png",
    ]
    for path in drawn:
        pixels = np.asarray(Image.open(path).convert("L"))
        assert 0.002 < (pixels < 128).mean() < 0.5  # something is drawn, and not everywhere
    assert not (project / "data" / "corpus").exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--reader", "nobody"), "corpus.reader: no 'nobody' among"),
        (("--path", "nowhere"), "corpus.path: nowhere: no such folder"),
        (("--reader", "hprc"), "recordings: no utterance that the reader hprc knows"),
    ],
)
def test_a_wrong_name_is_one_line(project, stage, arguments, reason):
    outcome = stage("corpus", "--inspect", *arguments)
    assert outcome.status in (1, 2)
    assert reason in outcome.err and outcome.err.count("\n") == 1


SENSORS = {
    "hprc": {},
    "xrmb": {},
    "stem_e2va": {},
    "emu_dfgspp": {
        **{"TT": "t_tip", "TM": "t_mid", "TB": "t_back"},
        **{"UL": "upper_lip", "LL": "lower_lip", "LI": "jaw"},
    },
    "carstens": {4: "LI", 5: "TB", 6: "TM", 7: "TT", 8: "UL", 9: "LL"},
    "tardis_sf2": {1: "TT", 2: "TB", 3: "TD", 4: "LI", 6: "UL", 7: "LL"},
}
TWELVE = 12  # utterances of a speaker: enough to tell


@pytest.fixture(scope="module")
def real(shared_data):
    """Some utterances of every real corpus, read once: name -> utterances."""
    found = {}
    for name, sensors in SENSORS.items():
        kind = {"stem_e2va": "stem-e2va", "emu_dfgspp": "emu", "tardis_sf2": "carstens"}
        corpus = settings(kind.get(name, name))
        if corpus.reader == "emu":
            tracks = msgspec.structs.replace(corpus.emu, sensors=sensors)
            corpus = msgspec.structs.replace(corpus, emu=tracks)
        elif sensors:
            corpus = msgspec.structs.replace(corpus, channel_map=sensors)
        of_reader = reader(corpus.reader)
        items = list(of_reader.find(shared_data / name, corpus))
        items = [item for item in items if item.files[0].exists()]  # no palate, no fixture
        items = [item for item in items if item.id.startswith(("0023", "D", "F", "J", "d", "s"))]
        speakers = {item.speaker for item in items}
        found[name] = [
            of_reader.read(item, corpus)
            for speaker in sorted(speakers)
            for item in [item for item in items if item.speaker == speaker][::8][:TWELVE]
        ]
        assert found[name]
    return found


def said(utterances, change=lambda tracks: tracks) -> list[str]:
    """What is found odd of utterances whose tracks were changed."""
    changed = [dataclasses.replace(one, tracks=change(one.tracks)) for one in utterances]
    return [line.strip()[6:] for line in look(*changed).splitlines() if "LOOK: " in line]


@pytest.mark.parametrize("name", SENSORS)
def test_a_real_corpus_that_is_right_is_told_nothing_about(real, name):
    assert said(real[name]) == []


def of_channels(*endings, factor=-1.0):
    def change(tracks):
        columns = [name.endswith(endings) for name in tracks.channels]
        return dataclasses.replace(tracks, values=np.where(columns, factor, 1) * tracks.values)

    return change


def of_sensors(one, other):
    """Each has what the other measured."""
    names = {one: other, other: one}

    def change(tracks):
        parts = [name.partition("_") for name in tracks.channels]
        columns = [tracks.channels.index(f"{names.get(s, s)}_{axis}") for s, _, axis in parts]
        return dataclasses.replace(tracks, values=tracks.values[:, columns])

    return change


def of_time(seconds):
    return lambda tracks: dataclasses.replace(tracks, time=tracks.time + seconds)


SWAPPED = {
    "hprc": (("TT", "TB"), ("TB", "TR")),
    "xrmb": (("T1", "T2"), ("T2", "T3"), ("T3", "T4")),
    "stem_e2va": (("TT", "TM"), ("TM", "TB")),
    "emu_dfgspp": (("TT", "TM"), ("TM", "TB")),
    "carstens": (("TT", "TM"), ("TM", "TB")),
    "tardis_sf2": (("TT", "TB"), ("TB", "TD")),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SENSORS)
def test_a_real_corpus_that_was_spoiled_is_said(real, name):
    for factor, unit in ((0.1, "cm"), (0.001, "m"), (1000, "micrometres")):
        lines = said(real[name], of_channels("", factor=factor))
        assert any(line.endswith(f"the unit may be another one, such as {unit}") for line in lines)
    assert all("lies behind the tongue: x" in line for line in said(real[name], of_channels("_x")))
    assert any("lies behind the tongue: x" in line for line in said(real[name], of_channels("_x")))
    assert any("lies below the lower one" in line for line in said(real[name], of_channels("_y")))
    for pair in SWAPPED[name]:
        lines = said(real[name], of_sensors(*pair))
        assert any("two sensors may be swapped" in line for line in lines)
    for seconds in (0.1, 0.15):
        late = said(real[name], of_time(seconds))
        assert all("ms too late for the sound" in line or "apart" in line for line in late)
        assert any("ms too late for the sound" in line for line in late)
