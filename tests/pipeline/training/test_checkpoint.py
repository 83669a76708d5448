"""What a checkpoint keeps, and when it is refused."""

import numpy as np
import pytest

from pipeline.training import checkpoint


@pytest.fixture
def model():
    import keras

    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def test_the_best_weights_the_last_and_the_optimizer_come_back_each_as_it_was(model, tmp_path):
    best = model.get_weights()
    x = np.ones((4, 3), np.float32)
    model.train_on_batch(x, np.ones((4, 2), np.float32))
    last, moments = model.get_weights(), [v.numpy() for v in model.optimizer.variables]
    assert not np.array_equal(best[0], last[0])
    checkpoint.save(tmp_path / "run.npz", model, best, {"fingerprint": "a", "history": [1]})
    model.train_on_batch(x, np.zeros((4, 2), np.float32))
    restored, progress = checkpoint.restore(tmp_path / "run.npz", model, "a")
    assert progress == {"fingerprint": "a", "history": [1]}
    for found, expected in (
        (restored, best),
        (model.get_weights(), last),
        ([v.numpy() for v in model.optimizer.variables], moments),
    ):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_checkpoint_of_another_run_or_none_changes_nothing(model, tmp_path):
    path = tmp_path / "run.npz"
    assert checkpoint.restore(path, model, "a") is None
    checkpoint.save(path, model, model.get_weights(), {"fingerprint": "a"})
    before = model.get_weights()
    assert checkpoint.restore(path, model, "b") is None
    path.write_bytes(path.read_bytes()[:-40])
    assert checkpoint.restore(path, model, "a") is None
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
