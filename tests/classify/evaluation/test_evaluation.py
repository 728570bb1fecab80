import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from classify import (
    Evaluation,
    LabelError,
    LabelledSongs,
    SongTransform,
    VectorError,
    evaluate_taste,
)
from classify.evaluation import held_scores
from classify.evaluation.chance_sentence import chance_sentence
from classify.evaluation.learning_curve import extrapolate
from classify.evaluation.permutation import permutation_test
from classify.evaluation.sentences import evaluation_story
from classify.learning.examples import Examples, prepare_examples
from classify.learning.fit import head_ranker, make_head, one_thread
from classify.learning.held_out import HeldOut, IntArray, bootstrap_auc, cross_fit
from classify.learning.sklearn_heads import HEADS
from classify.taste.song_space import SongSpace
from classify.taste.vectors import FloatArray

DIM = 60


def songs(n: int, shift: float, tag: str, groups: tuple[str, ...] | None = None) -> LabelledSongs:
    rng = np.random.default_rng([*tag.encode()])
    vectors = rng.normal(size=(n, DIM))
    vectors[:, :10] += shift
    digests = tuple(f"{tag}{i:031x}" for i in range(n))
    return LabelledSongs(
        digests=digests, vectors=vectors.astype(np.float32), groups=groups or digests
    )


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
    assert 0.7 < likes_only.baselines["nearest"] <= 1
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
        *("learning_curve", "n_groups", "p_value", "n_permutations", "can_tell", "verdict"),
        *("score_like", "score_other", "comparisons", "curve_rises", "promise"),
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


@pytest.mark.parametrize(
    "head", [pytest.param(one, marks=[pytest.mark.long] if one == "dense" else []) for one in HEADS]
)
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
    aucs = []
    for i in range(6):
        examples = prepare_examples(likes=songs(8, 0, f"m{i}"), unlabelled=songs(60, 0, "b"))
        ranker = head_ranker(
            make_head("logistic", 0), examples.vectors.astype(np.float64), examples.labels
        )
        held_out_songs = cross_fit(examples, ranker, max_like_folds=50)
        assert held_out_songs is not None
        aucs.append(held_out_songs.auc)
    assert np.mean(aucs) == pytest.approx(0.5, abs=0.12)


def test_songs_of_one_artist_are_held_out_together() -> None:
    """What likes share only within an artist is no evidence for another artist's songs."""
    rng = np.random.default_rng(0)
    artists = np.repeat(np.arange(4), 3)
    centres = rng.normal(size=(4, DIM)) * 3
    vectors = (centres[artists] + 1.7 * rng.normal(size=(12, DIM))).astype(np.float32)
    digests = tuple(f"a{i:031x}" for i in range(12))
    others = songs(60, 0, "b")
    wide = LabelledSongs(digests=others.digests, vectors=others.vectors * 3, groups=others.groups)

    def auc(groups: tuple[str, ...]) -> Evaluation:
        likes = LabelledSongs(digests=digests, vectors=vectors, groups=groups)
        return evaluate_taste(likes=likes, unlabelled=wide)

    by_song, by_artist = auc(digests), auc(tuple(f"artist {i}" for i in artists))
    assert by_song.auc > 0.95
    assert by_artist.auc < 0.8
    assert (by_song.n_groups, by_artist.n_groups) == (12, 4)
    one = auc(("artist",) * 12)
    assert one.n_groups == 12
    assert "one artist or album" in one.note


def test_too_few_songs_to_hold_out_are_refused() -> None:
    with pytest.raises(LabelError, match="2 likes and 1 other song are too few"):
        evaluate_taste(likes=songs(2, 1, "a"), unlabelled=songs(1, 0, "b"))
    small = evaluate_taste(likes=songs(2, 2, "a"), unlabelled=songs(2, 0, "b"))
    assert small.learning_curve == ()


# --- beside simpler ways, and beside chance --------------------------------------------------


