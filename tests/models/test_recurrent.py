"""The layers: masks, resets, directions, loops, state, dropout, precision, saving, fitting."""

import keras
import numpy as np
import pytest
from keras import ops

from models.recurrent import GRU, LSTM, OrthogonalGates, RecurrentStack, SimpleRNN
from tests.gradients import outputs_and_gradients, relative_error

LAYERS = {
    "tanh": (SimpleRNN, {}),
    "lstm": (LSTM, {}),
    "gru": (GRU, {}),
    "gru-reset-before": (GRU, {"reset_after": False}),
}
JAX = keras.backend.backend() == "jax"


def numbers(*shape, seed=0, dtype="float64"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def built(layer, features, seed=1):
    layer.build((None, None, features))
    layer.set_weights(
        [0.5 * numbers(*w.shape, seed=seed + k) for k, w in enumerate(layer.get_weights())]
    )
    return layer


def sequences(name, **arguments):
    cell, options = LAYERS[name]
    return built(cell(4, return_sequences=True, dtype="float64", **options, **arguments), 3)


def stack(features=3, **arguments):
    return built(RecurrentStack(units=(4, 3), dtype="float64", **arguments), features)


def run(layer, x, **inputs):
    return [np.asarray(a) for a in keras.tree.flatten(layer(np.asarray(x), **inputs))]


def weights_gradient(layer, x, upstream, **inputs):
    _, (_, *gradients) = outputs_and_gradients(layer, x, [upstream], **inputs)
    return gradients


@pytest.mark.parametrize(
    ("arguments", "compiled"),
    [
        pytest.param({"gradient": "automatic"}, None, marks=pytest.mark.jax),
        pytest.param({"unroll": True}, "graph", marks=pytest.mark.jax),
        pytest.param({"unroll": True}, "xla", marks=pytest.mark.slow),
        pytest.param({}, "xla", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", LAYERS)
def test_both_gradients_and_both_loops_agree(name, arguments, compiled):
    x, mask = numbers(2, 5, 3), numbers(2, 5, seed=9) > -1
    resets = numbers(2, 5, seed=8) > 1
    layer, other = (
        sequences(name, go_backwards=True),
        sequences(name, **arguments, go_backwards=True),
    )
    upstream = [numbers(2, 5, 4, seed=7)]
    h, expected = outputs_and_gradients(layer, x, upstream, mask=mask, resets=resets)
    again, found = outputs_and_gradients(
        other, x, upstream, mask=mask, resets=resets, compiled=compiled
    )
    assert relative_error([*again, *found], [*h, *expected]) < 1e-12


@pytest.mark.parametrize(
    ("cell", "side"),
    [
        pytest.param("lstm", "left", marks=pytest.mark.jax),
        ("lstm", "right"),
        ("gru", "left"),
        ("simple_rnn", "right"),
    ],
)
def test_padding_changes_nothing_and_gets_no_gradient(cell, side):
    layer = stack(cell=cell)
    x, noise = numbers(2, 5, 3), 100 * numbers(2, 4, 3, seed=3)
    valid, invalid = np.ones((2, 5), bool), np.zeros((2, 4), bool)
    order = slice(None, None, -1 if side == "left" else 1)
    padded = np.concatenate([x, noise][order], axis=1)
    mask = np.concatenate([valid, invalid][order], axis=1)
    upstream = numbers(2, 9, layer.compute_output_shape((2, 9, 3))[-1], seed=4) * mask[..., None]
    (h,), (dx, *dw) = outputs_and_gradients(layer, padded, [upstream], mask=mask)
    (alone,), (dx_alone, *dw_alone) = outputs_and_gradients(
        layer, x, [upstream[mask].reshape(2, 5, -1)]
    )
    np.testing.assert_allclose(h[mask], alone.reshape(10, -1), rtol=1e-12, atol=1e-14)
    assert np.all(dx[~mask] == 0)
    assert relative_error([dx[mask].reshape(x.shape), *dw], [dx_alone, *dw_alone]) < 1e-12


def test_a_row_that_is_all_padding_keeps_its_initial_state_and_gets_no_gradient():
    layer = sequences("lstm", return_state=True)
    x, mask = numbers(2, 5, 3), np.array([[True] * 5, [False] * 5])
    initial = [numbers(2, 4, seed=1), numbers(2, 4, seed=2)]
    upstream = [numbers(2, 5, 4, seed=3), numbers(2, 4, seed=4), numbers(2, 4, seed=5)]
    (h, *final), (dx, dh, dc, *_) = outputs_and_gradients(
        layer, x, upstream, initial_state=initial, mask=mask
    )
    np.testing.assert_array_equal(h[1], np.tile(initial[0][1], (5, 1)))
    np.testing.assert_array_equal([s[1] for s in final], [s[1] for s in initial])
    assert np.all(dx[1] == 0)
    np.testing.assert_allclose(dh[1], upstream[0][1].sum(axis=0) + upstream[1][1], rtol=1e-12)
    np.testing.assert_array_equal(dc[1], upstream[2][1])


def test_zero_output_for_mask_outputs_zeros_there():
    layer = sequences("gru", zero_output_for_mask=True)
    mask = np.array([[False, True, False, True, False]])
    (h,) = run(layer, numbers(1, 5, 3), mask=mask)
    assert np.all(h[~mask] == 0)
    assert np.all(h[mask] != 0)


@pytest.mark.parametrize("cell", ["lstm", pytest.param("gru", marks=pytest.mark.jax), "simple_rnn"])
def test_sequences_end_to_end_with_resets_are_as_if_alone(cell):
    layer = stack(cell=cell)
    a, b, c = numbers(1, 4, 3), numbers(1, 1, 3, seed=1), numbers(1, 5, 3, seed=2)
    lane = np.concatenate([a, b, c], axis=1)
    resets = np.zeros((1, 10), bool)
    resets[0, [0, 4, 5]] = True
    upstream = numbers(1, 10, layer.compute_output_shape((1, 10, 3))[-1], seed=3)
    (h,), (dx, *dw) = outputs_and_gradients(layer, lane, [upstream], resets=resets)
    parts = [
        outputs_and_gradients(layer, lane[:, span], [upstream[:, span]])
        for span in (slice(0, 4), slice(4, 5), slice(5, 10))
    ]
    expected = np.concatenate([outputs[0] for outputs, _ in parts], axis=1)
    np.testing.assert_allclose(h, expected, rtol=1e-12, atol=1e-14)
    dx_alone = np.concatenate([gradients[0] for _, gradients in parts], axis=1)
    dw_alone = [sum(dw) for dw in zip(*(gradients[1:] for _, gradients in parts), strict=True)]
    assert relative_error([dx, *dw], [dx_alone, *dw_alone]) < 1e-12


@pytest.mark.parametrize("name", LAYERS)
def test_the_final_state_of_one_part_starts_the_next(name):
    layer = sequences(name, return_state=True)
    x = numbers(2, 9, 3)
    whole, *final = run(layer, x)
    first, *state = run(layer, x[:, :4])
    second, *last = run(layer, x[:, 4:], initial_state=state)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, rtol=1e-12)
    np.testing.assert_allclose(last, final, rtol=1e-12)


@pytest.mark.parametrize("cell", [pytest.param("lstm", marks=pytest.mark.jax), "gru", "simple_rnn"])
def test_a_stateful_stack_goes_on_where_it_ended_until_it_is_reset(cell):
    x = numbers(2, 9, 3, dtype="float32")
    stateful = RecurrentStack(cell, (4, 3), bidirectional=False, stateful=True)
    stateful.build((2, None, 3))
    plain = RecurrentStack(cell, (4, 3), bidirectional=False)
    plain.build((2, None, 3))
    for a, b in zip(plain.trainable_variables, stateful.trainable_variables, strict=True):
        a.assign(b)
    (whole,) = run(plain, x)
    for _ in range(2):
        parts = [run(stateful, x[:, span])[0] for span in (slice(0, 4), slice(4, 9))]
        np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=1e-5, atol=1e-6)
        stateful.reset_state()


def test_a_stateful_layer_needs_a_batch_size():
    with pytest.raises(ValueError, match="batch_shape"):
        LSTM(3, stateful=True).build((None, None, 2))


def test_a_stack_is_its_layers_one_after_the_other():
    layer = stack(cell="gru", bidirectional=True, merge="concat", return_state=True)
    x = numbers(2, 6, 3)
    weights, h, states = layer.get_weights(), x, []
    for units in (4, 3):
        pair = []
        for backwards in (False, True):
            one = GRU(
                units, return_sequences=True, return_state=True, go_backwards=backwards,
                dtype="float64",
            )  # fmt: skip
            one.build(h.shape)
            one.set_weights([weights.pop(0) for _ in range(3)])
            y, state = run(one, h)
            pair.append(y[:, ::-1] if backwards else y)
            states.append(state)
        h = np.concatenate(pair, axis=-1)
    for a, b in zip(run(layer, x), [h, *states], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_merges():
    x = numbers(2, 6, 3)
    options = {"dtype": "float64", "units": (4,)}
    halves = {
        merge: run(built(RecurrentStack(merge=merge, **options), 3), x)[0]
        for merge in ("concat", "sum", "mean")
    }
    both = halves["concat"][..., :4] + halves["concat"][..., 4:]
    np.testing.assert_allclose(halves["sum"], both, rtol=1e-12)
    np.testing.assert_allclose(halves["mean"], both / 2, rtol=1e-12)


@pytest.mark.parametrize("delay", [1, pytest.param(3, marks=pytest.mark.jax), 20])
def test_delay_hears_that_much_of_the_future_but_not_of_the_next_sequence(delay):
    x = numbers(1, 9, 3)
    resets = np.zeros((1, 9), bool)
    resets[0, 5] = True
    (now,) = run(stack(bidirectional=False), x, resets=resets)
    (late,) = run(stack(bidirectional=False, delay=delay), x, resets=resets)
    seen = [min(t + delay, 4 if t < 5 else 8) for t in range(9)]
    np.testing.assert_array_equal(late, now[:, seen])


@pytest.mark.parametrize("bidirectional", [True, False])
def test_length_one_and_batch_one(bidirectional):
    layer = stack(bidirectional=bidirectional)
    for shape in ((1, 1, 3), (1, 7, 3), (3, 1, 3)):
        (h,) = run(layer, numbers(*shape))
        assert h.shape == layer.compute_output_shape(shape)
        assert np.all(np.isfinite(h))


@pytest.mark.slow
def test_five_thousand_frames_stay_finite_and_agree_with_two_halves():
    layer = built(LSTM(4, return_sequences=True, return_state=True, dtype="float64"), 3)
    x = numbers(1, 5000, 3)
    upstream = [np.ones((1, 5000, 4)), np.zeros((1, 4)), np.zeros((1, 4))]
    (whole, *final), gradients = outputs_and_gradients(layer, x, upstream, compiled="graph")
    assert all(np.all(np.isfinite(g)) for g in gradients)
    halves = [np.ones((1, 2500, 4)), *upstream[1:]]
    zeros = [np.zeros((1, 4))] * 2
    (first, *state), _ = outputs_and_gradients(
        layer, x[:, :2500], halves, compiled="graph", initial_state=zeros
    )
    (second, *last), _ = outputs_and_gradients(
        layer, x[:, 2500:], halves, compiled="graph", initial_state=state
    )
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, rtol=1e-9)
    np.testing.assert_allclose(last, final, rtol=1e-9)


@pytest.mark.jax
def test_recurrent_dropout_keeps_its_choice_over_all_frames_and_has_its_gradient():
    """With a kernel of zeros for x, h_t depends on h_{t-1} alone: dropped units stay out."""
    layer = SimpleRNN(
        200, activation="relu", recurrent_dropout=0.5, return_sequences=True, dtype="float64",
        kernel_initializer="zeros", recurrent_initializer="identity", seed=0,
    )  # fmt: skip
    ones = np.ones((1, 200))
    (h,) = run(layer, np.zeros((1, 3, 1)), initial_state=[ones], training=True)
    assert set(np.unique(h[0, 0])) == {0.0, 2.0}
    np.testing.assert_array_equal(h[0, :, :], h[0, 0] ** np.arange(1, 4)[:, None])
    (h,) = run(layer, np.zeros((1, 3, 1)), initial_state=[ones], training=False)
    np.testing.assert_array_equal(h, np.ones((1, 3, 200)))


@pytest.mark.parametrize(
    "name", ["tanh", "lstm", "gru", pytest.param("gru-reset-before", marks=pytest.mark.jax)]
)
def test_the_gradient_through_recurrent_dropout_agrees_with_the_automatic_one(name):
    x, upstream = numbers(2, 5, 3), [numbers(2, 5, 4, seed=5)]
    results = []
    for gradient in ("manual", "automatic"):
        layer = sequences(name, recurrent_dropout=0.4, seed=3, gradient=gradient)
        results.append(outputs_and_gradients(layer, x, upstream, training=True))
    (h, found), (again, expected) = results
    assert relative_error([*h, *found], [*again, *expected]) < 1e-12


def test_dropout_between_layers_drops_only_in_training():
    layer = stack(dropout=0.5)
    x = numbers(2, 6, 3)
    (a,), (b,) = run(layer, x), run(layer, x, training=False)
    (c,) = run(layer, x, training=True)
    np.testing.assert_array_equal(a, b)
    assert not np.allclose(a, c)


def test_l2_is_the_sum_of_squares_of_all_kernels():
    layer = stack(l2=1e-2)
    kernels = [w for w in layer.get_weights() if w.ndim == 2]
    expected = 1e-2 * sum(np.sum(k.astype(np.float64) ** 2) for k in kernels)
    assert float(sum(layer.losses)) == pytest.approx(expected, rel=1e-6)


def test_every_gate_starts_orthogonal_on_its_own_and_the_forget_gate_open():
    layer = LSTM(6, forget_bias=1.0)
    layer.build((None, None, 9))
    kernel, recurrent_kernel, bias = layer.get_weights()
    for block in [*np.split(kernel, 4, axis=1), *np.split(recurrent_kernel, 4, axis=1)]:
        np.testing.assert_allclose(block.T @ block, np.eye(6), atol=1e-5)
    np.testing.assert_array_equal(bias, np.repeat([0, 1, 0, 0], 6))
    wide = np.asarray(OrthogonalGates(2, seed=0)((3, 10)))
    for block in np.split(wide, 2, axis=1):
        np.testing.assert_allclose(block @ block.T, np.eye(3), atol=1e-5)
    assert not np.allclose(*np.split(wide, 2, axis=1))


def test_orthogonal_matrices_are_drawn_evenly_from_all_rotations_and_reflections():
    drawn = np.asarray(OrthogonalGates(400, seed=1)((3, 400 * 3)))
    blocks = drawn.reshape(3, 400, 3).transpose(1, 0, 2)
    # each element of a matrix drawn so has mean 0 and variance 1/3
    np.testing.assert_allclose(blocks.mean(axis=0), 0, atol=4 / np.sqrt(3 * 400))


@pytest.mark.jax
def test_mixed_precision_keeps_weights_and_state_in_float32_and_stays_near_float32():
    arguments = {"units": (32,), "return_state": True, "seed": 1}
    exact = built(RecurrentStack(**arguments), 8)
    mixed = RecurrentStack(**arguments, dtype="mixed_bfloat16")
    mixed.build((None, None, 8))
    mixed.set_weights(exact.get_weights())
    assert {v.dtype for v in mixed.weights} == {"float32"}
    x = numbers(2, 30, 8, dtype="float32")
    h, *state = mixed(x)
    assert keras.backend.standardize_dtype(h.dtype) == "bfloat16"
    assert {keras.backend.standardize_dtype(s.dtype) for s in state} == {"float32"}
    expected = run(exact, x)[0]
    np.testing.assert_allclose(ops.convert_to_numpy(ops.cast(h, "float32")), expected, atol=0.1)
    # not a bfloat16 product of bfloat16 states: the state has more than 8 bits
    assert np.any(
        np.asarray(state[0]) != np.asarray(ops.cast(ops.cast(state[0], "bfloat16"), "float32"))
    )


def model(length, *, jit=False, **arguments):
    """A regressor of two tracks, fed with frames, mask and resets."""
    keras.utils.set_random_seed(0)
    x = keras.Input((length, 3))
    mask, resets = (keras.Input((length,), dtype="bool") for _ in range(2))
    h = RecurrentStack(units=(5, 4), **arguments)(x, mask=mask, resets=resets)
    y = keras.layers.Dense(2, dtype="float32")(h)
    made = keras.Model([x, mask, resets], y)
    made.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=jit)
    return made


BATCH = [
    numbers(4, 12, 3, dtype="float32"),
    numbers(4, 12, seed=1) > -1,
    numbers(4, 12, seed=2) > 1.5,
]
OPTIONS = {
    "lstm": {},
    "gru": {
        "cell": "gru", "merge": "sum", "l2": 1e-4, "dropout": 0.1, "recurrent_dropout": 0.1,
        "options": {"reset_after": False},
    },
    "relu": {"cell": "simple_rnn", "merge": "mean", "options": {"activation": "relu"}},
    "static": {"loop": "static"},
    "delayed": {"bidirectional": False, "delay": 2},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "jit", "length", "policy"),
    [
        ("lstm", False, None, "float32"),
        pytest.param("lstm", True, 12, "mixed_bfloat16", marks=pytest.mark.jax),
        ("gru", False, 12, "mixed_bfloat16"),
    ],
)
def test_fit_learns_with_and_without_xla(name, jit, length, policy):
    target = np.cumsum(BATCH[0][..., :2], axis=1) / 4
    learner = model(length, jit=jit, dtype=policy, **OPTIONS[name])
    losses = learner.fit(BATCH, target, epochs=12, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.slow
def test_bfloat16_has_the_loss_curve_of_float32():
    x = numbers(8, 40, 3, dtype="float32")
    noise = numbers(8, 40, 2, seed=1, dtype="float32")  # as in measurements: no loss goes to 0
    y = np.cumsum(x[..., :2], axis=1) / 6 + 0.2 * noise
    curves = []
    for policy in ("float32", "mixed_bfloat16"):
        keras.utils.set_random_seed(1)
        stack = RecurrentStack(units=(48,), dtype=policy)
        learner = keras.Sequential([keras.Input((40, 3)), stack, keras.layers.Dense(2)])
        learner.compile(keras.optimizers.Adam(2e-3), "mse")
        curves.append([learner.train_on_batch(x, y) for _ in range(50)])
    assert curves[0][-1] < 0.5 * curves[0][0]
    np.testing.assert_allclose(*curves[::-1], rtol=0.01)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("lstm", marks=pytest.mark.jax),
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("gru", "relu", "static", "delayed")
        ),
    ],
)
def test_save_and_load_round_trips_exactly(name, tmp_path):
    length = 12 if name == "static" else None
    before = model(length, **OPTIONS[name])
    expected = before.predict(BATCH, verbose=0)
    before.save(tmp_path / "model.keras")
    after = keras.saving.load_model(tmp_path / "model.keras")
    assert after.to_json() == before.to_json()
    np.testing.assert_array_equal(after.predict(BATCH, verbose=0), expected)


