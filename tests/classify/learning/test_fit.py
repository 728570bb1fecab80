import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from classify import (
    Calibration,
    LabelError,
    LabelledSongs,
    SongSpace,
    Taste,
    VectorError,
    fit_taste,
    sample_unlabelled,
)
from classify.learning.examples import example_weights, prepare_examples
from classify.learning.fit import make_head
from classify.learning.metrics import roc_auc
from classify.learning.sklearn_heads import HEADS
from classify.taste.sketch import sketch

DIM = 200


def songs(
    n: int, *, liked: bool, tag: str, seed: int = 0, dim: int = DIM, group: str | None = None
) -> LabelledSongs:
    """Make blobs: a liked song lies one standard deviation off in a tenth of the features."""
    rng = np.random.default_rng([seed, *tag.encode()])
    vectors = rng.normal(size=(n, dim))
    vectors[:, : dim // 10] += 1.0 * liked
    digests = tuple(f"{tag}{i:0{32 - len(tag)}x}" for i in range(n))
    return LabelledSongs(
        digests=digests,
        vectors=(vectors * np.linspace(0.01, 100, dim) + 5).astype(np.float32),
        groups=(group,) * n if group else digests,
    )


def reorder(part: LabelledSongs, order: Any) -> LabelledSongs:
    return LabelledSongs(
        digests=tuple(part.digests[i] for i in order),
        vectors=part.vectors[order],
        groups=tuple(part.groups[i] for i in order),
    )


def join(*parts: LabelledSongs) -> LabelledSongs:
    return LabelledSongs(
        digests=sum((part.digests for part in parts), ()),
        vectors=np.concatenate([part.vectors for part in parts]),
        groups=sum((part.groups for part in parts), ()),
    )


def fit(**changes: Any) -> Taste:
    settings: dict[str, Any] = {
        "likes": songs(7, liked=True, tag="a"),
        "unlabelled": songs(60, liked=False, tag="b"),
        "encoder": "musicnn",
        "fingerprint": "f",
        "created_at": "2025-01-01",
    }
    return fit_taste(**{**settings, **changes})


def same_bits(a: Taste, b: Taste) -> bool:
    def arrays(taste: Taste) -> list[bytes]:
        space = taste.space
        own: list[NDArray[Any]] = [
            space.standard.mean,
            space.standard.scale,
            space.basis,
            space.offset,
        ]
        own.append(taste.familiarity.known)
        return [x.tobytes() for x in [*own, *(x for layer in taste.layers for x in layer)]]

    return arrays(a) == arrays(b) and (
        (a.calibration, a.unsure, a.auc, a.auc_ci90, a.likes, a.dislikes, a.unlabelled)
        == (b.calibration, b.unsure, b.auc, b.auc_ci90, b.likes, b.dislikes, b.unlabelled)
    )


def unseen_auc(taste: Taste) -> float:
    likes, others = songs(50, liked=True, tag="c"), songs(100, liked=False, tag="d")
    scores = taste.score(np.concatenate([likes.vectors, others.vectors]))
    return roc_auc(np.arange(150) < 50, scores)


# --- it learns -------------------------------------------------------------------------------


@pytest.mark.parametrize("head", HEADS)
def test_seven_likes_alone_rank_unseen_songs_far_above_chance(head: str) -> None:
    taste = fit(head=head)
    assert unseen_auc(taste) > 0.87
    assert taste.auc is not None
    assert taste.auc > 0.8
    assert taste.auc_ci90 is not None
    assert taste.auc_ci90[0] <= taste.auc <= taste.auc_ci90[1]
    assert (taste.head, taste.n_like, taste.n_dislike, taste.n_unlabelled) == (head, 7, 0, 60)
    assert "lower bound" in taste.note


def test_dislikes_alone_are_enough_too() -> None:
    taste = fit(dislikes=songs(7, liked=False, tag="d1"), unlabelled=None)
    assert unseen_auc(taste) > 0.75
    assert (taste.n_dislike, taste.n_unlabelled) == (7, 0)
    assert taste.note == ""


def test_library_scaler_beats_the_labelled_songs_own() -> None:
    dislikes = songs(7, liked=False, tag="d1")
    alone = unseen_auc(fit(dislikes=dislikes, unlabelled=None))
    with_library = unseen_auc(fit(dislikes=dislikes))
    assert with_library > alone


def test_likes_that_hide_in_the_library_and_wrong_labels_do_little_harm() -> None:
    hidden = songs(12, liked=True, tag="e")
    library = join(songs(60, liked=False, tag="b"), hidden)
    assert unseen_auc(fit(unlabelled=library)) > 0.85
    wrong = join(songs(7, liked=True, tag="a"), songs(1, liked=False, tag="f"))
    assert unseen_auc(fit(likes=wrong)) > 0.85


def test_labels_without_meaning_give_an_auc_near_chance_and_unsure_verdicts() -> None:
    aucs, unsure = [], []
    for seed in range(8):
        taste = fit(likes=songs(7, liked=False, tag="a", seed=seed), seed=seed)
        assert taste.auc is not None
        aucs.append(taste.auc)
        new = taste.score(songs(100, liked=False, tag="z", seed=seed).vectors)
        unsure.append(taste.verdicts(new).count("unsure"))
    assert 0.3 < np.mean(aucs) < 0.7
    assert np.mean(unsure) > 60


def test_calibration_does_not_come_from_songs_the_head_has_seen() -> None:
    library = songs(60, liked=False, tag="b")
    steepness = []
    for seed in range(9):
        likes = songs(7, liked=False, tag="a", seed=seed)  # no meaning
        taste = fit(likes=likes, unlabelled=library)
        decisions = taste.decisions(np.concatenate([likes.vectors, library.vectors]))
        own = Calibration.fit(decisions, np.arange(67) < 7, np.ones(67))
        steepness.append(taste.calibration.a / own.a)
    # On its own songs the head is sure of everything, and so would be a calibration by them.
    assert np.median(steepness) < 0.5


def test_an_explicit_dislike_counts_far_above_an_unlabelled_song() -> None:
    weights = example_weights(np.array([1] * 7 + [-1] * 3 + [0] * 50))
    assert (weights[:7] == 1).all()
    assert weights[7:].sum() == pytest.approx(7)
    assert weights[7] == pytest.approx(2 * weights[-1])
    # A large library weighs as much as 50 dislikes, however many songs it has.
    large = example_weights(np.array([1] * 7 + [-1] * 3 + [0] * 2000))
    assert large[7] == pytest.approx(40 * large[-1])

    likes, library = songs(7, liked=True, tag="a"), songs(60, liked=False, tag="b")
    hated = songs(1, liked=True, tag="h")  # sounds like what is liked
    as_unlabelled = fit(unlabelled=join(library, hated)).score(hated.vectors)[0]
    as_dislike = fit(likes=likes, dislikes=hated).score(hated.vectors)[0]
    assert as_dislike < as_unlabelled


# --- training and scoring are one ------------------------------------------------------------


@pytest.mark.parametrize("head", HEADS)
def test_saved_taste_scores_a_training_song_as_the_head_did_in_training(
    tmp_path: Path, head: str
) -> None:
    likes, library = songs(7, liked=True, tag="a"), songs(60, liked=False, tag="b")
    fit(head=head).save(tmp_path / "t.npz")
    loaded = Taste.load(tmp_path / "t.npz")

    # By hand, with scikit-learn's own arithmetic: standardise, fit, decide, calibrate.
    vectors = np.concatenate([likes.vectors, library.vectors])
    placed = SongSpace.fit(vectors)(vectors)
    labels = np.repeat([1, 0], [7, 60])
    by_head = make_head(head, 0).fit(placed, labels == 1, example_weights(labels))
    expected = loaded.calibration(by_head.decision_function(placed))
    np.testing.assert_allclose(loaded.score(vectors), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("head", HEADS)
def test_same_songs_in_any_order_give_the_same_taste_bit_for_bit(head: str) -> None:
    dislikes = songs(3, liked=False, tag="d1")
    first = fit(head=head, dislikes=dislikes)
    assert same_bits(first, fit(head=head, dislikes=dislikes))
    shuffled = fit(
        head=head,
        likes=reorder(songs(7, liked=True, tag="a"), [3, 1, 0, 2, 6, 5, 4]),
        dislikes=reorder(dislikes, [2, 0, 1]),
        unlabelled=reorder(
            songs(60, liked=False, tag="b"), np.random.default_rng(0).permutation(60)
        ),
    )
    assert same_bits(first, shuffled)


def test_a_large_library_is_sampled_by_digest_whatever_the_order() -> None:
    library = songs(2300, liked=False, tag="b", dim=40)
    likes = songs(7, liked=True, tag="a", dim=40)
    first = fit(likes=likes, unlabelled=library)
    order = np.random.default_rng(0).permutation(2300)
    assert same_bits(first, fit(likes=likes, unlabelled=reorder(library, order)))
    assert first.n_unlabelled == 2000
    chosen = sample_unlabelled(library.digests, exclude=likes.digests)
    assert chosen == first.unlabelled
    assert sample_unlabelled(chosen) == chosen
    assert sample_unlabelled(library.digests, seed=1) != chosen
    only = reorder(library, [library.digests.index(digest) for digest in chosen])
    assert same_bits(first, fit(likes=likes, unlabelled=only))


def test_blocks_of_a_composite_reach_the_taste() -> None:
    one, two = fit(), fit(blocks=(150, 50))
    assert (one.space.blocks, two.space.blocks) == ((200,), (150, 50))
    assert not np.array_equal(one.space.basis, two.space.basis)
    with pytest.raises(VectorError, match="do not make song vectors of 200"):
        fit(blocks=(150, 51))


# --- who takes part --------------------------------------------------------------------------


def test_labelled_songs_are_dropped_from_the_unlabelled() -> None:
    likes, library = songs(7, liked=True, tag="a"), songs(60, liked=False, tag="b")
    dislikes = reorder(library, [5])
    taste = fit(likes=likes, dislikes=dislikes, unlabelled=join(library, likes))
    assert (taste.n_like, taste.n_dislike, taste.n_unlabelled) == (7, 1, 59)
    assert same_bits(taste, fit(likes=likes, dislikes=dislikes))


def test_a_song_given_twice_counts_once() -> None:
    likes = songs(7, liked=True, tag="a")
    assert same_bits(fit(), fit(likes=join(likes, reorder(likes, [0, 3]))))


def test_unlabelled_songs_of_a_liked_artist_are_no_negatives() -> None:
    likes = songs(4, liked=True, tag="a", group="Band")
    more = songs(5, liked=True, tag="m", group="Band")
    library = join(songs(30, liked=False, tag="b"), more)
    taste = fit(likes=likes, unlabelled=library)
    assert taste.n_unlabelled == 30
    assert "one artist or album" in taste.note
    assert fit(likes=likes, unlabelled=more).n_unlabelled == 5  # where nothing else is left


def test_no_held_out_head_has_seen_the_group_of_a_song_it_scores() -> None:
    from classify.learning.held_out import cross_fit

    names = [f"g{i % 4}" for i in range(8)]
    likes = songs(8, liked=True, tag="a")
    likes = LabelledSongs(digests=likes.digests, vectors=likes.vectors, groups=tuple(names))
    others = songs(12, liked=False, tag="b")
    mixed = tuple(f"g{i}" if i < 2 else f"h{i % 3}" for i in range(12))  # g0, g1: on both sides
    dislikes = LabelledSongs(digests=others.digests, vectors=others.vectors, groups=mixed)
    examples = prepare_examples(likes=likes, dislikes=dislikes)
    trained: list[set[int]] = []

    def ranker(rows: Any) -> Any:
        trained.append(set(examples.groups[rows].tolist()))
        return np.full(len(examples), len(trained) - 1.0)  # which head scored a song

    held_out = cross_fit(examples, ranker, max_like_folds=50)
    assert held_out is not None
    assert not held_out.by_song
    assert len(trained) == 4 * 2
    assert not np.isnan(held_out.wins).all()
    assert (held_out.wins[~np.isnan(held_out.wins)] == 0.5).all()  # each pair by one head
    for fold in range(4):
        liked = set(held_out.like_groups[held_out.like_folds == fold].tolist())
        assert not any(liked & groups for groups in trained[2 * fold : 2 * fold + 2])
    for fold in range(2):
        other = set(held_out.other_groups[held_out.other_folds == fold].tolist())
        assert not any(other & groups for groups in trained[fold::2])


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(("n_like", "n_unlabelled"), [(2, 1), (7, 1), (2, 2), (2, 10)])
def test_the_smallest_libraries_work_and_are_unsure(
    head: str, n_like: int, n_unlabelled: int
) -> None:
    taste = fit(
        head=head,
        likes=songs(n_like, liked=True, tag="a"),
        unlabelled=songs(n_unlabelled, liked=False, tag="b"),
    )
    scores = taste.score(songs(20, liked=False, tag="z").vectors)
    assert np.isfinite(scores).all()
    if n_unlabelled == 1:
        assert taste.auc is None
        assert taste.auc_ci90 is None
        assert "too few songs" in taste.note
        assert taste.unsure == pytest.approx((0.05, 0.95))


def test_a_library_of_equal_songs_is_one_song_in_copies() -> None:
    def flat(tag: str, n: int) -> LabelledSongs:
        part = songs(n, liked=False, tag=tag, dim=300)
        return LabelledSongs(
            digests=part.digests, vectors=np.ones_like(part.vectors), groups=part.groups
        )

    with pytest.raises(LabelError, match="copies"):
        fit(likes=flat("a", 3), unlabelled=flat("b", 9))


@pytest.mark.parametrize("head", HEADS)
def test_silence_and_constant_numbers_leave_a_taste_of_numbers(head: str) -> None:
    likes, library = songs(5, liked=True, tag="a"), songs(30, liked=False, tag="b")
    for part in (likes, library):
        part.vectors[:, 3] = 0.1
    library.vectors[4] = 0
    likes.vectors[2, 7] = 1e30
    taste = fit(head=head, likes=likes, unlabelled=library)
    assert np.isfinite(taste.score(np.concatenate([likes.vectors, library.vectors]))).all()


def test_training_remembers_every_like_and_dislike_as_familiar() -> None:
    likes, dislikes = songs(7, liked=True, tag="a"), songs(3, liked=False, tag="d1")
    taste = fit(likes=likes, dislikes=dislikes, unlabelled=songs(1200, liked=False, tag="b"))
    assert len(taste.familiarity.known) == 512
    labelled = taste.space.standardise(np.concatenate([likes.vectors, dislikes.vectors]))
    known = {row.tobytes() for row in taste.familiarity.known}
    assert {row.tobytes() for row in sketch(labelled)} <= known


# --- refusals --------------------------------------------------------------------------------


def test_fewer_than_two_likes_are_refused_with_the_remedy() -> None:
    with pytest.raises(LabelError, match=r"1 liked song; at least 2 .* add --like"):
        fit(likes=songs(1, liked=True, tag="a"))
    twice = join(songs(1, liked=True, tag="a"), songs(1, liked=True, tag="a"))
    with pytest.raises(LabelError, match="2 copies of the same recording"):
        fit(likes=twice)


def test_a_song_liked_and_disliked_is_named() -> None:
    likes = songs(7, liked=True, tag="a")
    with pytest.raises(LabelError, match=likes.digests[2]):
        fit(dislikes=reorder(likes, [2]))


def test_nothing_to_tell_the_likes_from_is_refused() -> None:
    likes = songs(7, liked=True, tag="a")
    for unlabelled in (None, likes, songs(0, liked=False, tag="b")):
        with pytest.raises(LabelError, match=r"0 unlabelled songs.*--dislike"):
            fit(unlabelled=unlabelled)


def test_vectors_that_are_not_finite_or_of_two_encoders_are_refused() -> None:
    for name in ("likes", "unlabelled"):
        part = songs(7, liked=True, tag="a" if name == "likes" else "b")
        part.vectors[3, 5] = np.nan
        with pytest.raises(VectorError, match="not finite"):
            fit(**{name: part})
    with pytest.raises(VectorError, match="30 and 200 numbers"):
        fit(unlabelled=songs(7, liked=False, tag="b", dim=30))


def test_an_unknown_head_names_the_known_ones() -> None:
    with pytest.raises(LabelError, match="'deep'; choose one of auto, kernel, logistic, dense"):
        fit(head="deep")


def test_importing_fit_and_evaluate_loads_no_scikit_learn() -> None:
    script = (
        "import sys, classify, classify.learning.fit, classify.evaluation.evaluation\n"
        # the heads are estimators of scikit-learn, which is imported when one is asked for
        "names = [name for name in classify.__all__ if not name.endswith('Head')]\n"
        "[getattr(classify, name) for name in names]\n"
        "heavy = {'sklearn', 'scipy', 'tensorflow', 'lance'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=root
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("head", ["auto", "kernel", "logistic"])
def test_training_and_evaluating_load_neither_scikit_learn_nor_scipy(head: str) -> None:
    """Importing them would take several times as long as training does."""
    script = (
        "import sys\n"
        "import numpy as np\n"
        "from classify import LabelledSongs, evaluate_taste, fit_taste\n"
        "rows = np.random.default_rng(0).normal(size=(60, 100)).astype(np.float32)\n"
        "names = tuple(f'{i:032x}' for i in range(60))\n"
        "likes, rest = ("
        "LabelledSongs(digests=names[part], vectors=rows[part], groups=names[part])\n"
        "               for part in (slice(0, 6), slice(6, 60)))\n"
        "taste = fit_taste(likes=likes, unlabelled=rest, encoder='e', fingerprint='f', "
        f"head={head!r})\n"
        f"evaluate_taste(likes=likes, unlabelled=rest, head={head!r})\n"
        "heavy = {'sklearn', 'scipy', 'joblib', 'tensorflow', 'lance', 'pyarrow'} "
        "& set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=root
    )
    assert done.returncode == 0, done.stderr


def test_versions_and_date_are_recorded() -> None:
    taste = fit(created_at=None)
    assert taste.created_at.endswith("+00:00")
    assert {"sevensongs", "numpy", "python"} == set(taste.versions)
    assert "scikit-learn" in fit(head="dense").versions
