"""The HTML report in a real browser, opened from disk."""

import json
import re
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pipeline import report
from pipeline.evaluation.palates import Palate
from pipeline.ground import artifacts
from pipeline.ground.storage import Store
from pipeline.ground.utterance import Label
from pipeline.pages import browser
from pipeline.plots.scene import Scene
from tests.pipeline.conftest import change
from tests.pipeline.test_evaluate import echo
from tests.pipeline.test_plot import CHANNELS, trajectories
from tests.pipeline.test_plot_utterance import MOUTH, of_mouth

__all__ = ["echo"]  # a fixture
RATE = 16_000
CURSOR = "Bokeh.documents[0].get_model_by_name('sound cursor').location"
TIME_CHARTS = ("sound", "phones", "spectrogram", "tracks")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --mute-audio"
    " --disable-background-networking --disable-component-update --disable-sync"
    " --window-size=1400,1000"
)


def scene(k, seconds, sides=("measured", "predicted")):
    rng = np.random.default_rng(k)
    tracks = {
        side: trajectories(int(100 * seconds), seed=k + 10 * n) for n, side in enumerate(sides)
    }
    sound = rng.normal(0, 0.1, int(RATE * seconds)).astype(np.float32)
    phones = (Label(0, seconds / 2, "a:"), Label(seconds / 2, seconds, "</script>"))
    palate = Palate(np.array([[-30.0, 50], [30, 50]]))
    return Scene(f"u{k}", tracks, sound, RATE, phones, palate, speaker="S1")


SCENES = [scene(0, 1.5), scene(1, 2.5), scene(2, 0.8, ("measured",))]


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    webdriver = pytest.importorskip(
        "selenium.webdriver", reason="no selenium: pip install selenium"
    )
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no Chromium: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    found = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    found.set_script_timeout(20)
    yield found
    found.quit()


class Page:
    """The browser's view of a page: what its charts hold and where they are."""

    def __init__(self, driver, path):
        self.driver = driver
        driver.get_log("browser"), driver.get_log("performance")
        driver.get(path.as_uri())
        self.wait("document.body.dataset.ready === 'true'")

    def run(self, script):
        return self.driver.execute_script(f"return {script}")

    def wait(self, condition):
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 20).until(lambda _: self.run(condition))

    def data(self, source):
        text = self.run(
            f"JSON.stringify(Bokeh.documents[0].get_model_by_name({source!r}).data,"
            " (key, value) => value instanceof Map ? Object.fromEntries(value) : value)"
        )
        return json.loads(text)

    def cursor(self, chart):
        return self.run(f"Bokeh.documents[0].get_model_by_name('{chart} cursor').location")

    def press(self, key):
        from selenium.webdriver import ActionChains

        self.driver.execute_script("document.activeElement.blur()")
        ActionChains(self.driver).send_keys(key).perform()

    def frame(self, chart):
        """Left, top, right and bottom of a chart's plotting area in the window."""
        return self.run(
            "(() => { const model = Bokeh.documents[0].get_model_by_name("
            f"'{chart} chart'); const view = Bokeh.index.get_by_id(model.id);"
            "const box = view.el.getBoundingClientRect(), inner = view.frame.bbox;"
            "return [box.left + inner.left, box.top + inner.top, box.left + inner.right,"
            " box.top + inner.bottom]; })()"
        )

    def choose(self, index):
        from selenium.webdriver.support.ui import Select

        Select(self.driver.find_element("id", "utterance")).select_by_index(index)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    file = tmp_path_factory.mktemp("page") / "index.html"
    file.write_text(browser.page("A title", [browser.pack(one) for one in SCENES]))
    return file


@pytest.fixture
def page(driver, path):
    page = Page(driver, path)
    page.wait("document.getElementById('sound').readyState > 0")
    return page


def places(one, side, frame):
    return one.tracks[side].values[frame].reshape(-1, 2)


def shown_places(page, side):
    data = page.data(f"{side} points")
    return np.stack([data["x"], data["y"]], axis=1)