@pytest.mark.parametrize("cell", [SimpleRNN, LSTM, GRU])
def test_a_layer_is_made_again_from_its_config(cell):
    layer = cell(5, return_sequences=True, kernel_regularizer=keras.regularizers.L2(0.1), seed=3)
    again = cell.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


@pytest.mark.jax
def test_a_mask_reaches_the_layer_and_passes_through_a_stack():
    x = numbers(2, 5, 3, dtype="float32")
    x[0, 3:] = 0
    masked = keras.layers.Masking()(x)
    layer = RecurrentStack(units=(4,))
    h = layer(masked)
    mask = np.any(x != 0, axis=-1)
    np.testing.assert_array_equal(np.asarray(keras.src.backend.get_keras_mask(h)), mask)
    np.testing.assert_allclose(np.asarray(h), np.asarray(layer(x, mask=mask)), rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RecurrentStack("elman"), "'elman'"),
        (lambda: RecurrentStack(merge="max"), "'max'"),
        (lambda: RecurrentStack(loop="while"), "'while'"),
        (lambda: RecurrentStack(delay=2), "delay=2"),
        (lambda: RecurrentStack(stateful=True), "bidirectional=False"),
        (lambda: LSTM(3, gradient="none"), "'none'"),
        (lambda: SimpleRNN(3, activation="gelu"), "'gelu'"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_static_loop_of_unknown_length_is_refused():
    import tensorflow as tf

    layer = sequences("lstm", unroll=True)
    with pytest.raises(ValueError, match="known number of frames"):
        tf.function(layer).get_concrete_function(tf.TensorSpec((2, None, 3), "float64"))


@pytest.mark.jax
@pytest.mark.skipif(not JAX, reason="only JAX tells what a compiled step will occupy")
def test_a_step_on_ten_minutes_of_sound_fits_in_six_gigabytes():
    """Memory grows by so much per frame; 60,000 frames are ten minutes."""
    import jax

    layer = RecurrentStack(units=(256, 256))
    layer.build((None, None, 39))

    def loss(weights, x):
        pairs = list(zip(layer.trainable_variables, weights, strict=True))
        with keras.StatelessScope(state_mapping=pairs):
            return ops.mean(layer(x) ** 2)

    def occupied(frames):
        weights = [v.value for v in layer.trainable_variables]
        x = jax.ShapeDtypeStruct((1, frames, 39), "float32")
        compiled = jax.jit(jax.grad(loss)).lower(weights, x).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    per_frame = (occupied(400) - occupied(200)) / 200
    assert occupied(200) + 60_000 * per_frame < 6e9
    assert per_frame < 60e3
