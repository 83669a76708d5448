import msgspec
import numpy as np

from pipeline import params, standardize, train
from pipeline.storage import Store
from pipeline.variation import Variation


def training_side():
    return train.Side.open(Store(standardize.FOLDER, "standardize"), "train")


def test_a_varied_utterance_has_the_length_that_was_planned(standardized):
    augment = msgspec.structs.replace(params.load().recipe.augment, rate=0.2)
    side = training_side()
    variation = Variation(augment, len(side.entries), np.random.default_rng(3))
    lengths = variation.lengths(side.lengths)
    assert (lengths != side.lengths).any()
    for k, length in enumerate(lengths):
        x, y = variation.apply(k, *side.read(k))
        assert len(x) == len(y) == length
        again, _ = variation.apply(k, *side.read(k))
        np.testing.assert_array_equal(x, again)
