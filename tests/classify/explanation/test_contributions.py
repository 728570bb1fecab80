"""What each number and each window adds to a decision: it all adds up."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from classify.explanation.contributions import (
    Reference,
    decide_with_slopes,
    points_a_decision,
    share_windows,
    shares_of,
    signed_roots64,
)
from classify.learning.examples import LabelledSongs
from classify.learning.fit import fit_taste
from classify.taste.sketch import sketch
from classify.taste.taste import Taste

DIM = 12  # of a song vector of one encoder


def _songs(rng: np.random.Generator, n: int, width: int, centre: float) -> NDArray[np.float32]:
    """Song vectors: means of either sign, deviations above 0."""
    means = rng.normal(0, 1, (n, width))
    means[:, :2] += centre
    deviations = rng.gamma(2, 0.3, (n, width))
    return np.concatenate([means, deviations], axis=1).astype(np.float32)


def _labelled(vectors: NDArray[np.float32], name: str) -> LabelledSongs:
    digests = tuple(f"{name}{i}" for i in range(len(vectors)))
    return LabelledSongs(digests=digests, vectors=vectors, groups=digests)


def _taste(
    head: str, n_encoders: int = 1
) -> tuple[Taste, NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(3)
    likes, others = (
        np.concatenate([_songs(rng, n, DIM // 2, centre) for _ in range(n_encoders)], axis=1)
        for n, centre in ((8, 1.5), (60, -0.3))
    )
    taste = fit_taste(
        likes=_labelled(likes, "a"),
        unlabelled=_labelled(others, "b"),
        encoder="e",
        fingerprint="0" * 16,
        blocks=(DIM,) * n_encoders,
        head=head,
    )
    return taste, likes, others


@pytest.mark.parametrize(
    ("head", "n_encoders"),
    [
        ("kernel", 1),
        ("logistic", 1),
        pytest.param("dense", 1, marks=pytest.mark.long),
        ("kernel", 2),
    ],
)
def test_what_the_numbers_of_a_song_add_adds_up_to_the_decision(head: str, n_encoders: int) -> None:
    taste, likes, others = _taste(head, n_encoders)
    reference = Reference.between(taste, likes[1:], others[10:])
    for vector in (likes[0], others[0], others[1]):
        found = shares_of(taste, vector, reference)
        assert found.decision == taste.decisions(vector[np.newaxis])[0]
        total = found.shares.sum() + found.unfamiliar
        assert total == pytest.approx(found.decision - reference.decision, abs=1e-9)
        rate = points_a_decision(taste, reference.decision, found.decision)
        scores = taste.calibration(np.array([reference.decision, found.decision]))
        assert total * rate == pytest.approx(scores[1] - scores[0], abs=1e-9)


@pytest.mark.parametrize(("head", "n_encoders"), [("kernel", 1), ("logistic", 1), ("kernel", 2)])
def test_slopes_are_those_of_the_taste_itself(head: str, n_encoders: int) -> None:
    taste, _, others = _taste(head, n_encoders)
    roots = signed_roots64(others[:5])
    decisions, slopes = decide_with_slopes(taste, roots)
    assert decisions == pytest.approx(taste.decisions(others[:5]), abs=1e-5)
    step = 1e-5
    for column in range(roots.shape[1]):
        moved = roots.copy()
        moved[:, column] += step
        ahead = decide_with_slopes(taste, moved)[0]
        moved[:, column] -= 2 * step
        behind = decide_with_slopes(taste, moved)[0]
        assert slopes[:, column] == pytest.approx((ahead - behind) / (2 * step), abs=1e-6, rel=1e-4)


def test_a_song_is_compared_with_songs_on_the_threshold() -> None:
    taste, likes, others = _taste("kernel")
    reference = Reference.between(taste, likes, others)
    assert taste.calibration(np.array([reference.decision]))[0] == pytest.approx(
        taste.threshold, abs=1e-6
    )
    assert reference.weights.sum() == pytest.approx(1)
    assert (reference.weights >= 0).all()
    nothing = np.zeros((0, taste.dim), np.float32)
    alone = Reference.between(taste, nothing, others)
    assert alone.decision == pytest.approx(
        decide_with_slopes(taste, signed_roots64(others))[0].mean()
    )
    assert Reference.between(taste, likes, nothing).weights == pytest.approx(1 / len(likes))


def test_a_song_unlike_anything_known_is_held_down_by_a_term_of_its_own() -> None:
    taste, likes, others = _taste("kernel")
    reference = Reference.between(taste, likes, others)
    assert shares_of(taste, likes[0], reference).unfamiliar == 0
    # In the direction of a like, for which a head has an ear alone, and far outside of all that
    # there is.
    usual = taste.space.standard.mean.astype(np.float64)
    root = usual + 50 * (signed_roots64(likes[0]) - usual)
    strange = (np.sign(root) * root**2).astype(np.float32)
    found = shares_of(taste, strange, reference)
    raw = decide_with_slopes(taste, signed_roots64(strange[np.newaxis]))[0][0]
    sketched = sketch(taste.space.standardise(strange[np.newaxis]))
    assert taste.familiarity.is_far_sketch(sketched, taste.dim)[0]
    assert raw > found.decision
    assert found.unfamiliar == pytest.approx(found.decision - raw)
    assert found.shares.sum() + found.unfamiliar == pytest.approx(
        found.decision - reference.decision
    )


def test_windows_share_what_the_mean_adds_and_the_better_ones_get_more() -> None:
    taste, likes, others = _taste("logistic")
    reference = Reference.between(taste, likes, others)
    rng = np.random.default_rng(1)
    frames = np.repeat([likes[0][: DIM // 2], others[0][: DIM // 2]], 10, axis=0)
    frames = (frames + 0.1 * rng.normal(size=frames.shape)).astype(np.float16)
    values = frames.astype(np.float64)
    vector = np.concatenate([values.mean(axis=0), values.std(axis=0)]).astype(np.float32)
    found = shares_of(taste, vector, reference)
    means = slice(0, DIM // 2)
    points = share_windows(frames, np.ones(20), found, means)
    assert points.sum() == pytest.approx(found.shares[means].sum())
    assert points[:10].mean() > points[10:].mean()
    halved = share_windows(frames, np.array([1.0] * 19 + [0.5]), found, means)
    assert halved.sum() == pytest.approx(found.shares[means].sum())
    assert abs(halved[-1]) < abs(points[-1])


def test_what_is_zero_throughout_adds_nothing_and_is_no_error() -> None:
    taste, likes, others = _taste("kernel")
    reference = Reference.between(taste, likes, others)
    silent = np.zeros(taste.dim, np.float32)
    found = shares_of(taste, silent, reference)
    points = share_windows(
        np.zeros((4, DIM // 2), np.float16), np.ones(4), found, slice(0, DIM // 2)
    )
    assert np.isfinite(points).all()
    assert points == pytest.approx(points[0])


def test_scores_that_hardly_differ_have_a_rate_all_the_same() -> None:
    taste, _, _ = _taste("kernel")
    line = taste.calibration.inverse(taste.threshold)
    near = points_a_decision(taste, line, line)
    step = 0.01 / taste.calibration.a
    assert near == pytest.approx(points_a_decision(taste, line - step, line + step), rel=1e-3)
