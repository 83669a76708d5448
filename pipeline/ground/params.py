"""``params.yaml`` as frozen, checked objects: a wrong key, type or range is one line naming it.

A recipe may name another that it is ``like``, and give only what differs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from pipeline.ground.console import InputError, UsageError
from pipeline.ground.storage import read_yaml

Count = Annotated[int, Meta(ge=1)]
Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(ge=0, lt=1)]
Factor = Annotated[float, Meta(ge=0.5, le=2)]
Range = tuple[float, float]  # low and high
Over = Literal["utterance", "speaker", "corpus"]  # what a mean and a deviation are taken over


class Block(Struct, frozen=True, forbid_unknown_fields=True):
    """A block of ``params.yaml``: no defaults here, so that the file tells everything."""


class Synthesis(Block, frozen=True):
    """The embedded corpus: one speaker is JD3, more are a population."""

    speakers: Annotated[int, Meta(ge=1, le=1000)]
    utterances: Count
    seed: Seed


class HeadCorrection(Block, frozen=True):
    """How the head's own movement is taken out of raw sweeps."""

    reference: tuple[str, ...]
    recording: str | None
    bite_plane: tuple[str, ...]


class PalateTrace(Block, frozen=True):
    """A speaker's palate, measured: a sweep along it, or a CSV file."""

    file: str
    sensor: int | None = None


class Emu(Block, frozen=True):
    """What differs between databases of the EMU speech database management system."""

    sensors: dict[str, str]
    axes: dict[Literal["x", "y", "z"], str]
    unit_mm: Positive
    phones: str | None
    words: str | None
    speaker: str | None
    sentence: str | None


class Corpus(Block, frozen=True):
    """Where utterances come from."""

    reader: str
    path: str | None
    channel_map: dict[int, str]
    head_correction: HeadCorrection
    text_rate_hz: Positive
    palates: dict[str, PalateTrace]
    emu: Emu
    channel: Count | None
    strict: bool
    synthesis: Synthesis


class Extract(Block, frozen=True):
    """From sound and sensors to features and tracks on one grid."""

    layout: str
    cutoff_hz: Annotated[float, Meta(gt=0, lt=50)]
    max_gap_s: NotNegative
    trim_silence: bool


class Layout(Block, frozen=True):
    """Which channels become targets, and how many orders of delta follow them."""

    channels: Annotated[tuple[str, ...], Meta(min_length=1)]
    deltas: Annotated[int, Meta(ge=0, le=2)]


class Standardize(Block, frozen=True):
    """What inputs and targets are standardised over, and the split."""

    inputs: Over | Literal["auto"]
    targets: Over
    frames: Literal["speech", "all"]
    protocol: Literal[
        "auto",
        "random",
        "held-out-sentences",
        "speaker-dependent",
        "leave-one-speaker-out",
        "held-out-speakers",
        "k-fold",
        "file-lists",
    ]
    validation: Annotated[float, Meta(gt=0, lt=1)]
    test: Annotated[float, Meta(gt=0, lt=1)]
    seed: Seed
    speaker: str | None
    folds: Annotated[int, Meta(ge=2)]
    fold: Annotated[int, Meta(ge=0)]
    lists: dict[Literal["train", "validation", "test"], str]


class CrossValidation(Block, frozen=True):
    """The folds of cross-validation/dvc.yaml."""

    protocol: Literal["k-fold", "leave-one-speaker-out"]
    folds: Annotated[tuple[str, ...], Meta(min_length=2)]


class Train(Block, frozen=True):
    """Which recipe is trained, and where."""

    recipe: str
    init: str | None
    seed: Seed
    device: Literal["auto", "cpu", "gpu"]
    smoothing: Literal["auto", "none", "mlpg"] | Annotated[float, Meta(gt=0, lt=50)]
    devices: Count
    ensemble: Annotated[int, Meta(ge=1, le=64)]
    fresh: bool
    tensorboard: bool


