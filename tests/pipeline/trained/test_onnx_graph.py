import numpy as np
import onnx
import onnxruntime
import pytest

from pipeline.ground.console import InputError
from pipeline.trained import onnx_graph

FEATURES, OUTPUTS, LENGTHS = 5, 3, np.array([17, 9, 1], np.int32)

ONE_WAY = {"bidirectional": False}
NETWORKS = [
    {"cell": "lstm", "units": (7,), **ONE_WAY},
    {"cell": "lstm", "units": (7, 4)},
    {"cell": "lstm", "units": (7, 4), "merge": "sum"},
    {"cell": "lstm", "units": (6, 6), "merge": "mean"},
    {"cell": "lstm", "units": (7, 4), "delay": 3, **ONE_WAY},
    {"cell": "lstm", "units": (7,), "options": {"use_bias": False}, **ONE_WAY},
    {"cell": "lstm", "units": (7,), "dense": (6, 8), "delay": 3, **ONE_WAY},
    {"cell": "gru", "units": (7, 4), "dense": (6,)},
    {"cell": "gru", "units": (7,), "delay": 30, **ONE_WAY},
    {"cell": "gru", "units": (7, 4)},
    {"cell": "gru", "units": (7, 4), "options": {"reset_after": False}},
    {"cell": "simple_rnn", "units": (7,), "delay": 2, **ONE_WAY},
    {"cell": "simple_rnn", "units": (7, 4), "merge": "mean", "options": {"activation": "relu"}},
    {"cell": "lstm", "units": (7, 4), "members": 3},
    {"cell": "gru", "units": (7, 4), "dense": (6,), "delay": 2, "members": 2, **ONE_WAY},
    {"cell": "lstm", "units": (7,), "variance": True},
]


def regressor(members=1, **stack):
    import keras

    from models.regressor import Ensemble, Regressor

    keras.utils.set_random_seed(1)
    each = [Regressor(OUTPUTS, **stack) for _ in range(members)]
    model = Ensemble(each) if members > 1 else each[0]
    model.build({"inputs": (None, None, FEATURES), "resets": (None, None)})
    rng = np.random.default_rng(2)
    model.set_weights([rng.normal(0, 0.4, w.shape).astype(np.float32) for w in model.get_weights()])
    return model


def batch():
    return np.random.default_rng(3).normal(size=(3, 17, FEATURES)).astype(np.float32)


def session(path, network):
    return onnxruntime.InferenceSession(onnx_graph.load(path, network))


def feed(network, x, lengths):
    states = {
        f"state_{k}": np.zeros((1, len(x), units), np.float32)
        for k, units in enumerate(network.state_units)
    }
    return {"inputs": x, "lengths": np.asarray(lengths, np.int32), **states}


@pytest.mark.slow
@pytest.mark.parametrize("stack", NETWORKS, ids=str)
def test_onnxruntime_agrees_with_keras_on_utterances_of_unequal_length(stack, tmp_path):
    model, x = regressor(**stack), batch()
    network = onnx_graph.Network.of(model)
    onnx_graph.to_onnx(model, tmp_path / "model.onnx")
    (found,) = session(tmp_path / "model.onnx", network).run(["tracks"], feed(network, x, LENGTHS))
    for k, length in enumerate(LENGTHS):
        alone = {"inputs": x[k : k + 1, :length], "resets": np.zeros((1, length), bool)}
        expected = model.predict_on_batch(alone)[0, :, :OUTPUTS]
        np.testing.assert_allclose(found[k, :length], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("stack", [s for s in NETWORKS if "bidirectional" in s], ids=str)
def test_pieces_with_carried_states_are_the_whole(stack, tmp_path):
    model, x = regressor(**stack), batch()
    network = onnx_graph.Network.of(model)
    onnx_graph.to_onnx(model, tmp_path / "model.onnx")
    run = session(tmp_path / "model.onnx", network).run
    names = [f"state_{k}" for k in range(len(network.state_units))]
    undelayed = {"delay": np.array(0)} if network.delay else {}
    whole = feed(network, x, [17, 17, 17]) | undelayed
    (expected,) = run(["tracks"], whole)
    state, pieces = {name: whole[name] for name in names}, []
    for start, stop in [(0, 1), (1, 10), (10, 17)]:
        part = {"inputs": x[:, start:stop], "lengths": np.full(3, stop - start, np.int32)}
        piece, *after = run(None, part | state | undelayed)
        pieces.append(piece)
        state = dict(zip(names, after, strict=True))
    np.testing.assert_allclose(np.concatenate(pieces, axis=1), expected, rtol=0, atol=1e-6)


def test_the_recurrence_is_one_node_per_layer(tmp_path):
    onnx_graph.to_onnx(regressor(cell="lstm", units=(7, 4)), tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("LSTM") == 2
    assert not {"Loop", "Scan", "If"} & set(kinds)


def hostile(change):
    """A graph changed after it was written, and what `load` has to say to it."""

    def write(path):
        model = onnx.load(path)
        change(model)
        path.write_bytes(model.SerializeToString())

    return write


def point_outside(model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")


def claim_a_terabyte(model):
    model.graph.initializer[0].dims[:] = [1, 1 << 20, 1 << 20]


def drop_weights(model):
    tensor = model.graph.initializer[0]
    tensor.raw_data = tensor.raw_data[:-4]


def add_custom_operator(model):
    model.graph.node.add(op_type="Shell", domain="com.evil", input=["inputs"], output=["x"])


def ask_for_memory(model):
    model.graph.initializer.append(
        onnx.numpy_helper.from_array(np.array([1 << 40], np.int64), "size")
    )
    model.graph.node.add(op_type="ConstantOfShape", input=["size"], output=["x"])


def smuggle_a_function(model):
    model.functions.add(name="LSTM", domain="")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (point_outside, "weights W_0 are not float32 within the file"),
        (claim_a_terabyte, "its weights are not those of the network in model.json"),
        (drop_weights, "weights W_0 are not float32 within the file"),
        (add_custom_operator, "its nodes are not those of the network in model.json"),
        (ask_for_memory, "its nodes are not those of the network in model.json"),
        (smuggle_a_function, "its nodes are not those of the network in model.json"),
    ],
)
def test_a_graph_that_is_not_the_network_is_refused(change, reason, tmp_path):
    path = tmp_path / "model.onnx"
    model = regressor(cell="lstm", units=(7,), **ONE_WAY)
    onnx_graph.to_onnx(model, path)
    onnx_graph.load(path, onnx_graph.Network.of(model))
    hostile(change)(path)
    with pytest.raises(InputError, match=reason):
        onnx_graph.load(path, onnx_graph.Network.of(model))


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "weights"), (b"\xff" * 99, "not an ONNX file"), (None, "not found")],
)
def test_a_file_that_is_no_graph_is_one_line(content, reason, tmp_path):
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    network = onnx_graph.Network(FEATURES, OUTPUTS, "lstm", (7,), bidirectional=False)
    with pytest.raises(InputError, match=reason):
        onnx_graph.load(path, network)
