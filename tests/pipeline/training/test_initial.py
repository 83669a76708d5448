"""A network that starts from another one: whose weights it has, and what it says of the others."""

import shutil

import numpy as np
import pytest

from pipeline.ground import params
from pipeline.ground.console import InputError
from pipeline.training.initial import start_from
from tests.pipeline import small_model
from tests.pipeline.conftest import change

SHAPE = {"units": (12,), "cell": "lstm", "bidirectional": True, "merge": "concat"}


def recipe(**changes):
    import msgspec

    shape = {"context": 1, "dense": (), **SHAPE}
    return msgspec.structs.replace(params.load().recipe, **shape | changes)


def network(outputs):
    import keras

    from models.regressor import Regressor

    keras.utils.set_random_seed(9)
    model = Regressor(outputs, **SHAPE)
    model.build({"inputs": (None, None, 39), "resets": (None, None)})
    return model


def test_tracks_that_both_have_keep_their_outputs_by_name(tmp_path, capsys):
    first = small_model.write_trained(tmp_path / "first")
    model = network(3)
    drawn = [weight.copy() for weight in model.dense.get_weights()]
    start_from(tmp_path / "first", model, recipe(), ("LL_y", "JAW_y", "TT_x"))
    for one, other in zip(model.stack.get_weights(), first.stack.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    there = [small_model.CHANNELS.index(name) for name in ("LL_y", "TT_x")]
    for weight, old, before in zip(
        model.dense.get_weights(), first.dense.get_weights(), drawn, strict=True
    ):
        np.testing.assert_array_equal(weight[..., [0, 2]], old[..., there])
        np.testing.assert_array_equal(weight[..., 1], before[..., 1])
    assert "2 of its outputs; new outputs: JAW_y" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "key"), [({"units": (13,)}, "units"), ({"cell": "gru"}, "cell")]
)
def test_another_shape_is_one_line_that_names_it(tmp_path, changes, key):
    small_model.write_trained(tmp_path / "first")
    with pytest.raises(InputError, match=f"train.init: its {key} is"):
        start_from(tmp_path / "first", network(8), recipe(**changes), small_model.CHANNELS)


@pytest.mark.slow
def test_training_goes_on_from_what_was_learned(standardized, stage):
    change(standardized / "params.yaml", recipes__default__learning_rate=1e-9)
    assert stage("train").status == 0
    shutil.copytree("trained", "first")
    change(standardized / "params.yaml", train__init="first", train__seed=5)
    outcome = stage("train")
    assert outcome.status == 0
    assert "starts from first, 12 of its outputs" in outcome.out
    from models import regressor

    one, other = (
        regressor.load(standardized / name / "model.keras") for name in ("first", "trained")
    )
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_no_model_and_the_folder_that_is_replaced_are_one_line_each(standardized, stage):
    for init, reason in (("nowhere", "no trained model"), ("trained", "name a copy")):
        change(standardized / "params.yaml", train__init=init)
        outcome = stage("train")
        assert outcome.status != 0
        assert outcome.err.count("\n") == 1 and reason in outcome.err
