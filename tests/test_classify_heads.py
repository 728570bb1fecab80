from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: TID253

from classify.features import FloatArray
from classify.heads import HEADS, DenseHead, Head, LogisticHead


@parametrize_with_checks([LogisticHead(), DenseHead()])  # type: ignore[untyped-decorator]
def test_heads_keep_scikit_learns_contract(estimator: Any, check: Any) -> None:
    check(estimator)


def two_blobs(
    n: int = 40, dim: int = 300, seed: int = 0, shift: float = 0.5
) -> tuple[FloatArray, NDArray[np.int_]]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    return rng.normal(size=(n, dim)) + shift * y[:, None], y


@pytest.mark.parametrize("name", HEADS)
def test_every_head_of_the_table_fits_and_tells_blobs_apart(name: str) -> None:
    X, y = two_blobs()
    X_new, y_new = two_blobs(seed=1)
    head = HEADS[name]().fit(X, y == 1)
    assert (head.predict(X_new) == (y_new == 1)).mean() > 0.95
    proba = head.predict_proba(X_new)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert ((proba[:, 1] > 0.5) == head.predict(X_new)).all()


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("dim", [5, 300])
def test_layers_alone_give_the_decision(name: str, dim: int) -> None:
    X, y = two_blobs(dim=dim)
    head = HEADS[name]().fit(X, y)
    hidden = X
    *inner, (last, bias) = head.layers()
    for weights, inner_bias in inner:
        hidden = np.maximum(hidden @ weights + inner_bias, 0)
    np.testing.assert_allclose((hidden @ last + bias)[:, 0], head.decision_function(X))
    assert last.dtype == np.float64
    assert last.shape[1] == 1


@pytest.mark.parametrize("name", HEADS)
def test_two_fits_are_equal_bit_for_bit(name: str) -> None:
    X, y = two_blobs()
    first, second = (HEADS[name]().fit(X, y).layers() for _ in range(2))
    for (a, a_bias), (b, b_bias) in zip(first, second, strict=True):
        assert np.array_equal(a, b)
        assert np.array_equal(a_bias, b_bias)


def test_rotation_into_the_span_of_the_rows_changes_nothing() -> None:
    from sklearn.linear_model import LogisticRegression

    X, y = two_blobs(n=30, dim=400)
    weight = np.random.default_rng(0).uniform(0.1, 2, len(y))
    head = LogisticHead(C=0.05).fit(X, y, weight)
    direct = LogisticRegression(C=0.05, tol=1e-10, max_iter=10_000).fit(X, y, weight)
    np.testing.assert_allclose(head.layers()[0][0][:, 0], direct.coef_[0], atol=1e-5)
    np.testing.assert_allclose(head.layers()[0][1], direct.intercept_, atol=1e-4)


@pytest.mark.parametrize("name", HEADS)
def test_a_heavier_song_pulls_more(name: str) -> None:
    X, y = two_blobs(n=20, dim=50, shift=0.1)
    weight = np.ones(20)
    plain = HEADS[name]().fit(X, y, weight).decision_function(X)[1]
    weight[1] = 20  # a like
    assert HEADS[name]().fit(X, y, weight).decision_function(X)[1] > plain


@pytest.mark.parametrize("head", [LogisticHead(), DenseHead()])
def test_one_class_or_three_are_refused(head: Head) -> None:
    X, _ = two_blobs(n=6, dim=3)
    with pytest.raises(ValueError, match="one class"):
        head.fit(X, np.ones(6))
    with pytest.raises(ValueError, match="one class"):
        head.fit(X, [0, 0, 0, 1, 1, 1], sample_weight=[1, 1, 1, 0, 0, 0])
    with pytest.raises(ValueError, match="Only binary"):
        head.fit(X, [0, 1, 2, 0, 1, 2])
