"""Calibration in a library that hides likes.

The share is found, and the scores mean what they say.
"""

from __future__ import annotations

import numpy as np

from classify import LabelledSongs, fit_taste
from classify.learning.examples import prepare_examples
from classify.learning.fit import make_head
from classify.learning.hidden_likes import send_spies


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


def test_scores_are_probabilities_in_a_library_of_which_a_third_is_liked() -> None:
    gaps = []
    for seed in range(12):
        likes, library, n_hidden = blobs(seed, n_hidden=40, n_rest=80, gap=12.0)
        taste = fit_taste(likes=likes, unlabelled=library, encoder="e", fingerprint="0" * 16)
        scores = taste.score(library.vectors)
        gaps.append(scores.mean() - n_hidden / 120)
        assert scores[:n_hidden].mean() > scores[n_hidden:].mean() + 0.2
    assert abs(np.mean(gaps)) < 0.1


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