@pytest.mark.slow
def test_loads_from_disk_without_an_error_or_a_request_to_any_machine(page, driver):
    severe = [entry for entry in driver.get_log("browser") if entry["level"] != "INFO"]
    assert severe == []
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert asked
    assert {url.partition(":")[0] for url in asked} <= {"file", "data", "blob", "chrome"}


@pytest.mark.slow
def test_choosing_an_utterance_changes_sound_tracks_and_time_axis(page):
    page.choose(1)
    page.wait("document.getElementById('sound').duration > 2")
    assert page.run("Bokeh.documents[0].get_model_by_name('time').end") == 2.5
    assert page.run("document.getElementById('sound').duration") == pytest.approx(2.5, abs=0.01)
    measured = page.data("measured")
    assert len(measured["values"]) == len(CHANNELS)
    assert len(measured["times"][0]) == 250
    curve = np.array(measured["values"][3])  # TT_x, TT_y, TB_x, TB_y
    truth = SCENES[1].tracks["measured"].values[:, 3]
    assert np.corrcoef(curve, truth)[0, 1] == pytest.approx(1, abs=1e-6)
    assert page.data("phones")["phone"] == ["a:", "</script>"]


@pytest.mark.slow
def test_position_of_the_sound_moves_cursor_and_midsagittal_view(page):
    for time in (0.4, 1.2):
        page.run(f"document.getElementById('sound').currentTime = {time}")
        page.wait(f"Math.abs({CURSOR} - {time}) < 1e-3")
        assert len({page.cursor(chart) for chart in TIME_CHARTS}) == 1
        for side in ("measured", "predicted"):
            expected = places(SCENES[0], side, round(100 * time))
            np.testing.assert_allclose(shown_places(page, side), expected, atol=0.006)
    assert page.run("document.getElementById('clock').textContent") == "1.20 s  [</script>]"


@pytest.mark.slow
def test_cursor_follows_while_the_sound_plays_and_stops_with_it(page):
    page.driver.find_element("id", "play").click()
    page.wait(f"{CURSOR} > 0.2")
    page.driver.find_element("id", "play").click()
    page.wait("document.getElementById('sound').paused")
    at = page.run("document.getElementById('sound').currentTime")
    assert page.cursor("tracks") == pytest.approx(at, abs=0.05)
    assert 0.2 < at <= 1.5


@pytest.mark.slow
def test_keyboard_plays_steps_chooses_and_switches(page):
    from selenium.webdriver.common.keys import Keys

    page.press(Keys.ARROW_DOWN)
    assert page.run("document.getElementById('utterance').value") == "1"
    page.press(Keys.ARROW_UP)
    assert page.run("document.getElementById('utterance').value") == "0"
    for _ in range(3):
        page.press(Keys.ARROW_RIGHT)
    page.wait("Math.abs(document.getElementById('sound').currentTime - 0.03) < 1e-6")
    page.press("p")
    assert page.data("predicted") == {"times": [], "values": []}
    assert page.data("predicted points")["x"] == []
    page.press("m")
    assert page.data("measured points")["x"] == []
    page.press("p")
    assert len(page.data("predicted")["values"]) == len(CHANNELS)
    page.press(" ")
    page.wait("document.getElementById('sound').currentTime > 0.1")


@pytest.mark.slow
def test_a_click_goes_there_and_sensors_can_be_hidden(page):
    from selenium.webdriver import ActionChains

    left, top, right, bottom = page.frame("tracks")
    actions = ActionChains(page.driver)
    actions.w3c_actions.pointer_action.move_to_location(
        round(left + 0.6 * (right - left)), round((top + bottom) / 2)
    )
    actions.w3c_actions.pointer_action.click()
    actions.perform()
    page.wait("Math.abs(document.getElementById('sound').currentTime - 0.9) < 0.02")
    for box in page.driver.find_elements("css selector", "#sensors input")[1:]:
        box.click()
    assert len(page.data("measured")["values"]) == 2
    labels = page.run("[...Bokeh.documents[0].get_model_by_name('channels')"
                      ".major_label_overrides.values()]")  # fmt: skip
    assert [label[:4] for label in labels] == ["TT x", "TT y"]


