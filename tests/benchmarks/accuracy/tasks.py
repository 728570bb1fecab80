"""Who plays which part in a draw: likes, dislikes, unlabelled library, test.

These functions are pure; see README.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from classify import SongTransform

__all__ = [
    "DISLIKE_KINDS",
    "N_DISLIKE",
    "ROBUSTNESS",
    "Collection",
    "Draw",
    "ceiling_draws",
    "hidden_draw",
    "labelled_draw",
    "library_draw",
    "unit_rows",
]

Vectors = NDArray[np.float32]
Rows = NDArray[np.intp]

DISLIKE_KINDS = ("none", "random", "near")
N_DISLIKE = 7
_MIN_TEST_LIKES = 2
_THIRD = 1 / 3
# Of each channel's spread in the library. Nine of the songs as MP3 of 128 kbit/s lie 0.08 to 0.20
# of it (root mean square, musicnn) from what they are as Ogg Vorbis, cosines 0.986 to 0.996.
_COPY_NOISE = 0.12


@dataclass(frozen=True, kw_only=True, eq=False)
class Collection:
    """All songs, as one encoder hears them; rows sorted by digest, so the same in every encoder.

    `blocks` are the widths of a composite's parts; empty for a single encoder.
    """

    encoder: str
    fingerprint: str
    blocks: tuple[int, ...]
    digests: tuple[str, ...]
    tastes: NDArray[np.str_]
    vectors: Vectors

    @property
    def names(self) -> list[str]:
        """The tastes, sorted."""
        return [str(name) for name in np.unique(self.tastes)]


@dataclass(frozen=True, kw_only=True, eq=False)
class Draw:
    """One draw of one task: rows of the collection. `truth` goes with `test`."""

    collection: Collection
    likes: Rows
    dislikes: Rows
    unlabelled: Rows
    test: Rows
    truth: NDArray[np.bool_]

    @property
    def library(self) -> Rows:
        """All that a way may look at: every song that is labelled or unlabelled."""
        return np.sort(np.concatenate([self.likes, self.dislikes, self.unlabelled]))


Pair = tuple[Draw, Draw | None]


def unit_rows(collection: Collection, library: Rows) -> Vectors:
    """Standardise all songs by the library and scale them to length one, for cosines."""
    rows = SongTransform.fit(collection.vectors[library])(collection.vectors)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def library_draw(
    collection: Collection, taste: str, *, n_like: int, dislikes: str, seed: int
) -> Draw | None:
    """Half of the others are the library, and dislikes come out of it.

    The rest of both is the test.

    So the test is the same for every kind of dislikes. None where the taste has too few songs.
    """
    split = _split(collection, taste, seed)
    if len(split.mine) < n_like + _MIN_TEST_LIKES:
        return None
    draw = split.draw(n_like)
    chosen = _dislikes(draw, split.library, dislikes)
    return replace(draw, dislikes=chosen, unlabelled=np.setdiff1d(split.library, chosen))


def _dislikes(draw: Draw, library: Rows, kind: str) -> Rows:
    if kind == "none":
        return library[:0]
    if kind == "random":
        return library[:N_DISLIKE]  # it is shuffled
    if kind != "near":
        raise ValueError(f"dislikes are {kind!r}; there are {', '.join(DISLIKE_KINDS)}")
    # What a listener would be shown first, and reject first.
    rows = unit_rows(draw.collection, draw.library)
    order = np.argsort(-(rows[library] @ rows[draw.likes].mean(axis=0)), kind="stable")
    return library[order[:N_DISLIKE]]


def hidden_draw(collection: Collection, taste: str, *, n_like: int, seed: int) -> Draw | None:
    """Take the whole collection for the library; the rest of the taste is hidden in it.

    All of it is judged.
    """
    split = _split(collection, taste, seed)
    if len(split.mine) < n_like + _MIN_TEST_LIKES:
        return None
    rest = np.sort(np.concatenate([split.mine[n_like:], split.library, split.others]))
    return replace(split.draw(n_like), unlabelled=rest, test=rest, truth=split.liked[rest])


def labelled_draw(collection: Collection, *, n_like: int, seed: int) -> Draw | None:
    """About half of the songs are liked, whole tastes at a time.

    There are as many dislikes as likes, and no library.
    """
    rng = np.random.default_rng([seed, len(ROBUSTNESS) + 100])
    names = rng.permutation(collection.names)
    sizes = np.cumsum([np.sum(collection.tastes == name) for name in names])
    n_names = 1 + int(np.abs(sizes - len(collection.tastes) / 2).argmin())
    liked = np.isin(collection.tastes, names[:n_names])
    mine, others = rng.permutation(np.flatnonzero(liked)), rng.permutation(np.flatnonzero(~liked))
    if min(len(mine), len(others)) < n_like + _MIN_TEST_LIKES:
        return None
    test = np.sort(np.concatenate([mine[n_like:], others[n_like:]]))
    return Draw(
        collection=collection,
        likes=mine[:n_like],
        dislikes=others[:n_like],
        unlabelled=others[:0],
        test=test,
        truth=liked[test],
    )


def ceiling_draws(
    collection: Collection, taste: str, *, n_like: int, seed: int
) -> tuple[Draw, Draw]:
    """Two thirds of all likes, and `n_like` of these two thirds; the same test for both."""
    split = _split(collection, taste, seed)
    most = split.draw(round(len(split.mine) * 2 / 3))
    return most, replace(most, likes=most.likes[:n_like])


@dataclass(frozen=True, eq=False)
class _Split:
    """A taste's songs and the two halves of the others, each shuffled."""

    collection: Collection
    liked: NDArray[np.bool_]
    mine: Rows
    library: Rows
    others: Rows

    def draw(self, n_like: int) -> Draw:
        test = np.sort(np.concatenate([self.mine[n_like:], self.others]))
        return Draw(
            collection=self.collection,
            likes=self.mine[:n_like],
            dislikes=self.mine[:0],
            unlabelled=np.sort(self.library),
            test=test,
            truth=self.liked[test],
        )