class Sound(Block, frozen=True):
    """How the sound of training utterances is varied; null leaves that side of it as it is."""

    when: Literal["always", "new-speakers"]
    probability: Annotated[float, Meta(gt=0, le=1)]
    warp: tuple[Factor, Factor] | None
    pitch: tuple[Factor, Factor] | None
    tilt: Range | None
    decay_s: tuple[Positive, Positive] | None
    direct_db: Range
    snr_db: Range | None
    slope: Range
    gain_db: Range | None

    @property
    def played(self) -> Range:
        """The lowest and the highest factor that the mel filters have to follow."""
        (a, b), (c, d) = self.warp or (1, 1), self.pitch or (1, 1)
        return min(a, a * c), max(b, b * d)


class Augment(Block, frozen=True):
    """How training utterances are varied, anew in every epoch; zeros leave them as they are."""

    sound: Sound | None
    noise: NotNegative
    stretches: Annotated[int, Meta(ge=0)]
    frames: Annotated[int, Meta(ge=0)]
    bands: Annotated[int, Meta(ge=0)]
    width: Annotated[int, Meta(ge=0)]
    rate: Annotated[float, Meta(ge=0, lt=0.5)]


class Recipe(Block, frozen=True):
    """A network and how it is trained."""

    context: Count
    dense: tuple[Count, ...]
    cell: Literal["simple_rnn", "lstm", "gru"]
    units: Annotated[tuple[Count, ...], Meta(min_length=1)]
    bidirectional: bool
    merge: Literal["concat", "sum", "mean"]
    dropout: Share
    recurrent_dropout: Share
    output_delay: Annotated[int, Meta(ge=0)]
    l2: NotNegative
    loss: Literal["mse", "mse+pearson", "gaussian"]
    pearson_weight: NotNegative
    beta: Annotated[float, Meta(ge=0, le=1)]
    track_weights: dict[str, NotNegative]
    deltas: Annotated[int, Meta(ge=0, le=2)]
    augment: Augment
    batching: Literal["pad", "bucket", "pack"]
    batch_size: Count
    optimizer: Literal["sgd", "rmsprop", "adam", "adamw"]
    learning_rate: Positive
    schedule: Literal["constant", "exponential", "cosine"]
    warmup: Share
    decay: Annotated[float, Meta(gt=0, le=1)]
    clip_norm: NotNegative
    epochs: Count
    patience: Annotated[int, Meta(ge=0)]
    precision: Literal["float32", "mixed_bfloat16"]
    compile: bool


class Evaluate(Block, frozen=True):
    """The floors that the model is held against."""

    context: Count
    ridge: NotNegative


class Plot(Block, frozen=True):
    """What the pictures show."""

    utterance: Annotated[int, Meta(ge=0)]
    track: Annotated[int, Meta(ge=0)]


class Params(Block, frozen=True):
    """The whole of ``params.yaml``, one attribute per block."""

    corpus: Corpus
    extract: Extract
    layouts: dict[str, Layout]
    standardize: Standardize
    cross_validation: CrossValidation
    train: Train
    recipes: dict[str, Recipe]
    evaluate: Evaluate
    plot: Plot

    @property
    def recipe(self) -> Recipe:
        """The recipe that ``train.recipe`` names."""
        return self.recipes[self.train.recipe]


Checked = TypeVar("Checked", bound=Block)


PATH = Path("params.yaml")
LIKE = "like"  # the key of a recipe that names another
WHOLE = ("track_weights",)  # mappings that are one value, not a block of knobs
NUMBER = re.compile(r"[-+]?\.[0-9]+[eE][0-9]+")  # .5e3: YAML 1.2's number, a word for ruamel


def load(path: Path = PATH) -> Params:
    """Read and check ``params.yaml``.

    Raises
    ------
    UsageError
        Naming the file, the key and what was expected of it.
    """
    try:
        tree = numbers(read_yaml(path), path, "")
    except FileNotFoundError:
        raise UsageError(f"{path}: not found; run this from the project's folder") from None
    except InputError as error:
        raise UsageError(str(error)) from None
    if isinstance(tree, dict) and isinstance(recipes := tree.get("recipes"), dict):
        tree["recipes"] = {name: whole_recipe(recipes, name, path) for name in recipes}
    params = convert(tree, Params, path, "")
    check(params, path)
    return params


