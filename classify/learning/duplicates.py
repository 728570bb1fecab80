"""Songs that are there twice: another rip, another format, another digest, the same music.

A copy of a like among the unlabelled songs would teach that the like is not liked; a copy among the
likes would be held out beside its twin, and make any taste look right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from classify.errors import LabelError, SameSongError
from classify.learning.examples import LIKE, MIN_LIKES, UNLABELLED, Examples
from classify.learning.sampling import sample_unlabelled
from classify.taste.sketch import MAX_APART, sketch
from classify.taste.song_space import SongSpace
from classify.taste.vectors import FloatArray, Vectors

__all__ = ["copy_limit", "fit_space", "merge_duplicates"]


_ROWS_AT_ONCE, _PAIRS_AT_ONCE = 256, 1024
_SKETCH_SLACK = 1.6  # sketches are off by some ten per cent, seldom by thirty


def copy_limit(*standardised: Vectors) -> float:
    """Return the squared distance up to which two of a library's songs, (n, dim) each, are one."""
    squares = [
        np.square(rows[start : start + _ROWS_AT_ONCE], dtype=np.float64).sum(axis=1)
        for rows in standardised
        for start in range(0, len(rows), _ROWS_AT_ONCE)
    ]
    return MAX_APART * float(np.median(np.concatenate(squares)))


def merge_duplicates(
    examples: Examples, standardised: Vectors, *, repeats: NDArray[np.bool_] | None = None
) -> Examples:
    """Count near-identical songs once.

    Parameters
    ----------
    examples : Examples
    standardised : ndarray, shape (n, dim), float32
        Their vectors, standardised by the library.
    repeats : ndarray, shape (n,), bool, optional
        Which are copies of earlier ones among all, where that is known.

    Returns
    -------
    merged : Examples
        Of near-identical likes the first stays, and so of dislikes and of unlabelled songs. An
        unlabelled song that is near-identical to a labelled one goes, so that it is never held
        against it, nor on the other side of a split.

    Raises
    ------
    SameSongError
        If a like is near-identical to a dislike.
    LabelError
        If fewer than 2 likes are left, or nothing else.
    """
    # Not the mean: one silent track among twenty songs doubles it, and others would count as
    # copies.
    squares = _squared_lengths(standardised)
    limit = MAX_APART * float(np.median(squares))
    labels = examples.labels
    # (n_labelled, n)
    is_copy = _copies(standardised, squares, np.flatnonzero(labels != UNLABELLED), limit)
    stays = np.ones(len(examples), dtype=np.bool_)
    for first, row in enumerate(np.flatnonzero(labels != UNLABELLED)):
        copies = np.flatnonzero(is_copy[first])
        later = copies[copies > row]
        against = later[(labels[later] != UNLABELLED) & (labels[later] != labels[row])]
        if len(against):
            raise SameSongError(examples.digests[row], examples.digests[against[0]])
        # Unlabelled copies go with a like that goes itself: near is not transitive.
        stays[later[(labels[later] == UNLABELLED) | stays[row]]] = False
    rest = np.flatnonzero(stays & (labels == UNLABELLED))
    again = _later_copies(standardised[rest], limit) if repeats is None else repeats[rest]
    stays[rest[again]] = False
    _require_songs(labels, stays)
    return examples if stays.all() else examples.take(stays)


def _squared_lengths(rows: Vectors) -> FloatArray:
    # infinite where a song is of absurd size: it is a copy of none
    with np.errstate(over="ignore"):
        return np.asarray(np.vecdot(rows, rows), dtype=np.float64)


def _copies(
    standardised: Vectors, squares: FloatArray, labelled: NDArray[np.intp], limit: float
) -> NDArray[np.bool_]:
    """Return which songs each labelled one is a copy of."""
    with np.errstate(over="ignore", invalid="ignore"):
        inner = standardised[labelled] @ standardised.T
        apart = squares[labelled][:, np.newaxis] + squares - 2.0 * inner
    return np.asarray(apart <= limit)


