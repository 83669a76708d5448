"""Losses against NumPy's and SciPy's own arithmetic on the valid frames alone."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import stats

from models import batching, losses
from models.regressor import Ensemble, Regressor

TRACKS = 3


def laid_out(batching_name, predicted_width=TRACKS, seed=1):
    """Utterances of several lengths as they are, and laid out with rubbish in the padding."""
    rng = np.random.default_rng(seed)
    lengths = np.array([7, 12, 5, 9, 12, 3])
    y = [rng.normal(size=(n, TRACKS)).astype(np.float32) for n in lengths]
    p = [rng.normal(size=(n, predicted_width)).astype(np.float32) for n in lengths]
    (batch,) = batching.epoch(batching_name, lengths, len(lengths), rng)
    _, predicted, weight = batching.assemble(batch, [np.zeros((n, 1), "f") for n in lengths], p)
    _, measured, _ = batching.assemble(batch, [np.zeros((n, 1), "f") for n in lengths], y)
    measured[weight == 0] = rng.normal(size=((weight == 0).sum(), TRACKS))
    predicted[weight == 0] = rng.normal(size=((weight == 0).sum(), predicted_width))
    return y, p, (measured, predicted, weight), batch


@pytest.mark.parametrize("name", ["pad", "pack"])
def test_the_squared_error_is_numpys_over_valid_frames(name):
    y, p, batch, _ = laid_out(name)
    squares = np.square(np.concatenate(y) - np.concatenate(p))
    assert float(losses.MSE()(*batch)) == pytest.approx(squares.mean(), rel=1e-6)
    weighted = losses.MSE([1, 0, 3])(*batch)
    assert float(weighted) == pytest.approx(squares.mean(axis=0) @ [0.25, 0, 0.75], rel=1e-6)
    kerass = keras.losses.MeanSquaredError(reduction="sum")(*batch)
    assert float(losses.MSE()(*batch)) == float(kerass)


def test_the_correlation_is_scipys_per_utterance():
    y, p, batch, _ = laid_out("pad")
    r = [
        [stats.pearsonr(a[:, k], b[:, k])[0] for k in range(TRACKS)]
        for a, b in zip(y, p, strict=True)
    ]
    frames = np.array([len(a) for a in y])
    lost = (1 - np.mean(r, axis=1)) @ frames / frames.sum()
    squares = np.square(np.concatenate(y) - np.concatenate(p)).mean()
    found = losses.MSEPearson(0.5)(*batch)
    assert float(found) == pytest.approx(squares + 0.5 * lost, rel=1e-5)


def test_the_correlation_of_packed_utterances_is_that_of_their_lane():
    y, p, arrays, batch = laid_out("pack")
    frames, lost = np.zeros(batch.lanes), np.zeros(batch.lanes)
    for lane in range(batch.lanes):
        inside = batch.utterance[batch.lane == lane]
        a, b = (np.concatenate([tracks[k] for k in inside]) for tracks in (y, p))
        frames[lane] = len(a)
        lost[lane] = np.mean([1 - stats.pearsonr(a[:, k], b[:, k])[0] for k in range(TRACKS)])
    squares = np.square(np.concatenate(y) - np.concatenate(p)).mean()
    found = losses.MSEPearson(2.0)(*arrays)
    assert float(found) == pytest.approx(squares + 2 * lost @ frames / frames.sum(), rel=1e-5)


def test_a_track_that_does_not_move_has_correlation_0():
    _, _, (measured, predicted, weight), _ = laid_out("pad")
    measured[..., 0] = 0
    predicted[..., 1] = 0.01
    r = losses.correlation(*map(ops.convert_to_tensor, (measured, predicted, weight)))
    np.testing.assert_allclose(np.asarray(r)[:, :2], 0, atol=1e-6)


def test_the_likelihood_is_scipys():
    y, p, batch, _ = laid_out("pack", 2 * TRACKS)
    p = np.concatenate(p)
    mean, scale = p[:, :TRACKS], np.exp(p[:, TRACKS:] / 2)
    expected = -stats.norm.logpdf(np.concatenate(y), mean, scale) - np.log(2 * np.pi) / 2
    assert float(losses.GaussianNLL(0.0)(*batch)) == pytest.approx(expected.mean(), rel=1e-5)
    weighted = expected * scale  # beta of one half: the variance's root
    assert float(losses.GaussianNLL(0.5)(*batch)) == pytest.approx(weighted.mean(), rel=1e-5)


def test_with_beta_1_means_learn_as_by_squared_error():
    """The gradient by the means is that of half the squared error, whatever the variances."""
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("taken with TensorFlow's tape")
    _, _, (measured, predicted, weight), _ = laid_out("pad", 2 * TRACKS)
    p = tf.Variable(predicted)
    with tf.GradientTape() as tape:
        loss = losses.GaussianNLL(1.0)(measured, p, weight)
    expected = weight[..., None] * (predicted[..., :TRACKS] - measured) / TRACKS
    np.testing.assert_allclose(tape.gradient(loss, p)[..., :TRACKS], expected, atol=1e-7)


@pytest.mark.parametrize("width", [TRACKS, 2 * TRACKS])
def test_the_error_that_is_reported_is_that_of_the_means(width):
    y, p, batch, _ = laid_out("pack", width)
    metric = losses.ZMSE(TRACKS - 1)  # the last is no track of its own
    metric.update_state(*batch)
    errors = np.square(np.concatenate(y) - np.concatenate(p)[:, :TRACKS])
    expected = errors[:, :-1].mean()
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)


def members(count, **options):
    keras.utils.set_random_seed(1)
    made = [Regressor(TRACKS, units=(4,), variance=True, **options) for _ in range(count)]
    for member in made:
        member.build({"inputs": (None, None, 5), "resets": (None, None)})
        rng = np.random.default_rng(len(member.name))
        member.set_weights([w + rng.normal(0, 0.5, w.shape) for w in member.get_weights()])
    return made


def features():
    x = np.random.default_rng(2).normal(size=(2, 6, 5)).astype(np.float32)
    return {"inputs": x, "resets": np.zeros((2, 6), bool)}


@pytest.mark.slow
def test_an_ensemble_is_the_mixture_of_its_members(tmp_path):
    """Moments of the mixture by drawing from it."""
    made = members(3)
    each = np.stack([member.predict_on_batch(features()) for member in made])
    mean, scale = each[..., :TRACKS], np.exp(each[..., TRACKS:] / 2)
    drawn = np.random.default_rng(3).normal(mean, scale, (20_000, *mean.shape))
    model = Ensemble(made)
    model.build({"inputs": (None, None, 5), "resets": (None, None)})
    found = model.predict_on_batch(features())
    np.testing.assert_allclose(found[..., :TRACKS], mean.mean(axis=0), atol=1e-6)
    variance = drawn.var(axis=(0, 1))
    np.testing.assert_allclose(np.exp(found[..., TRACKS:]), variance, rtol=0.05)

    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(again.predict_on_batch(features()), found)


def test_a_network_with_variances_starts_as_one_without():
    keras.utils.set_random_seed(1)
    plain = Regressor(TRACKS, units=(4,))
    plain.build({"inputs": (None, None, 5), "resets": (None, None)})
    keras.utils.set_random_seed(1)
    wide = Regressor(TRACKS, units=(4,), variance=True)
    wide.build({"inputs": (None, None, 5), "resets": (None, None)})
    found = wide.predict_on_batch(features())
    np.testing.assert_array_equal(found[..., :TRACKS], plain.predict_on_batch(features()))
    np.testing.assert_array_equal(found[..., TRACKS:], 0)
