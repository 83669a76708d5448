import json

import msgspec
import numpy as np
import pytest

from pipeline import corpora
from pipeline.corpora import emu, inspection
from pipeline.formats import ssff
from pipeline.ground.console import InputError, UsageError
from pipeline.ground.utterance import Label, Tracks
from tests.pipeline.corpora.recording_files import (
    column,
    put,
    put_sound,
    read_all,
    read_one,
    settings,
)

SENSORS = {"TT": "t_tip", "LL": "lower_lip"}
COLUMNS = ("posx", "posy", "posz", "orix")
ANNOTATION = {
    "name": "b1",
    "annotates": "b1.wav",
    "sampleRate": 16_000,
    "levels": [
        {"name": "Utterance", "type": "ITEM", "items": [item := {"id": 9, "labels": []}]},
        {
            "name": "Word",
            "type": "ITEM",
            "items": [{"id": 1, "labels": [{"name": "Word", "value": "so"}]}],
        },
        {
            "name": "Phonetic",
            "type": "SEGMENT",
            "items": [
                {
                    "id": 2,
                    "sampleStart": 1600,
                    "sampleDur": 1599,
                    "labels": [{"name": "Phonetic", "value": "s"}, {"name": "SAMPA", "value": "S"}],
                },
                {
                    "id": 3,
                    "sampleStart": 3200,
                    "sampleDur": 3199,
                    "labels": [{"name": "Phonetic", "value": "o"}, {"name": "SAMPA", "value": "O"}],
                },
            ],
        },
        {
            "name": "Tone",
            "type": "EVENT",
            "items": [
                {"id": 4, "samplePoint": 2000, "labels": [{"name": "Tone", "value": "H"}]},
            ],
        },
    ],
    "links": [
        {"fromID": 1, "toID": 2},
        {"fromID": 1, "toID": 3},
        {"fromID": 9, "toID": 1},
    ],
}


def database(**changes):
    """The corpus block for an EMU database."""
    base = settings("emu")
    return msgspec.structs.replace(
        base, emu=msgspec.structs.replace(base.emu, **{"sensors": SENSORS} | changes)
    )


def put_tracks(path, number=0, columns=COLUMNS, rate=200, frames=100):
    """Column k is 100 number + 10 k + frame / 1000."""
    values = 100 * number + 10 * np.arange(len(columns)) + np.arange(frames)[:, None] / 1000
    path.parent.mkdir(parents=True, exist_ok=True)
    ssff.write(path, Tracks(np.arange(frames) / rate, values, tuple(f"tt_{c}" for c in columns)))


def bundle(folder, name="b1", annotation=ANNOTATION, sound=True):
    put(folder / f"{name}_annot.json", json.dumps(annotation))
    for number, ending in enumerate(SENSORS.values(), 1):
        put_tracks(folder / f"{name}.{ending}", number)
    if sound:
        put_sound(folder / f"{name}.wav", 0.5)


def emu_db(folder, session="0000", name="b1", **options):
    """A database as emuR writes it, with one bundle."""
    home = folder / "my_emuDB"
    put(home / "my_DBconfig.json", json.dumps({"name": "my", "mediafileExtension": "wav"}))
    bundle(home / f"{session}_ses" / f"{name}_bndl", name, **options)
    return folder


def test_a_bundle_of_a_database(tmp_path):
    utterance = read_one(emu_db(tmp_path, "anna"), database())
    assert (utterance.id, utterance.speaker, utterance.session) == ("anna_b1", "anna", "anna")
    tracks = utterance.tracks
    assert tracks.channels == ("TT_x", "TT_y", "TT_z", "LL_x", "LL_y", "LL_z")
    assert tracks.rate == pytest.approx(200)
    # x is -posy, y is posz, z is posx
    assert tracks.values[0].tolist() == [-110, 120, 100, -210, 220, 200]
    assert utterance.phones == (Label(0.1, 3199 / 16000, "s"), Label(0.2, 6399 / 16000, "o"))
    assert utterance.words == (Label(0.1, 6399 / 16000, "so"),)  # through its links
    assert utterance.notes == ()


def test_axes_signs_units_and_levels_are_the_database_s(tmp_path):
    corpus = database(
        axes={"x": "posx", "y": "-posz"}, unit_mm=10, phones="SAMPA", words="Utterance"
    )
    utterance = read_one(emu_db(tmp_path), corpus)
    assert utterance.tracks.channels == ("TT_x", "TT_y", "LL_x", "LL_y")
    assert utterance.tracks.values[0].tolist() == [1000, -1200, 2000, -2200]
    assert [label.text for label in utterance.phones] == ["S", "O"]
    assert utterance.words == (Label(0.1, 6399 / 16000, ""),)  # through words and segments


def test_speaker_and_sentence_by_pattern(tmp_path):
    emu_db(tmp_path, "0000", "ab_07_2")
    utterance = read_one(tmp_path, database(speaker="/([a-z]+)_", sentence=r"_(\d+)_\d+$"))
    assert (utterance.speaker, utterance.sentence) == ("ab", "07")
    for pattern, reason in (("x(y)", "finds nothing in '0000/ab_07_2'"), ("(", "unterminated")):
        with pytest.raises(UsageError, match=rf"corpus\.emu\.speaker.*{reason}"):
            read_one(tmp_path, database(speaker=pattern))


def test_a_file_with_the_columns_of_several_sensors(tmp_path):
    names = [f"{s}_pos{a}" for s in ("tt", "ll") for a in "xyz"]
    values = np.arange(6.0) + np.zeros((100, 1))
    ssff.write(tmp_path / "b1.ema", Tracks(np.arange(100) / 200, values, tuple(names)))
    put_sound(tmp_path / "b1.wav", 0.5)
    tracks = read_one(tmp_path, database(sensors={"TT": "ema:tt", "LL": "ema:ll"})).tracks
    assert tracks.values[0].tolist() == [-1, 2, 0, -4, 5, 3]
    with pytest.raises(InputError, match=r"b1\.ema: 2 columns \.\.\.posy among tt_posx"):
        read_one(tmp_path, database(sensors={"TT": "ema"}))


