from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: TID253

import classify
from classify.learning.heads import LEARNERS
from classify.learning.sklearn_heads import HEADS, DenseHead, Head, KernelHead, LogisticHead
from classify.taste.layers import ACTIVATIONS
from classify.taste.vectors import FloatArray


@parametrize_with_checks([KernelHead(), LogisticHead(), DenseHead()])  # type: ignore[untyped-decorator]
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
@pytest.mark.parametrize("dim", [5, 64])
def test_layers_alone_give_the_decision(name: str, dim: int) -> None:
    X, y = two_blobs(dim=dim)
    X /= np.linalg.norm(X, axis=1, keepdims=True)  # as song space makes them
    head = HEADS[name]().fit(X, y)
    hidden = X
    *inner, (last, bias) = head.layers()
    for weights, inner_bias in inner:
        hidden = ACTIVATIONS[head.activation](hidden @ weights + inner_bias)
    np.testing.assert_allclose((hidden @ last + bias)[:, 0], head.decision_function(X))
    assert all(part.dtype == np.float64 for layer in head.layers() for part in layer)
    assert last.shape[1] == 1
    head.layers()[0][0][:] = np.nan  # a copy
    assert np.isfinite(head.decision_function(X)).all()


@pytest.mark.parametrize("name", HEADS)
def test_two_fits_are_equal_bit_for_bit(name: str) -> None:
    X, y = two_blobs()
    first, second = (HEADS[name]().fit(X, y).layers() for _ in range(2))
    for (a, a_bias), (b, b_bias) in zip(first, second, strict=True):
        assert np.array_equal(a, b)
        assert np.array_equal(a_bias, b_bias)


@pytest.mark.parametrize("name", LEARNERS)
def test_a_head_on_shared_rows_decides_as_the_head_itself(name: str) -> None:
    X, y = two_blobs(n=60, dim=64)
    learner, some = LEARNERS[name](), np.arange(60) % 3 > 0
    weight = np.random.default_rng(0).uniform(0.1, 2, some.sum())
    shared_head, rows = learner.shared(X)
    assert len(rows) == 60
    shared = shared_head.fit(rows[some], y[some] == 1, weight).decision_function(rows)
    own = learner.fit(X[some], y[some] == 1, weight).decision_function(X)
    np.testing.assert_allclose(shared, own, atol=1e-6)
    assert shared_head.shared(rows)[1] is rows, "once is enough"


@pytest.mark.parametrize("name", HEADS)
def test_estimators_and_learners_are_the_same_heads(name: str) -> None:
    assert list(HEADS) == list(LEARNERS)
    X, y = two_blobs(n=60, dim=20)
    assert HEADS[name]().learner() == LEARNERS[name](), "the same settings"
    weight = np.random.default_rng(0).uniform(0.1, 2, 60)
    estimator = HEADS[name]().fit(X, y, weight)
    trained = LEARNERS[name]().fit(X, y == 1, weight)
    assert np.array_equal(estimator.decision_function(X), trained.decision_function(X))
    assert estimator.activation == trained.activation


def test_kernel_head_is_logistic_regression_with_a_gaussian_kernel() -> None:
    from sklearn.metrics.pairwise import rbf_kernel

    X, y = two_blobs(n=30, dim=10)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    head, kernel = KernelHead(gamma=0.7).fit(X, y), rbf_kernel(X, gamma=0.7)
    (_, _), (dual, bias) = head.layers()
    decisions = kernel @ dual[:, 0] + bias
    np.testing.assert_allclose(head.decision_function(X), decisions, atol=1e-9)
    # Where the loss is least, each coefficient is what is wrong with its song (C is 1).
    np.testing.assert_allclose(dual[:, 0], y - 1 / (1 + np.exp(-decisions)), atol=1e-2)


def test_kernel_head_keeps_every_like_among_its_landmarks() -> None:
    X, y = two_blobs(n=200, dim=20)
    y[:] = 0
    likes = [3, 100, 199]
    y[likes] = 1
    weight = np.where(y == 1, 1.0, 3 / 197)
    head = KernelHead(max_landmarks=10).fit(X, y, weight)
    landmarks = head.layers()[0][0].T / 2
    assert landmarks.shape == (10, 20)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    assert all((np.abs(landmarks - unit[i]).max(axis=1) < 1e-12).any() for i in likes)
    assert head.decision_function(X[likes]).min() > np.median(head.decision_function(X))


def test_kernel_head_follows_a_taste_that_is_two_tastes_in_one() -> None:
    rng = np.random.default_rng(0)
    angles = np.concatenate(
        [rng.normal(0, 0.2, 20), rng.normal(np.pi, 0.2, 20), rng.normal(np.pi / 2, 0.2, 20)]
    )
    angles = np.concatenate([angles, rng.normal(-np.pi / 2, 0.2, 20)])
    X, y = np.stack([np.cos(angles), np.sin(angles)], axis=1), np.repeat([1, 0], 40)
    assert KernelHead().fit(X, y).score(X, y) > 0.95
    assert LogisticHead().fit(X, y).score(X, y) < 0.8


def test_copies_and_rows_without_direction_stay_numbers() -> None:
    X, y = two_blobs(n=20, dim=8)
    X[4] = 0
    X[6:10] = X[6]
    for make in HEADS.values():
        assert np.isfinite(make().fit(X, y).decision_function(X)).all()
        same = make().fit(np.zeros((6, 3)), [0, 1] * 3)
        assert np.isfinite(same.decision_function(np.eye(3))).all()


@pytest.mark.parametrize("name", HEADS)
def test_a_heavier_song_pulls_more(name: str) -> None:
    X, y = two_blobs(n=20, dim=50, shift=0.1)
    weight = np.ones(20)
    plain = HEADS[name]().fit(X, y, weight).decision_function(X)[1]
    weight[1] = 20  # a like
    assert HEADS[name]().fit(X, y, weight).decision_function(X)[1] > plain


@pytest.mark.parametrize("head", [KernelHead(), LogisticHead(), DenseHead()])
def test_one_class_or_three_are_refused(head: Head) -> None:
    X, _ = two_blobs(n=6, dim=3)
    with pytest.raises(ValueError, match="one class"):
        head.fit(X, np.ones(6))
    with pytest.raises(ValueError, match="one class"):
        head.fit(X, [0, 0, 0, 1, 1, 1], sample_weight=[1, 1, 1, 0, 0, 0])
    with pytest.raises(ValueError, match="Only binary"):
        head.fit(X, [0, 1, 2, 0, 1, 2])


@pytest.mark.parametrize("make", [KernelHead, LogisticHead, DenseHead])
def test_the_exported_heads_work_in_a_pipeline_and_a_search(make: type[Head]) -> None:
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    assert getattr(classify, make.__name__) is make
    X, y = two_blobs()
    X_new, y_new = two_blobs(seed=1)
    name, values = ("alpha", [0.5, 2.0]) if make is DenseHead else ("C", [0.5, 2.0])
    pipeline = make_pipeline(StandardScaler(), make())
    search = GridSearchCV(pipeline, {f"{make.__name__.lower()}__{name}": values}, cv=3)
    assert search.fit(X, y).score(X_new, y_new) > 0.9
    assert search.predict_proba(X_new).shape == (40, 2)