def test_every_simpler_way_comes_with_what_the_head_gains_on_the_same_pairs(
    likes_only: Evaluation,
) -> None:
    assert (
        set(likes_only.comparisons) == set(likes_only.baselines) == {"random", "cosine", "nearest"}
    )
    for name, beside in likes_only.comparisons.items():
        assert beside.auc == likes_only.baselines[name]
        assert beside.gain == pytest.approx(likes_only.auc - beside.auc)
        assert beside.gain_ci90[0] <= beside.gain <= beside.gain_ci90[1]
    chance = likes_only.comparisons["random"]
    assert chance.gain_ci90[0] == pytest.approx(likes_only.auc_ci90[0] - 0.5)
    cosine = likes_only.comparisons["cosine"]
    assert np.ptp(cosine.gain_ci90) < np.ptp(chance.gain_ci90), "paired: both know the same songs"


def test_a_taste_that_cosines_can_not_find_is_found_by_the_head() -> None:
    """The likes differ in one direction that is drowned by a larger one that means nothing."""
    likes, others = songs(10, 0, "a"), songs(80, 0, "b")
    for part, shift in ((likes, 1.9), (others, 0.0)):
        part.vectors[:, :10] += shift
        part.vectors[:, 20:] = 2 * part.vectors[:, 20:21] + 0.1 * part.vectors[:, 20:]
    measured = evaluate_taste(likes=likes, unlabelled=others)
    assert measured.comparisons["cosine"].gain > 0.03
    assert "  beats random (chance) by 0." in evaluation_story(measured)


def test_p_is_as_small_as_it_gets_for_a_plain_taste(likes_only: Evaluation) -> None:
    assert likes_only.n_permutations == 99
    assert likes_only.p_value is not None
    assert 1 / 100 <= likes_only.p_value <= 3 / 100
    assert likes_only.can_tell


def permuted(likes: LabelledSongs, others: LabelledSongs, n_permutations: int = 39) -> float:
    examples = prepare_examples(likes=likes, unlabelled=others)
    with one_thread():
        found = permutation_test(
            examples,
            examples.vectors.astype(np.float64),
            make_head("logistic", 0),
            n_permutations=n_permutations,
        )
    assert found is not None
    return found.p


def test_p_of_meaningless_likes_is_spread_evenly() -> None:
    ps = [permuted(songs(7, 0, f"m{i}"), songs(40, 0, f"n{i}"), 19) for i in range(16)]
    assert min(ps) >= 1 / 20
    assert 0.3 < np.mean(ps) < 0.7
    assert np.mean(np.array(ps) <= 0.1) <= 0.3


def test_p_counts_artists_not_songs() -> None:
    """Three artists who have nothing in common are no taste, however many songs each has."""
    rng = np.random.default_rng(0)
    artists = np.repeat(np.arange(20), 4)
    vectors = (rng.normal(size=(20, DIM))[artists] * 3 + 0.1 * rng.normal(size=(80, DIM))).astype(
        np.float32
    )

    def p(groups: tuple[str, ...]) -> float:
        likes, others = (
            LabelledSongs(
                digests=tuple(f"{i:032x}" for i in rows),
                vectors=vectors[rows],
                groups=groups[rows[0] : rows[-1] + 1],
            )
            for rows in (range(12), range(12, 80))
        )
        return permuted(likes, others)

    assert p(tuple(f"song {i}" for i in range(80))) == pytest.approx(1 / 40)
    assert p(tuple(f"artist {i}" for i in artists)) > 0.1


def test_likes_that_tell_nothing_are_called_so_with_what_to_do() -> None:
    measured = evaluate_taste(likes=songs(7, 0, "m"), unlabelled=songs(60, 0, "b"))
    assert not measured.can_tell
    assert measured.verdict == (
        "Seven likes, held against 60 songs that have no label, do not tell this from chance: "
        "whichever of those you would like counts against it. Like some more songs, and train "
        "again."
    )
    story = evaluation_story(measured)
    assert "too few" not in story, "the demo's likes are as many, and 20 of 21 of its songs right"
    assert "counts against" not in chance_sentence(False, 7, 7, n_unlabelled=0)
    assert measured.verdict in story
    assert "change little" not in story, "nobody knows yet what more likes would bring"
    assert "Like songs of other artists" in chance_sentence(False, 7, 2)
    assert "two tastes or more" in chance_sentence(False, 40, 40)