@pytest.mark.slow
def test_charts_stand_below_each_other_on_one_axis_and_beside_the_view(page):
    frames = {chart: page.frame(chart) for chart in (*TIME_CHARTS, "midsagittal")}
    left, right = ({round(frames[c][k]) for c in TIME_CHARTS} for k in (0, 2))
    assert len(left) == len(right) == 1
    for upper, lower in pairwise(TIME_CHARTS):
        assert frames[upper][3] <= frames[lower][1] + 0.5
    assert frames["midsagittal"][0] > right.pop()
    wide, high = (frames["midsagittal"][k + 2] - frames["midsagittal"][k] for k in (0, 1))
    assert wide == pytest.approx(high)
    assert page.run("document.documentElement.scrollWidth") <= 1400


@pytest.mark.slow
def test_measured_tracks_alone_have_no_switch_for_predictions(driver, tmp_path):
    file = tmp_path / "one.html"
    file.write_text(browser.page("One", [browser.pack(SCENES[2])]))
    page = Page(driver, file)
    assert page.run("document.getElementById('show-predicted')") is None
    keys = page.run("document.querySelector('.keys').textContent")
    assert "m measured" in keys and "predicted" not in keys and "correlation" not in keys
    np.testing.assert_allclose(
        shown_places(page, "measured"), places(SCENES[2], "measured", 0), atol=0.006
    )
    assert [entry for entry in driver.get_log("browser") if entry["level"] != "INFO"] == []


@pytest.mark.slow
def test_what_an_utterance_lacks_has_no_chart(driver, tmp_path):
    tracks = of_mouth()
    sound = np.zeros(RATE, np.float32)
    labelled = Scene("a", {"measured": tracks}, sound, RATE, (Label(0, 1, "a:"),))
    bare = Scene("b", {"measured": tracks}, sound, RATE)
    scores = Scene("c", {"measured": of_mouth("z")}, sound, RATE)
    file = tmp_path / "three.html"
    file.write_text(browser.page("Three", [browser.pack(one) for one in (labelled, bare, scores)]))
    page = Page(driver, file)
    for index, shown in enumerate([(True, True), (False, True), (False, False)]):
        page.choose(index)
        assert shown == tuple(
            page.run(f"Bokeh.documents[0].get_model_by_name('{chart} chart').visible")
            for chart in ("phones", "midsagittal")
        )
    page.choose(0)
    names = page.data("names")
    assert names["name"] == list(MOUTH) and len({*names["right"]}) > 2
    page.driver.find_element("id", "sensor-LC").click()
    assert page.data("names")["name"] == [name for name in MOUTH if name != "LC"]
    assert len(page.data("measured points")["x"]) == len(MOUTH) - 1
    assert [entry for entry in driver.get_log("browser") if entry["level"] != "INFO"] == []


def test_tables_of_the_page_name_their_columns_and_round_by_what_they_hold(monkeypatch):
    row = {"track": "TT_x", "rmse_mm": 1.98765, "rmse_mm_low": 1.9, "rmse_mm_high": 2.04}
    row |= {"ridge_pearson_r": -0.45678, "velocity_rmse_mm_s": 11.8138, "lag_ms": 20.0}
    monkeypatch.setattr(report.tables, "read", lambda name: [row, row | {"lag_ms": np.nan}])
    found = report.table("tracks")
    assert dict(zip(found["head"], found["rows"][0], strict=True)) == {
        "track": "TT_x",
        "RMSE (mm), 95 % interval": "1.99 (1.90 to 2.04)",
        "ridge, r": "−0.457",
        "velocity RMSE (mm/s)": "11.8",
        "lag (ms)": "20",
    }
    assert found["rows"][1][-1] == "–"
    one = {"class": "vowel", "frames": 6871.0, "TT_x": 1.23456}
    monkeypatch.setattr(report.tables, "read", lambda name: [one])
    found = report.table("phone_classes", "z")
    assert found["head"] == ["class", "frames", "TT_x (z)"]
    assert found["rows"] == [["vowel", "6871", "1.23"]]


