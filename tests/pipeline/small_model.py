"""Small trained folders, as `pipeline.train` writes them."""

import numpy as np
import onnx
from onnx import numpy_helper

from pipeline.ground.storage import checksum, write_json
from pipeline.trained import onnx_graph

CHANNELS = ["TT_x", "TT_y", "TD_x", "TD_y", "UL_x", "UL_y", "LL_x", "LL_y"]
STACK = {"cell": "lstm", "units": (12,), "bidirectional": True, "merge": "concat", "delay": 0}


def describe(inputs, frames, channels, seed, context, stack):
    rng = np.random.default_rng(seed)
    return {
        "channels": channels,
        "standardize": {"inputs": inputs, "targets": "speaker", "frames": frames},
        "statistics": {
            "input_mean": rng.normal(0, 3, 39).tolist(),
            "input_scale": rng.uniform(1, 5, 39).tolist(),
            "target_mean": rng.normal(0, 10, len(channels)).tolist(),
            "target_scale": rng.uniform(1, 3, len(channels)).tolist(),
        },
        "recipe": {**stack, "output_delay": stack["delay"], "context": context},
        "trained_on": {"corpus": "none", "speakers": ["nobody"]},
    }


def write(
    folder,
    *,
    inputs="utterance",
    frames="speech",
    channels=CHANNELS,
    outputs=None,
    seed=1,
    context=1,
    **stack,
):
    """Write what a prediction needs, with random weights; Keras takes seconds to import."""
    stack = STACK | stack
    network = onnx_graph.Network(39 * context, outputs or len(channels), **stack)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    weights = (
        numpy_helper.from_array(drawn(rng, name, shape), name)
        for name, shape in network.weight_shapes()
    )
    onnx.save(onnx_graph.build(network, list(weights)), folder / "model.onnx")
    sums = {"model.onnx": checksum(folder / "model.onnx")}
    about = describe(inputs, frames, channels, seed, context, stack)
    write_json(folder / "model.json", about | {"sha256": sums})


def drawn(rng, name, shape):
    """Return weights as Glorot and Bengio (2010) draw them, and biases of 0."""
    if "b" in name or "B" in name:
        return np.zeros(shape, np.float32)
    limit = np.sqrt(6 / (shape[-1] + shape[-2]))
    return rng.uniform(-limit, limit, shape).astype(np.float32)


def write_trained(
    folder, *, inputs="utterance", frames="speech", channels=CHANNELS, seed=1, context=1, **stack
):
    """Write all that `pipeline.train` writes; return the Keras model."""
    import keras

    from models.regressor import Regressor
    from pipeline import train

    stack = STACK | stack
    keras.utils.set_random_seed(seed)
    model = Regressor(len(channels), **stack)
    model.build({"inputs": (None, None, 39 * context), "resets": (None, None)})
    train.write(folder, model, describe(inputs, frames, channels, seed, context, stack), [])
    return model
