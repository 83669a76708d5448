"""A model of text, letter by letter: it learns to spell, and new text is drawn from it.

Of 27 symbols, a to z and space, one LSTM of 64 units guesses the next. The text is cut into 64
segments that are read side by side, 10 letters an update; the state is carried from one update to
the next, the gradient is not. Its norm is clipped at 1.25; plain gradient descent from a rate of
10.0, a tenth of it after 5,000 updates; 7,001 updates. Every 100 the perplexity of held-out text is
told, every 1,000 five samples are drawn: each a random first letter and 79 that the model adds.

``--sample TEXT`` goes on from a text with the model that was trained last.
"""

from __future__ import annotations

import re
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from examples import arguments, pictures
from examples.feeding import whole_batches
from examples.results import Check
from pipeline.ground import device
from pipeline.ground.console import InputError, UsageError, progress, run, say, say_text

if TYPE_CHECKING:
    import keras

SYMBOLS = " abcdefghijklmnopqrstuvwxyz"
NUMBERS = bytes.maketrans(SYMBOLS.encode(), bytes(range(len(SYMBOLS))))
TEXT = Path("../shared/data/text/kjv.zip")
UNITS = 64
SEGMENTS, LENGTH = 64, 10  # of a batch
UPDATES, CHECK, SAMPLE = 7001, 100, 1000
HELD_OUT = (10, 1001)  # at the end of the text: pieces, read side by side, of so many symbols
LINES, LINE = 5, 80  # of samples

Codes = NDArray[np.uint8]


def encode(text: str) -> Codes:
    """Return the numbers of the symbols of a text; all but letters becomes a space."""
    plain = re.sub("[^a-z]+", " ", text.lower())
    return np.frombuffer(plain.encode().translate(NUMBERS), np.uint8)


def decode(codes: Codes) -> str:
    """Return the text of symbols."""
    return "".join(SYMBOLS[code] for code in codes)


