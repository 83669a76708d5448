import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from examples.early_stopping import EarlyStopping


@given(
    st.integers(1, 60).flatmap(
        lambda images: st.lists(
            st.lists(st.booleans(), min_size=images, max_size=images), min_size=1, max_size=12
        )
    ),
    st.integers(1, 70),
)
def test_verdicts_are_those_of_full_validations(models, part):
    wrong = np.array(models)
    stopping = EarlyStopping(wrong.shape[1], patience=3, part=part)
    fewest = wrong.shape[1] + 1
    best = 0
    for step, errs in enumerate(wrong):
        better = errs.sum() < fewest
        if better:
            fewest, best = errs.sum(), step
        assert stopping.better(step, lambda images, errs=errs: errs[images]) == better
        assert stopping.fewest == fewest
        assert stopping.best_step == best
        assert stopping.done(step) == (step - best >= 3)
        assert sorted(stopping.order) == list(range(wrong.shape[1]))


def test_a_model_that_errs_where_it_did_is_seen_through_at_once():
    errs = np.zeros(5000, bool)
    errs[4900:4940] = True
    stopping = EarlyStopping(5000, patience=2000)
    assert stopping.better(10, lambda images: errs[images])
    assert stopping.looked_at == 5000
    assert not stopping.better(20, lambda images: errs[images])
    assert stopping.looked_at == 5100