# --- a leak is counted once ------------------------------------------------------------------


def twice(part: LabelledSongs, tag: str) -> LabelledSongs:
    """The same vectors again under other digests, as two encodings of one recording would be."""
    again = tuple(f"{tag}{i:031x}" for i in range(len(part)))
    return LabelledSongs(
        digests=part.digests + again,
        vectors=np.concatenate([part.vectors, part.vectors]),
        groups=part.groups + again,
    )


def test_the_same_song_twice_among_the_likes_counts_once() -> None:
    likes, others = songs(6, 0, "m"), songs(60, 0, "b")
    alone = evaluate_taste(likes=likes, unlabelled=others)
    doubled = evaluate_taste(likes=twice(likes, "e"), unlabelled=others)
    assert (doubled.n_like, doubled.n_groups) == (6, 6)
    assert doubled.auc == pytest.approx(alone.auc, abs=0.02), "its twin would give each like away"


def test_frames_of_one_song_on_both_sides_give_nothing_away() -> None:
    """Each like is in the library too, pooled from other frames.

    The copy must not serve against its twin.
    """
    likes, others = songs(7, 1.2, "a"), songs(60, 0, "b")
    noise = np.random.default_rng(0).normal(size=likes.vectors.shape) * 1e-3
    twins = tuple(f"f{i:031x}" for i in range(7))
    library = LabelledSongs(
        digests=others.digests + twins,
        vectors=np.concatenate([others.vectors, likes.vectors + noise]).astype(np.float32),
        groups=others.groups + twins,
    )
    measured = evaluate_taste(likes=likes, unlabelled=library)
    assert measured.n_unlabelled == 60
    assert measured.auc == pytest.approx(
        evaluate_taste(likes=likes, unlabelled=others).auc, abs=0.02
    )


# --- what more likes would bring -------------------------------------------------------------


def test_extrapolation_follows_the_law_it_states() -> None:
    n_likes = np.array([2, 3, 5, 6])
    aucs = 1 - 0.4 * n_likes**-0.7
    rises, promise = extrapolate(n_likes, aucs, np.tile(aucs[:, None], 50), n_like=7)
    assert rises
    assert promise is not None
    assert promise.n_more == 7
    assert promise.auc == pytest.approx(1 - 0.4 * 14**-0.7)
    assert promise.ci90 == pytest.approx((promise.auc, promise.auc))


def test_nothing_is_promised_where_the_curve_may_as_well_be_flat() -> None:
    n_likes = np.array([2, 3, 5, 6])
    aucs = np.array([0.70, 0.72, 0.71, 0.73])
    noise = np.random.default_rng(0).normal(size=(4, 500)) * 0.05
    assert extrapolate(n_likes, aucs, aucs[:, None] + noise, n_like=7) == (False, None)
    falling = aucs[::-1]
    assert extrapolate(n_likes, falling, np.tile(falling[:, None], 9), n_like=7) == (False, None)
    high = 1 - 0.01 * n_likes**-0.5  # it rises, but three times the likes are worth 0.002
    assert extrapolate(n_likes, high, np.tile(high[:, None], 9), n_like=7) == (True, None)


