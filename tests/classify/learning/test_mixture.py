"""How likely a song is liked, from decisions alone: the mixture that calibration is learnt from."""

import numpy as np
import pytest

from classify import ClassifyError
from classify.learning.mixture import fit_mixture
from classify.taste.vectors import FloatArray


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_the_mixture_finds_the_share_of_hidden_likes(share: float) -> None:
    rng = np.random.default_rng(3)
    n = 400
    n_hidden = round(share * n)
    unlabelled = np.concatenate([rng.normal(2, 1, n_hidden), rng.normal(-2, 1, n - n_hidden)])
    fitted = fit_mixture(rng.normal(2, 1, 7), unlabelled, np.zeros(0))
    assert abs(fitted(unlabelled).mean() - share) < 0.06
    assert fitted(np.array([-2.0]))[0] < 0.25 < 0.65 < fitted(np.array([2.0]))[0]


def test_dislikes_count_as_the_rest_for_certain() -> None:
    rng = np.random.default_rng(0)
    likes, unlabelled = rng.normal(1, 1, 7), rng.normal(0, 1, 60)
    without = fit_mixture(likes, unlabelled, np.zeros(0))
    against = fit_mixture(likes, unlabelled, np.full(40, 0.8))
    assert against(np.array([0.8]))[0] < without(np.array([0.8]))[0]


def test_decisions_that_say_nothing_claim_nothing() -> None:
    same = fit_mixture(np.ones(7), np.ones(30), np.zeros(0))
    backwards = fit_mixture(np.full(7, -1.0), np.linspace(0, 1, 30), np.zeros(0))
    for fitted in (same, backwards):
        assert fitted.a > 0
        assert np.abs(fitted(np.array([-1.0, 1.0])) - 0.5).max() < 0.1


@pytest.mark.parametrize("bad", [np.array([np.nan]), np.zeros(0)])
def test_what_cannot_be_calibrated_is_refused(
    bad: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> None:
    with pytest.raises(ClassifyError, match="finite decisions of both sides"):
        fit_mixture(bad, np.zeros(8), np.zeros(0))


def decisions(seed: int, n_hidden: int, n_rest: int) -> tuple[FloatArray, FloatArray]:
    """Return decisions of seven likes and of a library in which some likes hide."""
    rng = np.random.default_rng(seed)
    hidden, rest = rng.normal(1, 0.7, n_hidden), rng.normal(-0.5, 0.7, n_rest)
    return rng.normal(1, 0.7, 7), rng.permutation(np.concatenate([hidden, rest]))


def test_leaving_out_a_twentieth_of_the_library_moves_no_score_far() -> None:
    moves = []
    for seed in range(20):
        likes, library = decisions(seed, n_hidden=8, n_rest=112)
        everything = fit_mixture(likes, library, np.zeros(0))
        most = fit_mixture(likes, library[6:], np.zeros(0))
        moves.append(np.abs(everything(library) - most(library)).max())
    assert max(moves) < 0.1
    assert np.median(moves) < 0.04


@pytest.mark.parametrize("n", [1, 2, 7, 8, 30])
def test_one_song_more_in_a_small_library_turns_no_verdict(n: int) -> None:
    """With the eighth unlabelled song, 0.98 became 0.05."""
    for seed in range(10):
        likes, library = decisions(seed, n_hidden=1, n_rest=n)
        fewer = fit_mixture(likes, library[:n], np.zeros(0))
        more = fit_mixture(likes, library, np.zeros(0))
        points = np.linspace(-2, 2, 20)
        limit = 0.5 if n == 1 else 0.3  # the second song is the first that tells a spread
        assert np.abs(fewer(points) - more(points)).max() < limit


def test_a_few_songs_picked_by_hand_may_be_half_liked_and_a_library_is_not() -> None:
    likes = np.array([0.8, 1.0, 1.2])
    few, many = (
        fit_mixture(likes, np.array([-1.0, 1.0]), np.zeros(0)),
        fit_mixture(likes, np.concatenate([np.linspace(-2, 0, 199), [1.0]]), np.zeros(0)),
    )
    middle = np.array([0.0])
    assert few(middle)[0] > many(middle)[0]


def test_the_same_decisions_in_another_unit_give_the_same_probabilities() -> None:
    likes, library = decisions(0, n_hidden=10, n_rest=90)
    plain = fit_mixture(likes, library, np.zeros(0))
    scaled = fit_mixture(likes * 1000 + 5, library * 1000 + 5, np.zeros(0))
    np.testing.assert_allclose(plain(library), scaled(library * 1000 + 5), atol=1e-9)