def _split(
    collection: Collection, taste: str, seed: int, also: NDArray[np.bool_] | None = None
) -> _Split:
    """Shuffle a taste, with what else is liked, and the others; the same in every encoder."""
    liked = collection.tastes == taste
    if also is not None:
        liked = liked | also
    rng = np.random.default_rng([seed, collection.names.index(taste)])
    mine, others = rng.permutation(np.flatnonzero(liked)), rng.permutation(np.flatnonzero(~liked))
    half = len(others) // 2
    return _Split(collection, liked, mine, others[:half], others[half:])


def _partners(collection: Collection, taste: str, seed: int) -> list[str]:
    """Return the other tastes, shuffled."""
    names = collection.names
    rng = np.random.default_rng([seed, names.index(taste), 1])
    return [str(name) for name in rng.permutation([name for name in names if name != taste])]


def _third_liked(collection: Collection, taste: str, seed: int) -> Pair:
    """A third of the library is liked (several tastes in one).

    It is compared with a library without hidden likes.
    """
    liked = collection.tastes == taste
    for partner in _partners(collection, taste, seed):
        if liked.mean() >= _THIRD:
            break
        liked = liked | (collection.tastes == partner)
    split = _split(collection, taste, seed, liked)
    rest = np.sort(np.concatenate([split.mine[7:], split.library, split.others]))
    draw = replace(split.draw(7), unlabelled=rest, test=rest, truth=liked[rest])
    return draw, replace(draw, unlabelled=rest[~liked[rest]])


def _two_styles(collection: Collection, taste: str, seed: int) -> Pair:
    """Four likes of one taste and three of another; both are the truth."""
    partner = _partners(collection, taste, seed)[0]
    in_first, in_second = collection.tastes == taste, collection.tastes == partner
    split = _split(collection, taste, seed, in_second)
    first, second = split.mine[in_first[split.mine]], split.mine[in_second[split.mine]]
    mine = np.concatenate([first[:4], second[:3], first[4:], second[3:]])
    return replace(split, mine=mine).draw(7), None


def _one_mislabelled(collection: Collection, taste: str, seed: int) -> Pair:
    """Six likes and a song of another taste.

    They are compared with seven likes, with the same library and test.
    """
    split = _split(collection, taste, seed)
    draw = replace(split.draw(7), unlabelled=np.sort(split.library[1:]))
    return replace(draw, likes=np.concatenate([draw.likes[:6], split.library[:1]])), draw


def _library_of_the_liked_style(collection: Collection, taste: str, seed: int) -> Pair | None:
    """The library is half of the rest of the taste, so all of it is liked.

    It is compared with an ordinary one.
    """
    split = _split(collection, taste, seed)
    n_more = (len(split.mine) - 7) // 2
    if n_more < _MIN_TEST_LIKES:
        return None
    ordinary = split.draw(7 + n_more)  # its test lacks the songs that become the library
    ordinary = replace(ordinary, likes=split.mine[:7])
    return replace(ordinary, unlabelled=np.sort(split.mine[7 : 7 + n_more])), ordinary


def _library_of_another_style(collection: Collection, taste: str, seed: int) -> Pair:
    """The library is one other taste, compared with an ordinary one of the remaining.

    Neither is in the test.
    """
    single = collection.tastes == _partners(collection, taste, seed)[0]
    split = _split(collection, taste, seed)
    split = replace(split, library=split.library[~single[split.library]])
    split = replace(split, others=split.others[~single[split.others]])
    ordinary = split.draw(7)
    return replace(ordinary, unlabelled=np.flatnonzero(single)), ordinary


def _near_duplicates(collection: Collection, taste: str, seed: int) -> Pair:
    """A copy of every like, as by another encoding, lies in the library.

    It is compared with the library without the copies.
    """
    plain = _split(collection, taste, seed).draw(7)
    rng = np.random.default_rng([seed, 2])
    likes, spread = collection.vectors[plain.likes], collection.vectors.std(axis=0)
    copies = (likes + _COPY_NOISE * spread * rng.standard_normal(likes.shape)).astype(np.float32)
    names = [
        blake2b(f"copy of {collection.digests[row]}".encode(), digest_size=16)
        for row in plain.likes
    ]
    wider = replace(
        collection,
        digests=(*collection.digests, *(name.hexdigest() for name in names)),
        tastes=np.concatenate([collection.tastes, collection.tastes[plain.likes]]),
        vectors=np.concatenate([collection.vectors, copies]),
    )
    added = np.arange(len(collection.digests), len(wider.digests))
    return replace(
        plain, collection=wider, unlabelled=np.concatenate([plain.unlabelled, added])
    ), plain


ROBUSTNESS: dict[str, Callable[[Collection, str, int], Pair | None]] = {
    "a third of the library is liked": _third_liked,
    "two styles in one taste": _two_styles,
    "one of seven likes is wrong": _one_mislabelled,
    "the library is all of the liked style": _library_of_the_liked_style,
    "the library is all of another style": _library_of_another_style,
    "near-duplicates of the likes in the library": _near_duplicates,
}