def test_more_likes_are_promised_to_help_where_they_do() -> None:
    """Gaussian classes, a weak sign spread over many dimensions.

    Twice the likes keep the promise.
    """

    def drawn(n_like: int) -> Evaluation:
        rng = np.random.default_rng(5)
        vectors = rng.normal(size=(n_like + 100, 200))
        vectors[100:] += 0.25
        digests = tuple(f"{i:032x}" for i in range(len(vectors)))
        others, likes = (
            LabelledSongs(
                digests=digests[part],
                vectors=vectors[part].astype(np.float32),
                groups=digests[part],
            )
            for part in (slice(100), slice(100, None))
        )
        return evaluate_taste(likes=likes, unlabelled=others)

    few, more = drawn(12), drawn(24)
    assert few.curve_rises
    assert few.promise is not None
    assert few.promise.n_more == 12
    assert few.promise.auc == pytest.approx(more.auc, abs=0.06)
    assert few.promise.auc > few.auc
    assert "About 12 more likes would bring you to" in evaluation_story(few)


def test_nothing_more_is_promised_to_who_has_it_all() -> None:
    perfect = evaluate_taste(likes=songs(7, 6, "a"), unlabelled=songs(60, 0, "b"))
    assert perfect.auc > 0.99
    assert perfect.promise is None
    assert "More likes of the same kind would change little" in evaluation_story(perfect)


# --- what the taste's own scores are worth ---------------------------------------------------


def test_the_tastes_own_scores_are_judged_on_songs_it_has_not_seen(likes_only: Evaluation) -> None:
    assert likes_only.score_like > likes_only.score_other + 0.2
    assert likes_only.score_other < 0.4
    nothing = evaluate_taste(likes=songs(7, 0, "m"), unlabelled=songs(60, 0, "b"))
    assert abs(nothing.score_like - nothing.score_other) < 0.2
    two = evaluate_taste(likes=songs(2, 2, "a"), unlabelled=songs(20, 0, "b"))
    assert (two.brier, two.score_like, two.score_other) == (0.25, 0.5, 0.5), "no claim, no skill"


def test_the_tastes_own_space_is_used_where_it_is_given(likes_only: Evaluation) -> None:
    likes, library = songs(7, 1.2, "a"), songs(60, 0, "b")
    own = SongSpace.fit(prepare_examples(likes=likes, unlabelled=library).vectors)
    assert evaluate_taste(likes=likes, unlabelled=library, space=own) == likes_only
    standard = own.standard
    blind = replace(
        own,
        standard=SongTransform(
            mean=standard.mean,
            scale=np.where(np.arange(DIM) < 10, 1e6, standard.scale).astype(np.float32),
        ),
    )
    assert evaluate_taste(likes=likes, unlabelled=library, space=blind).auc < likes_only.auc - 0.1
    short = SongSpace.fit(songs(20, 0, "b").vectors[:, :50])
    with pytest.raises(VectorError, match="60 numbers"):
        evaluate_taste(likes=likes, unlabelled=library, space=short)


def test_the_story_is_short_and_has_it_all(likes_only: Evaluation) -> None:
    story = evaluation_story(likes_only)
    assert len(story.splitlines()) <= 20
    for words in (
        "of pairs",
        "90% interval",
        f"p = {likes_only.p_value:.3f}",
        "better than chance",
        "beats random (chance) by 0.",
        "Brier",
    ):
        assert words in story
    assert "-0.00" not in story


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
        rows=np.arange(n_like + n_other),
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


def test_every_like_is_scored_without_itself_even_beside_two_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two dislikes make two folds; likes of a third, fourth and fifth must not drop out."""
    held: list[str] = []

    def watched(examples: Examples, rows: IntArray, out: IntArray, *rest: Any) -> FloatArray:
        held.extend(examples.digests[i] for i in out)
        assert not {examples.digests[i] for i in rows} & {examples.digests[i] for i in out}
        return scores(examples, rows, out, *rest)

    scores = held_scores._scores
    monkeypatch.setattr(held_scores, "_scores", watched)
    likes, dislikes = songs(7, 1.2, "a"), songs(2, 0, "d")
    held_scores.score_held_out(prepare_examples(likes=likes, dislikes=dislikes), head="kernel")
    assert set(held) == {*likes.digests, *dislikes.digests}
