"""The rows a head learns from: checked, in a fixed order, weighed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classify.errors import LabelError, VectorError
from classify.learning.sampling import MAX_UNLABELLED, sample_unlabelled
from classify.taste.vectors import FloatArray, Vectors, check_vectors

__all__ = ["MIN_LIKES", "Examples", "LabelledSongs", "example_weights", "prepare_examples"]

MIN_LIKES = 2

LIKE, DISLIKE, UNLABELLED = 1, -1, 0
# Against a dislike: an unlabelled song weighs half at most, and all of them together 50 dislikes at
# most. An unlabelled song may be a like not yet found, a dislike is certain; but a few dislikes are
# a poor picture of all that is not liked. See tests/benchmarks.
_UNLABELLED_WEIGHT, _LIBRARY_WEIGHT = 0.5, 50


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelledSongs:
    """Songs that share one label: the likes, the dislikes, or the unlabelled library.

    Parameters
    ----------
    digests : tuple of str
        Names of the recordings, any order; a repeated one counts once.
    vectors : ndarray, shape (n, dim), float32
        Song vectors, row by row with `digests`.
    groups : tuple of str
        What a song must not be separated from: its artist or album, or its own digest where tags
        do not tell. Songs of one group never sit on both sides of a split.

    Raises
    ------
    VectorError
        If the vectors are not a matrix, or the three lengths differ. Whether the values are finite
        is checked where they are used, so that a library of 100,000 is not read in full.
    """

    digests: tuple[str, ...]
    vectors: Vectors
    groups: tuple[str, ...]

    def __post_init__(self) -> None:
        vectors = np.asarray(self.vectors)
        if vectors.ndim != 2:
            raise VectorError(
                f"song vectors have shape {vectors.shape}; (songs, dimensions) is needed"
            )
        n_rows = (len(self.digests), len(vectors), len(self.groups))
        if len(set(n_rows)) > 1:
            raise VectorError(
                f"{n_rows[0]} digests, {n_rows[1]} vectors and {n_rows[2]} groups were given; "
                "each song needs one of each"
            )

    def __len__(self) -> int:
        return len(self.digests)


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """Songs ready to learn from: likes, then dislikes, then unlabelled, each sorted by digest.

    Parameters
    ----------
    digests : tuple of str
        Each once.
    vectors : ndarray, shape (n, dim), float32
        Song vectors, not standardised, all finite.
    labels : ndarray, shape (n,), int
        1 like, -1 dislike, 0 unlabelled.
    groups : ndarray, shape (n,), int
        Songs of one number never sit on both sides of a split.
    """

    digests: tuple[str, ...]
    vectors: Vectors
    labels: NDArray[np.int_]
    groups: NDArray[np.int_]

    def __len__(self) -> int:
        return len(self.digests)

    @property
    def is_like(self) -> NDArray[np.bool_]:
        """Which rows are likes, shape (n,), bool."""
        return np.asarray(self.labels == LIKE)

    @property
    def is_negative(self) -> NDArray[np.bool_]:
        """Which rows a head learns to score low, shape (n,), bool.

        Unlabelled songs of a group that is also liked are neither: more of a liked artist is
        hardly what the listener does not want. They count as part of the library only. Where
        nothing else is left, they serve.
        """
        liked = np.isin(self.groups, self.groups[self.is_like])
        negative = (self.labels == DISLIKE) | ((self.labels == UNLABELLED) & ~liked)
        return np.asarray(negative if negative.any() else ~self.is_like)

    def digests_where(self, rows: NDArray[np.bool_]) -> tuple[str, ...]:
        """Return the digests of the rows that are true in a mask of shape (n,)."""
        return tuple(self.digests[i] for i in np.flatnonzero(rows))

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "Examples":
        """Return some of the rows, by mask or index."""
        index = np.arange(len(self))[rows]
        return Examples(
            digests=tuple(self.digests[i] for i in index),
            vectors=self.vectors[index],
            labels=self.labels[index],
            groups=self.groups[index],
        )


def prepare_examples(
    *,
    likes: LabelledSongs,
    dislikes: LabelledSongs | None = None,
    unlabelled: LabelledSongs | None = None,
    max_unlabelled: int = MAX_UNLABELLED,
    seed: int = 0,
) -> Examples:
    """Check labels and vectors, and bring them into an order that does not depend on the caller's.

    Parameters
    ----------
    likes, dislikes, unlabelled : LabelledSongs
        Unlabelled songs that are also labelled are left out of the unlabelled.
    max_unlabelled : int
        More are subsampled, see `sample_unlabelled`.
    seed : int
        Of that choice.

    Returns
    -------
    examples : Examples
        Likes, dislikes and the chosen unlabelled songs.

    Raises
    ------
    LabelError
        With fewer than 2 different likes, no other song at all, or a song liked and disliked.
    VectorError
        If dimensions differ or a value is not finite.
    """
    liked, disliked = set(likes.digests), set(dislikes.digests if dislikes else ())
    _check_labels(likes, liked, disliked)
    parts = [(likes, tuple(sorted(liked)), LIKE)]
    if dislikes is not None:
        parts.append((dislikes, tuple(sorted(disliked)), DISLIKE))
    if unlabelled is not None:
        chosen = sample_unlabelled(
            unlabelled.digests, exclude=liked | disliked, limit=max_unlabelled, seed=seed
        )
        parts.append((unlabelled, chosen, UNLABELLED))
    digests = tuple(digest for _, chosen, _ in parts for digest in chosen)
    if len(digests) == len(liked):
        raise LabelError(
            f"there are {len(liked)} likes, 0 dislikes and 0 unlabelled songs, so nothing to tell "
            "the likes from; embed more of your library ('sevensongs embed PATH') or add "
            "--dislike PATH"
        )
    vectors, names = _gather(parts)
    return Examples(
        digests=digests,
        vectors=vectors,
        labels=np.repeat([part[2] for part in parts], [len(part[1]) for part in parts]),
        groups=np.unique(np.array(names, dtype=np.str_), return_inverse=True)[1],
    )


def _check_labels(likes: LabelledSongs, liked: set[str], disliked: set[str]) -> None:
    if len(liked) < MIN_LIKES:
        copies = f" ({len(likes)} copies of the same recording)" if len(likes) > 1 else ""
        raise LabelError(
            f"{len(liked)} liked song{'' if len(liked) == 1 else 's'}{copies}; at least "
            f"{MIN_LIKES} are needed, and about 7 work well: add --like PATH"
        )
    both = sorted(liked & disliked)
    if both:
        raise LabelError(
            f"{len(both)} song{'' if len(both) == 1 else 's'} liked and disliked at once: "
            f"{', '.join(both[:3])}{', ...' if len(both) > 3 else ''}; take one of the labels away"
        )


def _gather(parts: list[tuple[LabelledSongs, tuple[str, ...], int]]) -> tuple[Vectors, list[str]]:
    """Return the chosen rows of every part, in order, and their groups' names."""
    dims = {songs.vectors.shape[1] for songs, chosen, _ in parts if chosen}
    if len(dims) > 1:
        raise VectorError(
            f"song vectors of {' and '.join(map(str, sorted(dims)))} numbers are mixed; "
            "all must come from one encoder"
        )
    vectors: list[Vectors] = []
    names: list[str] = []
    for songs, chosen, _ in parts:
        first: dict[str, int] = {}
        for row, digest in enumerate(songs.digests):
            first.setdefault(digest, row)
        rows = np.array([first[digest] for digest in chosen], dtype=np.intp)
        if len(rows):
            vectors.append(songs.vectors[rows])
            names += [songs.groups[row] for row in rows]
    return check_vectors(np.concatenate(vectors)), names


def example_weights(labels: NDArray[np.int_]) -> FloatArray:
    """Weigh rows: both sides the same, a dislike far above an unlabelled song.

    Parameters
    ----------
    labels : ndarray, shape (n,), int
        1 like, -1 dislike, 0 unlabelled that serves as a weak negative.

    Returns
    -------
    ndarray, shape (n,), float64
        A like weighs 1. The others together weigh as much as the likes together, whether they are
        10 or 2,000, so that the regularisation means the same in every library; among them, a
        dislike weighs twice as much as an unlabelled song, and 40 times where there are 2,000 of
        these. Weak negatives from unlabelled data: Elkan & Noto 2008, "Learning classifiers from
        only positive and unlabeled data".
    """
    likes, unlabelled = labels == LIKE, labels == UNLABELLED
    weights: FloatArray = np.ones(len(labels))
    if unlabelled.any():
        weights[unlabelled] = min(_UNLABELLED_WEIGHT, _LIBRARY_WEIGHT / unlabelled.sum())
    if not likes.all():
        weights[~likes] *= likes.sum() / weights[~likes].sum()
    return weights
