from collections import Counter

import pytest

from pipeline.formats.audio import SUFFIXES, what_was_passed_over
from pipeline.ground.console import InputError, UsageError
from pipeline.prediction import recordings
from pipeline.prediction.recordings import Recording


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def found(arguments, manifest=None):
    return {r.name: r.audio for r in recordings.find([str(a) for a in arguments], manifest)}


def test_a_folder_is_its_sounds_at_any_depth_and_no_results(tmp_path):
    touch(tmp_path, "b.WAV", "a/x.flac", "a/y/z.ogg", "a/notes.txt", "b.tracks.wav", "a/._x.wav")
    assert list(found([tmp_path])) == ["a/x", "a/y/z", "b"]


def test_what_is_no_sound_is_counted_by_suffix_and_the_command_is_named(tmp_path):
    touch(tmp_path, "a.wav", "a.csv", "a.json", "a.tracks.wav", "b/a.m4a", "b/c.M4A", "d.webm")
    touch(tmp_path, "notes.txt", "README", ".hidden.m4a", "x_DBconfig.json", "a.m4a")
    passed = Counter()
    assert len(recordings.find([str(tmp_path)], None, passed)) == 1
    assert passed == {".m4a": 3, ".webm": 1, ".txt": 1, "": 1}
    assert what_was_passed_over(passed) == (
        "passed over 3 .m4a, 1 .webm, 1 without a suffix, 1 .txt (`ffmpeg -i NAME.m4a NAME.wav`"
        " makes NAME.m4a readable)"
    )
    (tmp_path / "a.wav").unlink()
    with pytest.raises(InputError, match=r"no sound in this folder \(.*\); passed over 3 \.m4a"):
        recordings.find([str(tmp_path)])


def test_every_suffix_that_libsndfile_reads_is_a_sound(tmp_path):
    touch(tmp_path, *(f"{suffix[1:]}/u{suffix}" for suffix in SUFFIXES))
    assert {".caf", ".w64", ".au", ".opus", ".rf64"} < SUFFIXES
    assert len(found([tmp_path])) == len(SUFFIXES)


def test_links_to_folders_are_followed_once_and_loops_end(tmp_path):
    touch(tmp_path, "in/a/u.wav", "elsewhere/v.wav")
    (tmp_path / "in" / "b").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "c").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "a" / "up").symlink_to(tmp_path / "in")
    assert list(found([tmp_path / "in"])) == ["a/u", "b/v"]


def test_a_pattern_names_from_its_first_wildcard_on(tmp_path):
    touch(tmp_path, "s1/a/u1.wav", "s2/a/u1.wav", "s2/b/u2.wav")
    assert list(found([tmp_path / "s*" / "a" / "*.wav"])) == ["s1/a/u1", "s2/a/u1"]
    assert list(found([tmp_path / "**" / "*2.wav"])) == ["s2/b/u2"]


def test_a_file_that_looks_like_a_pattern_is_a_file(tmp_path):
    touch(tmp_path, "take[1].wav", "take1.wav")
    assert list(found([tmp_path / "take[1].wav"])) == ["take[1]"]


def test_a_sound_named_twice_is_predicted_once(tmp_path):
    touch(tmp_path, "u1.wav")
    assert len(recordings.find([str(tmp_path), str(tmp_path / "u1.wav")])) == 1


def test_a_missing_file_is_left_to_its_own_error(tmp_path):
    assert list(found([tmp_path / "none.wav"])) == ["none"]


@pytest.mark.parametrize(
    "text",
    [
        "a/u1.wav\n\n# a comment\na/u2.wav\n",
        "audio,speaker\na/u1.wav,x\na/u2.wav,y\n",
        "id,files\nu1,a/u1.wav|a/u1.csv\nu2,a/u2.wav|a/u2.csv\n",
    ],
)
def test_manifests(tmp_path, text):
    touch(tmp_path, "a/u1.wav", "a/u2.wav")
    (tmp_path / "list").write_text(text)
    assert found([], tmp_path / "list") == {
        "a/u1": tmp_path / "a" / "u1.wav",
        "a/u2": tmp_path / "a" / "u2.wav",
    }


@pytest.mark.parametrize("name", ["/etc/passwd", "../../x", "a/../../x"])
def test_names_in_a_manifest_cannot_climb(name):
    assert recordings.safe_name(name) == name.rsplit("/", 1)[-1]


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b"audio\n"])
def test_a_manifest_that_names_nothing_is_one_line(tmp_path, content):
    if content is not None:
        (tmp_path / "list").write_bytes(content)
    with pytest.raises(InputError, match="list"):
        recordings.find([], tmp_path / "list")


def test_results_lie_beside_the_sound_or_below_the_folder(tmp_path):
    sounds = [Recording(tmp_path / "in" / "a.b.wav", "x/a.b")]
    assert recordings.place(sounds, None) == [tmp_path / "in" / "a.b"]
    assert recordings.place(sounds, tmp_path / "out") == [tmp_path / "out" / "x" / "a.b"]


def test_results_that_would_meet_or_leave_are_refused(tmp_path):
    twice = [Recording(tmp_path / "a.wav", "a"), Recording(tmp_path / "a.flac", "a")]
    with pytest.raises(UsageError, match=r"a\.flac and .*a\.wav"):
        recordings.place(twice, tmp_path)
    with pytest.raises(UsageError, match="would leave"):
        recordings.place([Recording(tmp_path / "a.wav", "../a")], tmp_path / "out")
