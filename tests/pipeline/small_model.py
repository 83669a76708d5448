"""Small trained folders, as `pipeline.train` writes them."""

import numpy as np

from pipeline import train

CHANNELS = ["TT_x", "TT_y", "TD_x", "TD_y", "UL_x", "UL_y", "LL_x", "LL_y"]


def write(folder, *, mode="utterance", channels=CHANNELS, outputs=None, seed=1, **stack):
    """Write a folder with a network of random weights; return the Keras model."""
    import keras

    from models.regressor import Regressor

    recipe = {"cell": "lstm", "units": (12,), "bidirectional": True, "merge": "concat", "delay": 0}
    recipe |= stack
    keras.utils.set_random_seed(seed)
    context = recipe.pop("context", 1)
    model = Regressor(outputs or len(channels), **recipe)
    model.build({"inputs": (None, None, 39 * context), "resets": (None, None)})
    rng = np.random.default_rng(seed)
    about = {
        "channels": channels,
        "mode": mode,
        "statistics": {
            "input_mean": rng.normal(0, 3, 39).tolist(),
            "input_scale": rng.uniform(1, 5, 39).tolist(),
            "target_mean": rng.normal(0, 10, len(channels)).tolist(),
            "target_scale": rng.uniform(1, 3, len(channels)).tolist(),
        },
        "recipe": {**recipe, "output_delay": recipe["delay"], "context": context},
        "trained_on": {"corpus": "none", "speakers": ["nobody"]},
    }
    train.write(folder, model, about, [])
    return model