def test_one_test_utterance_has_no_interval(monkeypatch):
    row = {"predictor": "network", "figures": "delivered"}
    for name in ("rmse_mm", "pearson_r", "z_mse"):
        row |= {name: 1.0, f"{name}_low": 1.0, f"{name}_high": 1.0}
    monkeypatch.setattr(report.tables, "read", lambda name: [row])
    assert report.summary({"rmse_mm": 1.5})[2:] == [
        ["95 % interval", "–", "–", "–"],
        ["network, as delivered, all frames of a speaker", "1.500", "–", "–"],
    ]


def test_the_protocol_is_written_for_readers():
    stated = {"frame_rate_hz": 100, "delivered": "as `pipeline.predict`", "files": {"test": ["a"]}}
    assert report.protocol(stated) == {
        "frame rate (Hz)": "100",
        "delivered": "as pipeline.predict",
        "files, test": "a",
    }


@pytest.mark.slow
def test_report_of_the_stages_shows_every_part(standardized, stage, echo, driver, monkeypatch):
    change(standardized / "params.yaml", plot__utterance=10, plot__track=8)
    (standardized / "trained").mkdir()
    (standardized / "trained" / "history.csv").write_text(
        "epoch,train_z_mse,validation_z_mse,validation_loss\n1,0.9,0.8,0.8\n2,0.5,0.6,0.6\n"
    )
    for name in ("evaluate", "plot", "report"):
        outcome = stage(name)
        assert outcome.status == 0, outcome.err
        if name == "plot":
            assert outcome.out.splitlines()[:2] == [
                "plot.utterance: 10, and there are 4 test utterances, from 0: shows the last",
                "plot.track: 8, and there are 4 tracks, from 0: shows the last",
            ]
    page = Page(driver, artifacts.REPORT.resolve())
    figures = json.loads(artifacts.METRICS.read_text())
    summary = page.run("document.getElementById('summary').textContent")
    assert f"{figures['test']['delivered']['rmse_mm']:.3f}" in summary
    assert f"{figures['test']['own_z']['z_mse']:.3f}" in summary
    stated = page.run("document.getElementById('protocol').textContent")
    assert "of inputs per speaker, of targets per speaker" in stated and "u00" in stated
    names = page.run("[...document.querySelectorAll('#pictures figure')].map(f => f.id)")
    assert {"picture-track", "picture-timeline", "picture-scatter", "picture-moving"} <= set(names)
    loaded = page.run("[...document.querySelectorAll('img')].every(i => i.naturalWidth > 100)")
    assert loaded
    assert page.run("document.getElementById('utterance').options.length") == 4
    assert page.run("document.querySelectorAll('#table-tracks tbody tr').length") == 4
    assert [entry for entry in driver.get_log("browser") if entry["level"] != "INFO"] == []
    assert artifacts.REPORT.stat().st_size < 20e6
    test = [entry.id for entry in Store(artifacts.PREDICTIONS, "evaluate").entries]
    outcome = stage("plot", "--pages", test[2], "--channels", "VL_y", "--output", "pages")
    assert outcome.status == 0, outcome.err
    assert {path.name for path in Path("pages").iterdir()} == {f"{test[2]}.png", f"{test[2]}.pdf"}
    refused = stage("plot", "--pages", "nobody")
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    monkeypatch.setattr(report, "LIMIT", 1)
    assert "1 of 4 test utterances" in stage("report").out
    only = Page(driver, artifacts.REPORT.resolve())
    assert test[3] in only.run("document.getElementById('utterance').options[0].text")


def test_the_names_in_a_page_are_not_drawn_by_lot():
    script, places = browser.embedded(browser.charts())
    assert not browser.DRAWN.findall(script + "".join(places.values()))
    ids = [re.search(r'id="(chart-\d+)"', place)[1] for place in places.values()]
    assert len(set(ids)) == len(places)
    assert all(f'"{one}"' in script for one in ids)


def test_a_report_without_predictions_is_one_line(project, stage):
    outcome = stage("report")
    assert (outcome.status, outcome.err.count("\n")) == (1, 1)
    assert "run `dvc repro evaluate`" in outcome.err