def test_zeros_that_fill_a_sweep_up_are_missing(tmp_path):
    emu_db(tmp_path)
    path = next(tmp_path.rglob("*.t_tip"))
    tracks = ssff.read(path)
    tracks.values[90:] = 0
    ssff.write(path, tracks)
    missing = np.isnan(read_one(tmp_path, database()).tracks.values)
    assert missing[90:, :3].all() and missing.sum() == 30


def test_another_session_s_sound_is_not_taken(tmp_path):
    emu_db(tmp_path, "anna", sound=False)
    emu_db(tmp_path, "ben")
    with pytest.raises(InputError, match=r"anna_ses/b1_bndl/b1\.wav: not found"):
        read_all(tmp_path, database())


def test_a_bundle_without_its_tracks_is_missing_and_not_absent(tmp_path):
    emu_db(tmp_path)
    next(tmp_path.rglob("*.lower_lip")).unlink()
    with pytest.raises(InputError, match=r"b1\.lower_lip: not found"):
        read_one(tmp_path, database())


def test_labels_that_cannot_be_used_cost_the_label(tmp_path):
    annotation = json.loads(json.dumps(ANNOTATION))
    annotation["levels"][2]["items"][1] |= {"sampleStart": 800_000}
    annotation["levels"][2]["items"].append({"id": 7, "labels": []})
    utterance = read_one(emu_db(tmp_path, annotation=annotation), database())
    assert [label.text for label in utterance.phones] == ["s"]
    assert len(utterance.notes) == 3  # both of these, and the word over the first
    assert "no level 'Nowhere' among Utterance, Word" in "".join(
        read_one(tmp_path, database(phones="Nowhere")).notes
    )


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"levels": 1}', b'{"levels": [], "sampleRate": 0}']
)
def test_a_broken_annotation_costs_the_labels(tmp_path, content):
    emu_db(tmp_path)
    next(tmp_path.rglob("*_annot.json")).write_bytes(content)
    utterance = read_one(tmp_path, database(phones="Phonetic"))
    assert utterance.phones == utterance.words == ()
    (note,) = utterance.notes
    assert "b1_annot.json: " in note and "\n" not in note


def test_without_sensors_the_files_that_there_are_are_named(tmp_path):
    emu_db(tmp_path)
    with pytest.raises(UsageError, match=r"corpus\.emu\.sensors: .*: lower_lip, t_tip$"):
        read_one(tmp_path, settings("emu"))
    named = inspection.with_names(settings("emu"), tmp_path)
    assert named.emu.sensors == {"lower_lip": "lower_lip", "t_tip": "t_tip"}
    put(tmp_path / "b.txt", b"no SSFF")
    ssff.write(tmp_path / "b.fms", Tracks(np.arange(9) / 200, np.ones((9, 1)), ("fm",)))
    assert inspection.with_names(settings("emu"), tmp_path) == named  # formants are no sensor
    assert inspection.with_names(database(), tmp_path) == database()
    assert corpora.default_layout(database()).channels == ("TT_x", "TT_y", "LL_x", "LL_y")


def test_real_bundles(shared_data):
    corpus = database(
        sensors={
            **{"TT": "t_tip", "TM": "t_mid", "TB": "t_back"},
            **{"UL": "upper_lip", "LL": "lower_lip", "LI": "jaw"},
        },
        speaker="dfgspp_([a-z0-9]+)_",
    )
    utterances = read_all(shared_data / "emu_dfgspp", corpus)
    assert [u.id for u in utterances] == [f"dfgspp_mo1_prosody_00{n}" for n in (20, 24)]
    for utterance in utterances:
        tracks = utterance.tracks
        assert utterance.speaker == "mo1" and utterance.sample_rate == 24_000
        assert len(tracks.time) == 800 and tracks.rate == pytest.approx(200)
        assert len(utterance.audio) / 24_000 == pytest.approx(4, abs=1e-3)
        # posy counts backward: from back to front once it is turned round
        order = [np.nanmean(column(tracks, f"{s}_x")) for s in ("TB", "TM", "TT", "LI", "LL", "UL")]
        assert order == sorted(order) and tracks.unit == "mm"
        assert np.nanmean(column(tracks, "UL_y")) > np.nanmean(column(tracks, "LL_y")) + 15
    # sweeps end 0.2 s before their sound and are filled up with zeros
    assert [np.isnan(u.tracks.values[:, 0]).sum() for u in utterances] == [40, 38]
    assert [u.words[0].text for u in utterances] == ["Kneipe", "Klausur"]
    assert [len(u.phones) for u in utterances] == [32, 38]
    assert utterances[0].words[0] == Label(1.2, 1.53, "Kneipe")


def test_real_ssff_beside_a_sound(shared_data):
    corpus = database(
        sensors={name: name for name in ("TT", "TB", "TD", "UL", "LL", "LT")},
        axes={"x": "x_raw", "y": "z_raw", "z": "y_raw"},
    )
    utterance = read_one(shared_data / "tardis_sf2", corpus)
    assert utterance.id == "sf2_0005" and utterance.sample_rate == 48_000
    assert utterance.tracks.rate == pytest.approx(250)
    order = [column(utterance.tracks, f"{s}_x").mean() for s in ("TD", "TB", "TT", "LT", "UL")]
    assert order == sorted(order)
    assert next(emu.find(shared_data / "tardis_sf2", corpus)).files[0].name == "sf2_0005.wav"
