"""Metrics, beside scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classify.learning.metrics import average_precision, brier_score, precision_at, roc_auc

LABELS_AND_SCORES = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9, 1.0])),
    min_size=2,
    max_size=40,
).filter(lambda rows: len({label for label, _ in rows}) == 2)


@settings(deadline=None)
@given(LABELS_AND_SCORES)
def test_metrics_agree_with_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    from sklearn import metrics

    is_like = np.array([label for label, _ in rows])
    scores = np.array([score for _, score in rows])
    assert roc_auc(is_like, scores) == pytest.approx(metrics.roc_auc_score(is_like, scores))
    assert average_precision(is_like, scores) == pytest.approx(
        metrics.average_precision_score(is_like, scores)
    )
    assert brier_score(is_like, scores) == pytest.approx(metrics.brier_score_loss(is_like, scores))


def test_precision_at_ten_counts_the_best_ten() -> None:
    is_like = np.arange(40) < 7
    assert precision_at(is_like, -np.arange(40.0)) == 0.7
    assert precision_at(is_like, np.arange(40.0)) == 0
    assert precision_at(is_like, np.zeros(40)) == pytest.approx(7 / 40)  # ties tell nothing
    assert precision_at(is_like[:8], -np.arange(8.0)) == pytest.approx(7 / 8)
    assert precision_at(is_like, -np.arange(40.0), k=5) == 1


def test_metrics_refuse_what_they_can_not_measure() -> None:
    is_like = np.array([True, False])
    with pytest.raises(ValueError, match="both kinds"):
        roc_auc(np.array([True, True]), np.zeros(2))
    with pytest.raises(ValueError, match="1 scores are NaN"):
        average_precision(is_like, np.array([0, np.nan]))
    with pytest.raises(ValueError, match="needed"):
        roc_auc(is_like, np.zeros(3))
    with pytest.raises(ValueError, match="decisions were given"):
        brier_score(is_like, np.array([0.5, 2]))
    with pytest.raises(ValueError, match="at least 1"):
        precision_at(is_like, np.zeros(2), k=0)