def _later_copies(standardised: Vectors, limit: float) -> NDArray[np.intp]:
    """Return the songs of which an earlier one is a copy.

    Comparing 2,000 songs with each other in full would take a second; sketches find the few pairs
    worth it.
    """
    sketches = sketch(standardised)
    squares = _squared_lengths(sketches)
    found = np.zeros(len(standardised), dtype=np.bool_)
    for start in range(0, len(standardised), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        with np.errstate(over="ignore", invalid="ignore"):
            inner = sketches[part] @ sketches[start:].T
            near = (
                2.0 * inner
                >= squares[part][:, np.newaxis] + squares[start:] - _SKETCH_SLACK * limit
            )
        first, second = np.nonzero(np.triu(near, k=1))
        _mark_copies(standardised[start:], first, second, limit, found[start:])
    return np.flatnonzero(found)


def _mark_copies(
    rows: Vectors,
    first: NDArray[np.intp],
    second: NDArray[np.intp],
    limit: float,
    found: NDArray[np.bool_],
) -> None:
    """Compare pairs of rows in full.

    Mark the second of each pair that is near-identical to the first.
    """
    while len(first):
        i, j = first[:_PAIRS_AT_ONCE], second[:_PAIRS_AT_ONCE]
        differences = rows[i].astype(np.float64) - rows[j]
        found[j[np.square(differences).sum(axis=1) <= limit]] = True
        # A library may hold a thousand silent tracks, and half a million pairs of them.
        left = ~found[second]
        left[:_PAIRS_AT_ONCE] = False
        first, second = first[left], second[left]


def _require_songs(labels: NDArray[np.int_], stays: NDArray[np.bool_]) -> None:
    n_like = int((labels == LIKE).sum())
    if not (stays & (labels != LIKE)).any():
        raise LabelError(
            f"all other songs are copies of the {n_like} likes, so there is nothing to tell the "
            "likes from; embed more of your library ('sevensongs embed PATH') or add --dislike "
            "PATH"
        )
    left = int((stays & (labels == LIKE)).sum())
    if left < MIN_LIKES:
        raise LabelError(
            f"the {n_like} likes are {left} song, in several copies; at least {MIN_LIKES} "
            "different ones are needed, and about 7 work well: add --like PATH"
        )


def fit_space(
    library: Examples, blocks: Sequence[int] = (), *, seed: int = 0
) -> tuple[SongSpace, Examples]:
    """Fit song space to a library whose copies of labelled songs are left out.

    No label moves the space. So a service places its songs once, whatever is labelled afterwards.

    Parameters
    ----------
    library : Examples
        The space is fitted to 2,000 of these songs at most, see `sample_unlabelled`.
    blocks : sequence of int, optional
        Widths of the parts of a composite's song vectors.
    seed : int
        Of that choice.

    Returns
    -------
    (space, library) : (SongSpace, Examples)
        The library is without the copies, see `merge_duplicates`, which also says what is raised.
    """
    row_of = {digest: row for row, digest in enumerate(library.digests)}
    # In an order that no label decides: the axes are found from the first songs of it.
    chosen = np.array([row_of[one] for one in sample_unlabelled(library.digests, seed=seed)])
    fitted = _fitted(library.vectors[chosen], tuple(blocks))
    standardised = fitted.before.standardise(library.vectors)
    repeats = np.zeros(len(library), np.bool_)
    repeats[chosen[fitted.repeats]] = True
    return fitted.space, merge_duplicates(library, standardised, repeats=repeats)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fitted:
    """What songs say without their labels.

    Attributes
    ----------
    name : bytes
        Of the songs; see `_name`.
    before, space : SongSpace
        Of all of them, and without copies.
    repeats : ndarray of int
        The songs of which an earlier one is a copy.
    """

    name: bytes
    before: SongSpace
    space: SongSpace
    repeats: NDArray[np.intp]


_last: _Fitted | None = None
"""A service learns again after each label, a quarter faster with this."""


def _fitted(vectors: Vectors, blocks: tuple[int, ...]) -> _Fitted:
    global _last  # noqa: PLW0603  threads may replace each other's, which costs time alone
    last, name = _last, _name(vectors, blocks)
    if last is not None and last.name == name:
        return last
    before = space = SongSpace.fit(vectors, blocks=blocks)
    own = before.standardise(vectors)
    repeats = _later_copies(own, MAX_APART * float(np.median(_squared_lengths(own))))
    if len(repeats):
        space = SongSpace.fit(np.delete(vectors, repeats, axis=0), blocks=blocks)
    _last = _Fitted(name=name, before=before, space=space, repeats=repeats)
    return _last


def _name(vectors: Vectors, blocks: tuple[int, ...]) -> bytes:
    """Name songs by their vectors, of which 2,000 would take 14 MB for as long as they are kept."""
    named = sha256(repr((blocks, vectors.shape)).encode())
    named.update(np.ascontiguousarray(vectors).data)
    return named.digest()
