import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classify import Evaluation, LabelError, LabelledSongs, evaluate_taste
from classify.heads import HEADS
from classify.holdout import HeldOut, bootstrap_auc
from classify.metrics import average_precision, brier_score, precision_at, roc_auc

DIM = 60


def songs(n: int, shift: float, tag: str, groups: tuple[str, ...] | None = None) -> LabelledSongs:
    rng = np.random.default_rng([*tag.encode()])
    vectors = rng.normal(size=(n, DIM))
    vectors[:, :10] += shift
    digests = tuple(f"{tag}{i:031x}" for i in range(n))
    return LabelledSongs(digests=digests, vectors=vectors.astype(np.float32), groups=groups or digests)


@pytest.fixture(scope="module")
def likes_only() -> Evaluation:
    return evaluate_taste(likes=songs(7, 1.2, "a"), unlabelled=songs(60, 0, "b"))


def test_likes_only_evaluation_has_every_figure_and_says_it_is_a_lower_bound(
    likes_only: Evaluation,
) -> None:
    assert likes_only.auc > 0.85
    assert likes_only.auc_ci90[0] <= likes_only.auc <= likes_only.auc_ci90[1]
    assert likes_only.auc_ci90[0] < likes_only.auc_ci90[1]
    assert 0 < likes_only.average_precision <= 1
    assert 0 < likes_only.precision_at_10 <= 0.7
    assert likes_only.brier < 0.25
    assert likes_only.baselines["random"] == 0.5
    assert 0.7 < likes_only.baselines["cosine"] <= 1
    assert "tutorial" not in likes_only.baselines
    assert likes_only.auc_dislikes is None
    assert likes_only.n_groups == 7
    assert (likes_only.n_like, likes_only.n_dislike, likes_only.n_unlabelled) == (7, 0, 60)
    assert "lower bound" in likes_only.note


def test_learning_curve_goes_up_to_what_is_left_without_the_held_out(
    likes_only: Evaluation,
) -> None:
    assert [point.n_like for point in likes_only.learning_curve] == [2, 3, 5, 6]
    for point in likes_only.learning_curve:
        assert 0.6 < point.auc <= 1
        assert point.ci90[0] <= point.auc <= point.ci90[1]
    assert likes_only.learning_curve[-1].auc == pytest.approx(likes_only.auc)


def test_as_dict_is_json_named_as_in_the_contract(likes_only: Evaluation) -> None:
    document = json.loads(json.dumps(likes_only.as_dict(), allow_nan=False))
    contract = {
        *("auc", "auc_ci90", "average_precision", "precision_at_10", "brier", "baselines"),
        *("learning_curve", "n_groups"),
    }
    assert contract <= set(document)
    assert set(document["learning_curve"][0]) == {"n_like", "auc", "ci90"}


def test_evaluation_is_the_same_twice_and_in_any_order() -> None:
    likes, library = songs(5, 1, "a"), songs(30, 0, "b")
    order = np.random.default_rng(0).permutation(30)
    shuffled = LabelledSongs(
        digests=tuple(library.digests[i] for i in order),
        vectors=library.vectors[order],
        groups=tuple(library.groups[i] for i in order),
    )
    first = evaluate_taste(likes=likes, unlabelled=library)
    assert first == evaluate_taste(likes=likes, unlabelled=shuffled)


@pytest.mark.parametrize("head", HEADS)
def test_with_dislikes_the_tutorials_way_stands_beside(head: str) -> None:
    measured = evaluate_taste(
        likes=songs(5, 1.2, "a"),
        dislikes=songs(5, 0, "d"),
        unlabelled=songs(20, 0, "b"),
        head=head,
    )
    assert measured.head == head
    assert 0.4 < measured.baselines["tutorial"] <= 1
    assert measured.auc_dislikes is not None
    assert measured.auc > 0.75


def test_meaningless_labels_measure_near_chance() -> None:
    aucs = [evaluate_taste(likes=songs(8, 0, f"m{i}"), unlabelled=songs(60, 0, "b")).auc for i in range(6)]
    assert np.mean(aucs) == pytest.approx(0.5, abs=0.12)


