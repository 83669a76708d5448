"""A population: different people who can all speak, the same ones whoever makes them."""

import csv
import importlib.metadata
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from pipeline.corpora import vocaltractlab
from pipeline.corpora.vocaltractlab import (
    anatomy,
    delivery,
    habits,
    people,
    phonotactics,
    score,
    synthesis,
)
from pipeline.corpora.vocaltractlab.anatomy import AT
from pipeline.ground import params
from pipeline.ground.console import InputError
from pipeline.ground.params import Synthesis
from pipeline.plots import portraits
from tests.conftest import ROOT

TWO = Synthesis(speakers=2, utterances=3, seed=5)
SYNTHESIZE = """
import sys
from pathlib import Path
from pipeline.corpora import vocaltractlab
from pipeline.ground.params import Synthesis
if __name__ == "__main__":
    wanted = Synthesis(speakers=2, utterances=3, seed=5)
    vocaltractlab.synthesize(Path(sys.argv[1]), wanted, jobs=2)
"""


@pytest.fixture(scope="module")
def library() -> None:
    try:
        importlib.metadata.version(synthesis.LIBRARY)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{synthesis.LIBRARY} is not installed (the extra `synthesis`)")


@pytest.fixture(scope="module")
def corpus(library, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("population")
    vocaltractlab.synthesize(folder, TWO, jobs=1)
    return folder


@pytest.fixture(scope="module")
def utterances(corpus):
    shipped = params.load(ROOT / "params.yaml").corpus
    return [vocaltractlab.read(item, shipped) for item in vocaltractlab.find(corpus, shipped)]


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_killed_synthesis_with_more_processes_ends_with_the_same_bytes(corpus, tmp_path):
    folder = tmp_path / "killed"
    command = [sys.executable, "-c", SYNTHESIZE, str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        while not list(folder.glob(".made/p???-??.json")):
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not (folder / "metadata.csv").exists()
    [done, *_] = folder.glob(".made/p???-??.json")
    kept = (folder / f"{done.stem}.wav").stat().st_mtime_ns
    vocaltractlab.synthesize(folder, TWO, jobs=2)
    assert (folder / f"{done.stem}.wav").stat().st_mtime_ns == kept
    assert contents(folder) == contents(corpus)


@pytest.mark.slow
def test_a_worker_that_was_many_people_is_replaced(corpus, tmp_path, monkeypatch):
    """VocalTractLab keeps what it takes for each of them."""
    context = multiprocessing.get_context("spawn")
    hire, hired = context.Process, []
    monkeypatch.setattr(synthesis, "MOST_PEOPLE", 1)
    monkeypatch.setattr(
        context, "Process", lambda **given: hired.append(hire(**given)) or hired[-1]
    )
    vocaltractlab.synthesize(tmp_path / "corpus", TWO, jobs=1)
    assert [process.exitcode for process in hired] == [0, 0]
    assert contents(tmp_path / "corpus") == contents(corpus)


@pytest.mark.slow
def test_every_speaker_says_what_is_his_share_in_his_own_name(corpus, utterances):
    assert [u.id for u in utterances] == ["p000-00", "p000-01", "p001-00"]
    assert [u.speaker for u in utterances] == ["p000", "p000", "p001"]
    table = {row["speaker"]: row for row in rows(corpus / "speakers.csv")}
    for utterance in utterances:
        assert utterance.sex == table[utterance.speaker]["sex"]
        assert utterance.size == table[utterance.speaker]["size"]
    assert {u.sex for u in utterances} == {"f", "m"}
    assert (corpus / "speakers" / "p001.speaker").exists()
    assert float(table["p000"]["jaw_mm"]) != float(table["p001"]["jaw_mm"])


@pytest.mark.slow
def test_every_person_is_pictured_in_a_row_of_his_own(corpus, tmp_path):
    people = vocaltractlab.pictured(corpus)
    assert [one["about"]["speaker"] for one in people] == ["p000", "p001"]
    page = portraits.portraits(people)
    path = tmp_path / "speakers.png"
    page.savefig(path)
    picture = matplotlib.image.imread(path)[..., :3]
    height, width = picture.shape[:2]
    ink, tongues = picture.min(axis=-1) < 0.8, picture[..., 2] < picture[..., 0] - 0.4
    shown = []
    for panel in page.axes:
        box = panel.get_window_extent()
        x, y = box.intervalx / page.bbox.width, 1 - box.intervaly[::-1] / page.bbox.height
        rows_, columns = (slice(*np.round(e).astype(int)) for e in (y * height, x * width))
        assert ink[rows_, columns].sum() > tongues[rows_, columns].sum() > 20
        shown.append(tongues[rows_, columns])
    sounds = len(people[0]["outlines"])
    assert len(shown) == 2 * sounds
    for k, sound in enumerate(people[0]["outlines"]):
        assert differ(shown[k], shown[k + sounds]), sound  # two people, the same sound
        assert differ(shown[k], shown[(k + 1) % sounds]), sound  # one person, two sounds


def differ(one, other):
    """Say whether two pictures of panels, which may be a pixel wider, have little in common."""
    height, width = np.minimum(one.shape, other.shape)
    one, other = one[:height, :width], other[:height, :width]
    return (one != other).sum() > 0.5 * one.sum()


@pytest.mark.slow
def test_tracks_and_sound_are_those_of_an_utterance(utterances):
    for utterance in utterances:
        seconds = len(utterance.audio) / utterance.sample_rate
        assert abs(utterance.tracks.time[-1] - seconds) < 0.011
        assert utterance.tracks.channels[:2] == ("TT_x", "TT_y")
        assert np.isfinite(utterance.tracks.values).all()
        loud = np.abs(utterance.audio)
        assert 0.02 < loud.max() < 1
        spoken = [label for label in utterance.phones if label.text]
        before = loud[: int(0.8 * spoken[0].start * utterance.sample_rate)]
        assert before.max() < 0.1 * loud.max()


def test_people_are_drawn_from_seed_and_number_alone():
    pytest.importorskip("vocaltractlab_cython")
    one, same, other = people.draw(3, 4), people.draw(3, 4), people.draw(3, 5)
    assert one.about == same.about
    assert one.about != other.about
    again = people.draw(3, 4, attempt=1)
    assert again.name == one.name
    assert again.about != one.about
    held = people.draw(3, 4, held={"jaw_mm": 10.0})
    assert held.habits.jaw_mm == 10.0
    assert held.about == one.about | {"jaw_mm": 10.0}


def test_habits_stay_within_their_ranges():
    for number in range(50):
        own = habits.Habits.draw(np.random.default_rng(number))
        for name, one in habits.Habits.__dataclass_fields__.items():
            low, high = one.metadata["range"]
            assert low <= getattr(own, name) <= high


@pytest.mark.parametrize("number", range(4))
def test_jaws_go_from_sibilants_down_to_open_vowels(number):
    base, rng = anatomy.read_targets(), np.random.default_rng(number)
    own = habits.Habits.draw(rng)
    spoken = habits.vowels(base, own, rng)
    made = habits.consonants(base, spoken, own, rng)
    height = {name: shape[AT["JA"]] for name, shape in (spoken | made).items()}
    assert height["tt-alveolar-fricative(i)"] > height["i"] > height["{"]
    assert height["tt-alveolar-fricative(a)"] < height["tt-alveolar-fricative(i)"]
    reach = height["tt-alveolar-fricative(i)"] - height["{"]
    assert 0.5 * own.jaw_mm < reach * habits.MM_PER_DEGREE < 1.3 * own.jaw_mm
    assert set(height) >= {f"{name}(u)" for name in habits.CONSONANT_LOW}


def test_another_size_scales_every_length_along_its_axis():
    pytest.importorskip("vocaltractlab_cython")
    root, small = anatomy.jd3(), anatomy.jd3()
    anatomy.resize(small, anatomy.Size(forward=0.8, height=0.9, width=0.7, palate=1.1))
    for path, name, factor in (
        ("palate/p3", "x", 0.8),
        ("palate/p3", "z", 0.7),
        ("palate/p3", "palate_height", 0.99),
        ("jaw/p3", "jaw_height", 0.9),
        ("tongue/body", "radius_x", 0.8),
        ("nasal_cavity", "length", 0.8),
    ):
        before, after = (float(r.find(f".//anatomy/{path}").get(name)) for r in (root, small))
        assert after == pytest.approx(factor * before, abs=1e-4)
    before, after = anatomy.shapes(root)["i"], anatomy.shapes(small)["i"]
    assert after[AT["TCX"]] == pytest.approx(0.8 * before[AT["TCX"]], abs=1e-4)
    assert after[AT["TCY"]] == pytest.approx(0.9 * before[AT["TCY"]], abs=1e-4)
    assert after[AT["JA"]] == before[AT["JA"]]


def formants_of(order):
    """Stand in for the library: what a table says."""
    return lambda shape: order[shape.tobytes()]


def test_who_cannot_close_is_mended_and_who_never_can_is_refused():
    pytest.importorskip("vocaltractlab_cython")
    person = people.draw(1, 1)
    heights = np.argsort(np.argsort([0, 1, 2, 3]))
    table = anatomy.shapes(person.root)
    order = {table[name].tobytes(): np.array([300.0, 900.0, 2500.0]) for name in table}
    for k, name in enumerate(people.HIGHER[1]):
        order[table[name].tobytes()] = np.array([300.0 + 100 * heights[k], 0, 2500])
    for k, name in enumerate(people.HIGHER[2]):
        order.setdefault(table[name].tobytes(), np.zeros(3))
        order[table[name].tobytes()][1] = 800 + 400 * k
    closures = [table[f"{name}({v})"] for name in people.CLOSURES for v in "aiu"]
    narrow = [table[f"{name}({v})"] for name in people.FRICATIVES for v in "aiu"]
    hole = table["tt-alveolar-closure(a)"][AT["TTY"]] + 0.06

    def area(shape):
        if any(np.array_equal(shape, other) for other in narrow):
            return 0.1
        if shape[AT["TTY"]] < hole and np.array_equal(shape[: AT["TTY"]], closures[3][: AT["TTY"]]):
            return 0.3
        if any(np.array_equal(shape[: AT["LD"]], other[: AT["LD"]]) for other in closures):
            return 0.0
        return 0.5

    assert people.mend(person, area, formants_of(order)) == 1
    closed = anatomy.shapes(person.root)["tt-alveolar-closure(a)"]
    assert closed[AT["TTY"]] == pytest.approx(hole + 0.02, abs=0.021)
    with pytest.raises(people.UnableError, match="closure"):
        people.mend(people.draw(1, 1), lambda shape: 0.3, formants_of(order))


def test_vowels_that_changed_places_are_refused():
    shapes = {name: np.full(19, float(k)) for k, name in enumerate("ieEao@")}
    right = {"i": (300, 2200), "e": (400, 2000), "E": (550, 1800), "a": (700, 1300),
             "o": (420, 900), "@": (500, 1500)}  # fmt: skip
    heard = {shapes[name].tobytes(): np.array([*hz, 2500.0]) for name, hz in right.items()}
    people.check_order(shapes, formants_of(heard))
    heard[shapes["a"].tobytes()][0] = 500
    with pytest.raises(people.UnableError, match="F1 of i e E a"):
        people.check_order(shapes, formants_of(heard))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(3))
def test_made_people_close_their_closures_and_open_their_vowels(library, number, tmp_path):
    """In a process of its own: the library's state is global."""
    code = f"""
import sys, numpy as np
from pathlib import Path
from pipeline.corpora.vocaltractlab import anatomy, people, speaker, synthesis
folder = Path(sys.argv[1])
person = synthesis.become(folder, 9, "x", {number})
made = folder / "speakers" / "p{number:03d}.speaker"
shapes = anatomy.shapes(anatomy.ET.parse(made).getroot())
closed = [speaker.area(shapes[f"{{c}}({{v}})"]) for c in people.CLOSURES for v in "aiu"]
narrow = [speaker.area(shapes[f"{{c}}({{v}})"]) for c in people.FRICATIVES for v in "aiu"]
opened = [speaker.area(shapes[v]) for v in ("i", "e", "a", "{{", "o", "u", "3")]
print(max(closed), min(narrow), max(narrow), min(opened))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    closed, low, high, opened = map(float, done.stdout.split()[-4:])
    assert closed <= people.CLOSED_CM2
    assert people.CLOSED_CM2 < low <= high <= people.NARROW_CM2
    assert opened >= people.OPEN_CM2 - 1e-3


@pytest.mark.parametrize("language", phonotactics.LANGUAGES)
def test_every_phone_of_a_language_can_be_said(language):
    repertoire = phonotactics.LANGUAGES[language]
    targets = anatomy.read_targets()
    for phone in {*repertoire.vowels}:
        assert phone in phonotactics.DURATION
        assert set(score.VOWEL_TARGETS[phone]) <= set(targets)
    said = " ".join([*repertoire.onsets, *repertoire.codas]).split()
    for phone in set(said):
        assert phone in phonotactics.DURATION
        made = score.CONSONANTS[phone]
        assert not made.target or made.target in habits.CONSONANT_LOW


def test_scores_with_pauses_are_gapless_and_breathe():
    pace = phonotactics.Pace(pauses=0.5, silence_s=(0.2, 0.4))
    paused = 0
    for number in range(100):
        rng = np.random.default_rng([1, number])
        prompt = phonotactics.prompt(rng, phonotactics.ENGLISH, pace)
        paused += len(prompt.stretches) > 1
        for tier in score.ET.fromstring(score.compose(prompt, rng).xml):
            durations = [float(gesture.get("duration_s")) for gesture in tier]
            assert not durations or sum(durations) == pytest.approx(prompt.duration, abs=1e-4)
            if tier.get("type") == "lung-pressure-gestures":
                low = [g for g in tier if 0 < float(g.get("value")) < 1500]
                assert len(low) == len(prompt.stretches) - 1
    assert paused > 20


def test_rest_before_and_after_speech_and_the_jaw_lags():
    rng = np.random.default_rng(1)
    own = habits.Habits.draw(rng)
    prompt = phonotactics.prompt(rng, pace=phonotactics.Pace(silence_s=(0.4, 0.5)))
    rest = np.full(19, -1.0)
    said = delivery.Delivery.draw(prompt, rest, own, rng)
    seconds = np.arange(0, prompt.duration, 0.0025)
    tract = np.zeros((len(seconds), 19)) - 3.0
    moved = said.move(seconds, tract)
    np.testing.assert_allclose(moved[0], said.rest, atol=1e-6)
    np.testing.assert_allclose(moved[-1], said.rest, atol=0.05)
    spoken = [label for start, end in prompt.stretches for label in [(start + 0.1, end - 0.1)]]
    for start, end in spoken:
        np.testing.assert_allclose(moved[(seconds > start) & (seconds < end), AT["TCX"]], -3.0)


def test_lips_share_their_opening_and_keep_it():
    drawn = habits.Habits.draw(np.random.default_rng(1))
    own = delivery.Delivery(np.zeros(19), np.zeros((2, 2)), 1, 0.01, drawn)
    channels = ("UL_x", "UL_y", "LL_x", "LL_y", "LI_y")
    opening = np.linspace(16, 30, 50)
    before = np.stack([np.zeros(50), opening / 2, np.zeros(50), -opening / 2, np.zeros(50)], axis=1)
    tract = np.zeros((50, 19))
    tract[:, AT["LD"]] = np.linspace(-0.2, 1.2, 50)
    after = own.share_lips(before, channels, tract)
    np.testing.assert_allclose(after[:, 1] - after[:, 3], opening)
    apart = tract[:, AT["LD"]] > delivery.CLOSING_CM
    assert np.ptp(after[apart, 1]) < 1e-9  # the upper lip comes down to close them, and only then
    assert np.ptp(after[:, 1]) == pytest.approx(3.5 * drawn.upper_lip)
    assert np.all(np.diff(after[:, 2]) < 0)  # the lower one goes back as it goes down


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "p001: VocalTractLab crashed (exit status -11)"),
        ("raise ValueError('bad score')", "p001: ValueError: bad score"),
    ],
)
def test_a_speaker_with_whom_the_library_fails_is_left_out(
    tmp_path, monkeypatch, capsys, body, line
):
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal\n"
        "import pipeline.corpora.vocaltractlab.synthesis as s\n"
        "def become(folder, seed, made_by, number):\n"
        f"    if number == 1:\n        {body}\n"
        "    path = folder / s.SPEAKERS / f'p{number:03d}.speaker'\n"
        "    path.parent.mkdir(exist_ok=True)\n"
        "    path.write_text('x')\n"
        "    sums = {f'speakers/{path.name}': s.checksum(path)}\n"
        "    about = {'speaker': path.stem}\n"
        "    s.write_json(s.record_path(folder, path.stem),"
        " {'made_by': made_by, 'sha256': sums, 'about': about, 'outlines': {}})\n"
        "    return 'somebody'\n"
        "def make_as(folder, seed, made_by, person, job, k):\n"
        "    name = job.names[k]\n"
        "    for suffix in s.SUFFIXES:\n        (folder / (name + suffix)).write_text(name)\n"
        "    sums = {name + x: s.checksum(folder / (name + x)) for x in s.SUFFIXES}\n"
        "    s.write_json(s.record_path(folder, name),"
        " {'made_by': made_by, 'sha256': sums, 'about': {'id': name}})\n"
        "s.become, s.make_as = become, make_as\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0")
    folder = tmp_path / "corpus"
    vocaltractlab.synthesize(folder, Synthesis(speakers=3, utterances=6, seed=1), jobs=2)
    assert f"speaker {line}; left out with 2 utterances" in capsys.readouterr().err
    assert [row["id"] for row in rows(folder / "metadata.csv")] == [
        "p000-00", "p000-01", "p002-00", "p002-01",
    ]  # fmt: skip
    assert [row["speaker"] for row in rows(folder / "speakers.csv")] == ["p000", "p002"]
    assert not list(folder.rglob("*p001*"))


@pytest.mark.slow
def test_a_library_that_fails_with_everybody_is_an_error(tmp_path, monkeypatch):
    stand_in = "raise ImportError('no such symbol')\n"
    (tmp_path / "vocaltractlab_cython.py").write_text(stand_in)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0")
    with pytest.raises(InputError, match="speaker p000: ImportError: no such symbol"):
        vocaltractlab.synthesize(tmp_path / "corpus", TWO, jobs=1)


@pytest.mark.slow
def test_a_smaller_population_and_one_speaker_leave_nothing_of_a_larger_one(corpus, tmp_path):
    for name, data in contents(corpus).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    vocaltractlab.synthesize(tmp_path, Synthesis(speakers=2, utterances=2, seed=5), jobs=1)
    assert {p.stem for p in tmp_path.glob("*.wav")} == {"p000-00", "p001-00"}
    assert len(rows(tmp_path / "speakers.csv")) == 2
    made = itertools.chain(tmp_path.rglob("p0*"), tmp_path.glob("speakers.csv"))
    vocaltractlab.synthesize(tmp_path, Synthesis(speakers=1, utterances=1, seed=2353), jobs=1)
    assert not list(made)
