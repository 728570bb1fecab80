"""Calibration in a library that hides likes.

The share is found, and the scores mean what they say.
"""

from __future__ import annotations

import numpy as np
import pytest

from classify import Calibration, ClassifyError, LabelledSongs, fit_taste
from classify.learning.examples import prepare_examples
from classify.learning.fit import make_head
from classify.learning.hidden_likes import send_spies
from classify.taste.calibration import MIN_MIXTURE


def songs(vectors: np.ndarray[tuple[int, int], np.dtype[np.float32]], first: int) -> LabelledSongs:
    names = tuple(f"{first + i:032x}" for i in range(len(vectors)))
    return LabelledSongs(digests=names, vectors=vectors, groups=names)


def blobs(
    seed: int, n_hidden: int, n_rest: int, gap: float = 3.0
) -> tuple[LabelledSongs, LabelledSongs, int]:
    """Seven likes and their library, 60 numbers a song.

    The library has `n_hidden` further likes and `n_rest` others.
    """
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=60) / np.sqrt(60)
    likes = rng.normal(size=(7 + n_hidden, 60)) + gap * direction
    library = np.concatenate([likes[7:], rng.normal(size=(n_rest, 60))])
    return songs(likes[:7].astype(np.float32), 0), songs(library.astype(np.float32), 100), n_hidden


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_the_mixture_finds_the_share_of_hidden_likes(share: float) -> None:
    rng = np.random.default_rng(3)
    n = 400
    n_hidden = round(share * n)
    unlabelled = np.concatenate([rng.normal(2, 1, n_hidden), rng.normal(-2, 1, n - n_hidden)])
    fitted = Calibration.fit_mixture(rng.normal(2, 1, 7), unlabelled, np.zeros(0))
    assert abs(fitted(unlabelled).mean() - share) < 0.06
    assert fitted(np.array([-2.0]))[0] < 0.1 < 0.8 < fitted(np.array([2.0]))[0]


def test_scores_are_probabilities_in_a_library_of_which_a_third_is_liked() -> None:
    gaps = []
    for seed in range(12):
        likes, library, n_hidden = blobs(seed, n_hidden=40, n_rest=80, gap=12.0)
        taste = fit_taste(likes=likes, unlabelled=library, encoder="e", fingerprint="0" * 16)
        scores = taste.score(library.vectors)
        gaps.append(scores.mean() - n_hidden / 120)
        assert scores[:n_hidden].mean() > scores[n_hidden:].mean() + 0.2
    assert abs(np.mean(gaps)) < 0.1


def test_dislikes_count_as_the_rest_for_certain() -> None:
    rng = np.random.default_rng(0)
    likes, unlabelled = rng.normal(1, 1, 7), rng.normal(0, 1, 60)
    without = Calibration.fit_mixture(likes, unlabelled, np.zeros(0))
    against = Calibration.fit_mixture(likes, unlabelled, np.full(40, 0.8))
    assert against(np.array([0.8]))[0] < without(np.array([0.8]))[0]


def test_spies_score_lower_than_likes_that_are_only_left_out() -> None:
    likes, library, _ = blobs(1, n_hidden=0, n_rest=30)
    examples = prepare_examples(likes=likes, unlabelled=library)
    rows, head = examples.vectors.astype(np.float64), make_head("logistic", 0)
    spies = send_spies(examples, rows, head)
    assert spies is not None
    assert len(spies.likes) == 7
    assert len(spies.unlabelled) == 30
    weights = np.concatenate([np.ones(6), np.full(30, 0.2)])
    left_out = [
        head.fit(np.delete(rows, i, 0), np.delete(examples.is_like, i), weights).decision_function(
            rows[i : i + 1]
        )[0]
        for i in range(7)
    ]
    assert (spies.likes < left_out).all(), "a spy was learnt from as a weak negative"


def test_decisions_that_say_nothing_claim_nothing() -> None:
    same = Calibration.fit_mixture(np.ones(7), np.ones(30), np.zeros(0))
    backwards = Calibration.fit_mixture(np.full(7, -1.0), np.linspace(0, 1, 30), np.zeros(0))
    for fitted in (same, backwards):
        assert fitted.a > 0
        assert np.abs(fitted(np.array([-1.0, 1.0])) - 0.5).max() < 0.1


@pytest.mark.parametrize("bad", [np.array([np.nan]), np.zeros(0)])
def test_what_cannot_be_calibrated_is_refused(
    bad: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    with pytest.raises(ClassifyError, match="finite decisions of both sides"):
        Calibration.fit_mixture(bad, np.zeros(MIN_MIXTURE), np.zeros(0))