def test_songs_of_one_artist_are_held_out_together() -> None:
    """What likes share only within an artist is no evidence for another artist's songs."""
    rng = np.random.default_rng(0)
    artists = np.repeat(np.arange(4), 3)
    centres = rng.normal(size=(4, DIM)) * 3
    vectors = (centres[artists] + 0.1 * rng.normal(size=(12, DIM))).astype(np.float32)
    digests = tuple(f"a{i:031x}" for i in range(12))
    others = songs(60, 0, "b")
    wide = LabelledSongs(digests=others.digests, vectors=others.vectors * 3, groups=others.groups)

    def auc(groups: tuple[str, ...]) -> Evaluation:
        likes = LabelledSongs(digests=digests, vectors=vectors, groups=groups)
        return evaluate_taste(likes=likes, unlabelled=wide)

    by_song, by_artist = auc(digests), auc(tuple(f"artist {i}" for i in artists))
    assert by_song.auc > 0.99
    assert by_artist.auc < 0.8
    assert (by_song.n_groups, by_artist.n_groups) == (12, 4)
    one = auc(("artist",) * 12)
    assert one.n_groups == 12
    assert "one artist or album" in one.note


def test_too_few_songs_to_hold_out_are_refused() -> None:
    with pytest.raises(LabelError, match="2 likes and 1 other songs are too few"):
        evaluate_taste(likes=songs(2, 1, "a"), unlabelled=songs(1, 0, "b"))
    small = evaluate_taste(likes=songs(2, 2, "a"), unlabelled=songs(2, 0, "b"))
    assert small.learning_curve == ()


# --- the interval ----------------------------------------------------------------------------


def held_out(wins: Any, groups: Any = None) -> HeldOut:
    wins = np.asarray(wins, dtype=np.float64)
    n_like, n_other = wins.shape
    zeros = np.zeros(n_like + n_other, dtype=np.int64)
    return HeldOut(
        wins=wins,
        like_decisions=np.zeros(n_like),
        other_decisions=np.zeros(n_other),
        like_folds=zeros[:n_like],
        other_folds=zeros[:n_other],
        like_groups=np.arange(n_like) if groups is None else np.asarray(groups),
        other_groups=np.arange(n_other),
        labels=zeros,
        by_song=False,
    )


def test_interval_of_a_perfect_score_is_not_a_point_and_narrows_with_more_likes() -> None:
    lows = [bootstrap_auc(held_out(np.ones((n, 50))))[0] for n in (2, 7, 30, 100)]
    assert lows == sorted(lows)
    assert lows[0] < 0.8
    assert lows[-1] > 0.97
    assert bootstrap_auc(held_out(np.ones((7, 50))))[1] == 1


def test_interval_is_wider_where_likes_come_in_groups() -> None:
    rng = np.random.default_rng(0)
    wins = np.repeat(rng.random(5), 4)[:, None] > rng.random((20, 40))
    alone = bootstrap_auc(held_out(wins))
    grouped = bootstrap_auc(held_out(wins, np.repeat(np.arange(5), 4)))
    assert grouped[1] - grouped[0] > alone[1] - alone[0]


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Ten likes, sixty others, true AUC 0.8: 90% intervals of 200 samples."""
    rng = np.random.default_rng(0)
    shift = 0.8416 * np.sqrt(2)
    covered = 0
    for seed in range(200):
        wins = (rng.normal(size=(10, 1)) + shift) > rng.normal(size=60)
        low, high = bootstrap_auc(held_out(wins), seed=seed, n_draws=400)
        covered += low <= 0.8 <= high
    assert 0.82 < covered / 200 < 0.99


def test_pairs_that_no_head_judged_do_not_count() -> None:
    wins = np.ones((4, 10))
    wins[0] = np.nan
    assert held_out(wins).auc == 1
    assert 0 < bootstrap_auc(held_out(wins))[0] < 1


# --- metrics ---------------------------------------------------------------------------------

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
    balanced = np.where(is_like, 1 / is_like.sum(), 1 / (~is_like).sum())
    assert brier_score(is_like, scores) == pytest.approx(
        metrics.brier_score_loss(is_like, scores, sample_weight=balanced)
    )


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