def numbers(value: Any, path: Path, key: str) -> Any:
    """Return a part of the YAML tree with every number a number; none may be infinite."""
    if isinstance(value, dict):
        return {k: numbers(v, path, f"{key}.{k}".lstrip(".")) for k, v in value.items()}
    if isinstance(value, list):
        return [numbers(v, path, key) for v in value]
    if isinstance(value, str) and NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{path}: {key}: {value} is no finite number")
    return value


def whole_recipe(recipes: Mapping[str, Any], name: str, path: Path = PATH) -> Any:
    """Return a recipe of the YAML tree together with what it has from those that it is like.

    Raises
    ------
    UsageError
        Where it is like one that does not exist, or in the end like itself.
    """
    chain = [name]
    while isinstance(own := recipes[chain[-1]], dict) and own.get(LIKE) is not None:
        place, base = f"{path}: recipes.{chain[-1]}.{LIKE}", own[LIKE]
        if base in chain:
            raise UsageError(f"{place}: {' is like '.join([*chain, base])}: name another")
        if not isinstance(base, str) or base not in recipes:
            raise UsageError(f"{place}: no {base!r} among {sorted(map(str, recipes))}")
        chain.append(base)
    recipe = own
    for link in reversed(chain[:-1]):
        recipe = merged(recipe, recipes[link])
    return {k: v for k, v in recipe.items() if k != LIKE} if isinstance(recipe, dict) else recipe


def merged(base: Any, own: Any) -> Any:
    """Return a block with what another gives anew, block by block."""
    if not isinstance(base, dict) or not isinstance(own, dict):
        return own
    blocks = {k: merged(base[k], v) for k, v in own.items() if k in base and k not in WHOLE}
    return {**base, **own, **blocks}


def convert(tree: Any, block: type[Checked], path: Path, key: str) -> Checked:
    """Check a part of the YAML tree against its type; ``key`` is where it stands."""
    for name, entry in (("layouts", Layout), ("recipes", Recipe)):
        if block is Params and isinstance(tree, dict) and isinstance(tree.get(name), dict):
            for own_name, value in tree[name].items():  # msgspec does not name the keys of a dict
                convert(value, entry, path, f"{name}.{own_name}")
    try:
        return msgspec.convert(tree, block, strict=False)  # "7e-5" and 2.0e+1 are numbers, too
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$")
        if "Expected `str" in reason and "got `str" not in reason:
            reason += "; a word that looks like something else stands in quotes"
        place = ".".join(part for part in (key, place.strip("`.")) if part)
        raise UsageError(f"{path}: {place or 'the file'}: {reason}") from None


def check(params: Params, path: Path) -> None:
    """Refuse values that are right alone and wrong together."""

    def refuse(key: str, reason: str) -> None:
        raise UsageError(f"{path}: {key}: {reason}")

    if params.train.recipe not in params.recipes:
        refuse("train.recipe", f"no {params.train.recipe!r} among {sorted(params.recipes)}")
    if params.train.devices > 1 and params.recipe.compile:
        refuse("train.devices", "a compiled step is for one device; set the recipe's compile false")
    if params.standardize.validation + params.standardize.test >= 1:
        refuse("standardize.test", "validation and test shares leave nothing to train on")
    for name, recipe in params.recipes.items():
        if recipe.output_delay and recipe.bidirectional:
            refuse(f"recipes.{name}.output_delay", "only a one-directional network can be delayed")
        if recipe.context % 2 == 0:
            refuse(f"recipes.{name}.context", "an odd number: as many frames before as after")
        if recipe.context > 1 and not recipe.bidirectional:
            refuse(
                f"recipes.{name}.context",
                "a one-directional network waits for later frames by output_delay alone",
            )
        if recipe.augment.sound is not None:
            check_sound(recipe.augment.sound, f"recipes.{name}.augment.sound", refuse)


def check_sound(sound: Sound, place: str, refuse: Callable[[str, str], None]) -> None:
    """Refuse ranges upside down, and voices that the mel filters cannot follow."""
    for key, value in msgspec.structs.asdict(sound).items():
        if isinstance(value, tuple) and value[0] > value[1]:
            refuse(f"{place}.{key}", f"from {value[0]:g} to {value[1]:g} is upside down")
    low, high = sound.played
    if low < 0.5 or high > 2:
        refuse(f"{place}.pitch", f"times warp goes from {low:g} to {high:g}, beyond 0.5 to 2")