def read_text(path: Path) -> Codes:
    """Read a text file, or the first file of a zip archive.

    Raises
    ------
    InputError
        Where there is no such file, or not enough text in it.
    """
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                content = archive.read(archive.infolist()[0])
        else:
            content = path.read_bytes()
    except (OSError, zipfile.BadZipFile, IndexError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read ({reason}); name a text by --text") from None
    codes = encode(content.decode(errors="replace"))
    least = 2 * HELD_OUT[0] * HELD_OUT[1]
    if len(codes) < least:
        raise InputError(f"{path}: only {len(codes)} letters and spaces; give at least {least}")
    return codes


def divided(codes: Codes) -> tuple[Codes, Codes]:
    """Return the text to learn from and, from its end, the one held out."""
    held_out = HELD_OUT[0] * HELD_OUT[1]
    return codes[:-held_out], codes[-held_out:]


def batches(codes: Codes, updates: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Cut a text into segments and advance in all of them, again from its start at its end.

    Returns
    -------
    x, y : int32 [updates * SEGMENTS, LENGTH]
        Symbols, and after each the next.
    """
    segment = np.arange(SEGMENTS) * (len(codes) // SEGMENTS)
    first = segment + LENGTH * np.arange(updates)[:, None]  # [updates, SEGMENTS]
    window = first[..., None] + np.arange(LENGTH + 1)
    symbols = codes[window.reshape(-1, LENGTH + 1) % len(codes)].astype(np.int32)
    return symbols[:, :-1], symbols[:, 1:]


def build(rows: int, length: int) -> keras.Model:
    """Build the model for inputs [rows, length]; it keeps its state until it is reset."""
    import keras

    from models.recurrent import LSTM

    one_hot = keras.layers.Embedding(
        len(SYMBOLS), len(SYMBOLS), embeddings_initializer="identity", trainable=False
    )
    return keras.Sequential(
        [
            keras.Input(batch_shape=(rows, length), dtype="int32"),
            one_hot,
            LSTM(UNITS, forget_bias=0.0, return_sequences=True, stateful=True),  # as the tutorial's
            keras.layers.Dense(len(SYMBOLS)),
        ]
    )


def copy_weights(source: keras.Model, target: keras.Model) -> None:
    """Give one model the weights of another, but not its state."""
    for ours, theirs in zip(target.trainable_variables, source.trainable_variables, strict=True):
        ours.assign(theirs)


def reset(model: keras.Model) -> None:
    """Forget what was read."""
    model.layers[1].reset_state()


def perplexity(reader: keras.Model, text: Codes) -> float:
    """Return exp of the mean surprise at every symbol of a text but the first of its pieces."""
    pieces = text.reshape(HELD_OUT).astype(np.int32)
    reset(reader)
    scores = reader.predict_on_batch(pieces).astype(np.float64)  # [pieces, letters, symbols]
    log_sum = np.log(np.exp(scores).sum(axis=-1))
    chosen = np.take_along_axis(scores[:, :-1], pieces[:, 1:, None], axis=-1)[..., 0]
    return float(np.exp((log_sum[:, :-1] - chosen).mean()))


def continued(model: keras.Model, starts: Codes, count: int, rng: np.random.Generator) -> list[str]:
    """Draw what follows on several starts.

    Parameters
    ----------
    model : built for [rows, 1]
    starts : uint8 [rows, at least 1]
    count : int
        Symbols to add.

    Returns
    -------
    list of str
        The starts and what was drawn.
    """
    reset(model)
    symbols = list(starts.T)  # [rows] each
    for position in range(starts.shape[1] + count - 1):
        scores = model.predict_on_batch(symbols[position].astype(np.int32)[:, None])[:, 0]
        if position + 1 == len(symbols):  # the largest of scores + Gumbel noise is a fair draw
            symbols.append((scores + rng.gumbel(size=scores.shape)).argmax(axis=-1))
    return [decode(row) for row in np.array(symbols).T]


def compile_like_the_tutorial(model: keras.Model) -> None:
    """Prepare a model for plain gradient descent, `CHECK` updates in one call."""
    import keras

    model.compile(
        keras.optimizers.SGD(
            keras.optimizers.schedules.ExponentialDecay(10.0, 5000, 0.1, staircase=True),
            global_clipnorm=1.25,
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        steps_per_execution=CHECK,
        jit_compile=True,
    )


def train(
    codes: Codes, seed: int, updates: int, after_check: Callable[[Check, keras.Model], None]
) -> keras.Model:
    """Train a model.

    Parameters
    ----------
    codes : uint8 [N]
    seed, updates : int
    after_check : callable
        Called with the model before the first update, after every `CHECK` and after the last; the
        time of checks does not count.
    """
    import keras

    keras.utils.set_random_seed(seed)
    text, held_out = divided(codes)
    model, reader = build(SEGMENTS, LENGTH), build(*HELD_OUT)
    compile_like_the_tutorial(model)
    seconds = 0.0
    resumed = time.perf_counter()

    def check(update: int) -> None:
        nonlocal seconds, resumed
        seconds += time.perf_counter() - resumed
        copy_weights(model, reader)
        latest = Check(update, perplexity(reader, held_out), seconds)
        bar.set_postfix(perplexity=f"{latest.perplexity:.2f}", refresh=False)
        bar.update(update - bar.n)
        after_check(latest, model)
        resumed = time.perf_counter()

    with progress(range(0), total=updates, unit="updates") as bar:
        check(0)
        model.fit(
            whole_batches(*batches(text, updates), SEGMENTS, shuffle=False),
            shuffle=False,
            verbose=0,
            callbacks=[
                keras.callbacks.LambdaCallback(
                    on_train_batch_end=lambda batch, logs: check(int(model.optimizer.iterations))
                )
            ],
        )
    return model


def samples(seed: int) -> Callable[[Check, keras.Model], None]:
    """Return what tells the perplexity after every `SAMPLE` updates and draws from the model."""
    writer = build(LINES, 1)
    rng = np.random.default_rng(seed)

    def tell(check: Check, model: keras.Model) -> None:
        if check.update % SAMPLE == 0:
            copy_weights(model, writer)
            starts = rng.integers(len(SYMBOLS), size=(LINES, 1), dtype=np.uint8)
            say(f"{check.update} updates: perplexity {check.perplexity:.2f}")
            for line in continued(writer, starts, LINE - 1, rng):
                say(f"  {line}")

    return tell


def save(model: keras.Model, path: Path) -> None:
    """Save a trained model as one that reads a letter at a time."""
    single = build(1, 1)
    copy_weights(model, single)
    path.parent.mkdir(parents=True, exist_ok=True)
    single.save(path)


def load(path: Path) -> keras.Model:
    """Load a trained model."""
    import keras

    import models.recurrent  # noqa: F401 - registers its layers

    if not path.is_file():
        raise InputError(f"{path}: no such model; train one by python -m examples.characters")
    try:
        model = keras.saving.load_model(path, compile=False)
    except (OSError, ValueError, zipfile.BadZipFile):
        model = None
    if model is None or model.input_shape != (1, 1):
        raise InputError(f"{path}: not a model that python -m examples.characters has saved")
    return model


def prompt(text: str) -> Codes:
    """Return the symbols of a text to go on from."""
    unknown = sorted(set(text.lower()) - set(SYMBOLS))
    if unknown or not text:
        reason = f"no {unknown[0]!r} among" if unknown else "give at least one of"
        raise UsageError(f"--sample {text!r}: {reason} the 27 symbols, a to z and space")
    return encode(text)[None]


def main() -> None:
    """Train and save, or draw a sample."""
    parser = arguments.parser("characters", __doc__)
    for option, kind, default, about in (
        ("--text", Path, TEXT, "to learn from: a text file or a zip archive of one"),
        ("--updates", arguments.positive, UPDATES, "of the weights"),
        ("--model", Path, arguments.OUTPUT / "characters.keras", "to write, or to draw from"),
        ("--picture", Path, arguments.OUTPUT / "characters.png", "of perplexity, to write"),
        ("--length", arguments.positive, LINE, "letters that --sample adds"),
    ):
        parser.add_argument(option, type=kind, default=default, help=f"{about} (%(default)s)")
    parser.add_argument("--sample", metavar="TEXT", help="go on from this text; do not train")
    given = parser.parse_args()
    if given.sample is not None:
        start = prompt(given.sample)
        device.choose("cpu")
        rng = np.random.default_rng(given.seed)
        say_text(continued(load(given.model), start, given.length, rng)[0])
        return

    codes = read_text(given.text)
    device.choose("cpu")
    checks: list[Check] = []
    tell = samples(given.seed)

    def after_check(check: Check, model: keras.Model) -> None:
        checks.append(check)
        tell(check, model)

    save(train(codes, given.seed, given.updates, after_check), given.model)
    pictures.save(pictures.perplexity({"LSTM of 64": checks}), given.picture)
    last = checks[-1]
    say(
        f"characters: perplexity {last.perplexity:.2f} after {last.update} updates"
        f" in {last.seconds:.1f} s -> {given.model}"
    )


if __name__ == "__main__":
    run(main)
