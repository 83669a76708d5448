import zipfile

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.characters_twin import GATES, Twin, one_hot
from examples import characters
from pipeline.ground.console import InputError, UsageError


def text(length: int = 30000, seed: int = 0) -> characters.Codes:
    rng = np.random.default_rng(seed)
    return rng.integers(27, size=length, dtype=np.uint8)


@given(st.text(characters.SYMBOLS).filter(lambda text: "  " not in text))
def test_symbols_come_back(text):
    assert characters.decode(characters.encode(text)) == text


def test_other_signs_become_one_space():
    codes = characters.encode("In the Beginning, God\r\n created: 7 days")
    assert characters.decode(codes) == "in the beginning god created days"


def test_a_text_is_read_plain_and_packed(tmp_path):
    content = "Two words. " * 4000
    (tmp_path / "plain.txt").write_text(content)
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("plain.txt", content)
    plain = characters.read_text(tmp_path / "plain.txt")
    np.testing.assert_array_equal(plain, characters.read_text(tmp_path / "packed.zip"))
    assert characters.decode(plain[:10]) == "two words "


def test_the_real_text_is_read_whole(shared_data):
    codes = characters.read_text(shared_data / "text" / "kjv.zip")
    assert len(codes) == 4019101
    assert characters.decode(codes[:20]) == "in the beginning god"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("absent.txt", None, "No such file"),
        ("bad.zip", b"no archive", "not a zip file"),
        ("short.txt", b"a few words", "only 11 letters and spaces"),
    ],
)
def test_an_unusable_text_is_named(tmp_path, name, content, reason):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name}: .*{reason}"):
        characters.read_text(tmp_path / name)


def test_batches_go_on_in_every_segment():
    codes = text(64 * 100)
    x, y = (side.reshape(12, 64, 10) for side in characters.batches(codes, 12))
    for segment in (0, 17, 63):
        start = segment * 100
        read = np.concatenate([codes, codes])[start : start + 121]  # past the end from the start
        np.testing.assert_array_equal(x[:, segment].ravel(), read[:-1])
        np.testing.assert_array_equal(y[:, segment].ravel(), read[1:])


def test_the_state_is_carried_from_call_to_call():
    keras.utils.set_random_seed(0)
    whole, parts = characters.build(2, 20), characters.build(2, 10)
    characters.copy_weights(whole, parts)
    x = text(40).reshape(2, 20).astype(np.int32)
    at_once = whole.predict_on_batch(x)
    in_parts = [parts.predict_on_batch(x[:, :10]), parts.predict_on_batch(x[:, 10:])]
    np.testing.assert_allclose(np.concatenate(in_parts, axis=1), at_once, atol=1e-6)
    characters.reset(parts)
    np.testing.assert_allclose(parts.predict_on_batch(x[:, :10]), in_parts[0], atol=1e-6)


def test_a_model_that_knows_nothing_is_as_perplexed_as_there_are_symbols():
    reader = characters.build(*characters.HELD_OUT)
    for variable in reader.trainable_variables:
        variable.assign(keras.ops.zeros_like(variable))
    _, held_out = characters.divided(text())
    assert characters.perplexity(reader, held_out) == pytest.approx(27, rel=1e-6)


def test_drawing_keeps_the_start_and_follows_the_seed():
    keras.utils.set_random_seed(0)
    model = characters.build(1, 1)

    def drawn(seed):
        start = characters.prompt("In the")
        return characters.continued(model, start, 20, np.random.default_rng(seed))[0]

    assert drawn(1).startswith("in the")
    assert len(drawn(1)) == 26
    assert drawn(1) == drawn(1) != drawn(2)


def test_draws_are_as_frequent_as_the_model_says():
    model = characters.build(2000, 1)
    for variable in model.trainable_variables:
        variable.assign(keras.ops.zeros_like(variable))
    chances = np.full(27, 0.2 / 25)
    chances[[1, 2]] = 0.5, 0.3
    model.trainable_variables[-1].assign(np.log(chances))
    lines = characters.continued(model, np.zeros((2000, 1), np.uint8), 1, np.random.default_rng(0))
    assert sum(line == " a" for line in lines) / 2000 == pytest.approx(0.5, abs=0.05)
    assert sum(line == " b" for line in lines) / 2000 == pytest.approx(0.3, abs=0.05)


@pytest.mark.slow
def test_training_learns_a_simple_text_and_the_model_is_found_again(tmp_path, monkeypatch, capsys):
    (tmp_path / "text.txt").write_text("abc " * 6000)
    model, picture = tmp_path / "out" / "model.keras", tmp_path / "out" / "picture.png"
    monkeypatch.setattr(characters, "CHECK", 20)
    options = ["--text", "text.txt", "--updates", "81", "--model", model, "--picture", picture]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["characters", *map(str, options)])
    characters.main()
    *before, last = capsys.readouterr().out.splitlines()
    assert len(before) == 6  # perplexity and samples before the first update
    assert float(last.split("perplexity ")[1].split()[0]) < 1.2
    assert picture.read_bytes().startswith(b"\x89PNG")

    monkeypatch.setattr(
        "sys.argv", ["characters", "--sample", "bc abc a", "--length", "6", "--model", str(model)]
    )
    characters.main()
    assert capsys.readouterr().out == "bc abc abc abc\n"


@pytest.mark.parametrize("sample", ["", "über", "a1"])
def test_a_prompt_of_other_signs_is_refused(sample):
    with pytest.raises(UsageError, match="27 symbols"):
        characters.prompt(sample)


def test_a_model_of_others_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    with pytest.raises(InputError, match=r"no such model; train one by"):
        characters.load(path)
    path.write_bytes(b"no model")
    with pytest.raises(InputError, match="not a model"):
        characters.load(path)
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(path)
    with pytest.raises(InputError, match="not a model"):
        characters.load(path)


def same_weights(twin: Twin, model: keras.Model) -> None:
    """Give a model the weights of the twin."""
    for variable, value in zip(
        model.trainable_variables,
        [
            np.concatenate([twin.x[gate] for gate in GATES], axis=-1),
            np.concatenate([twin.h[gate] for gate in GATES], axis=-1),
            np.concatenate([twin.b[gate] for gate in GATES], axis=-1),
            twin.out,
            twin.out_b,
        ],
        strict=True,
    ):
        variable.assign(value)


@pytest.mark.slow
def test_the_plain_twin_learns_the_same_from_the_same_weights():
    twin = Twin(seed=0)
    model, reader = (
        characters.build(characters.SEGMENTS, characters.LENGTH),
        characters.build(*characters.HELD_OUT),
    )
    same_weights(twin, model)
    characters.compile_like_the_tutorial(model)
    learned, held_out = characters.divided(text(40000))
    x, y = characters.batches(learned, 3)
    model.fit(x, y, batch_size=characters.SEGMENTS, shuffle=False, verbose=0)
    for k in range(3):
        part = slice(64 * k, 64 * (k + 1))
        twin.update(one_hot(x[part]), y[part])
    characters.copy_weights(model, reader)
    ours, theirs = characters.perplexity(reader, held_out), twin.perplexity(held_out)
    assert ours == pytest.approx(theirs, rel=1e-4)
    np.testing.assert_allclose(model.layers[1].states[1], twin.state[1], atol=1e-4)
