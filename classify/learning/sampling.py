"""Which songs of a library are learnt from: a choice that looks random and hardly ever changes."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["MAX_LABELLED", "MAX_UNLABELLED", "digest_ranks", "sample_unlabelled"]

# More says nothing new about what songs in general are like, and would make training slow.
MAX_UNLABELLED = 2000
MAX_LABELLED = 1000
"""Of likes, and of dislikes: learning takes as long as their square, for 4,000 of them minutes."""

_DIGEST_BYTES, _DIGEST_LETTERS = 16, 32  # see `cache.is_digest`


def digest_ranks(names: Sequence[str], seed: int) -> NDArray[np.uint64]:
    """Return numbers that look random, but depend on each name and the seed alone.

    Parameters
    ----------
    names : sequence of str
        Digests, or other names of songs.
    seed : int
        In [0, 2**63).

    Returns
    -------
    ndarray, shape (n,), uint64
        A digest is a hash already; so its two halves, mixed with the seed, will do: the
        finaliser of SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number
        generators"). Any other name is hashed first.

    Examples
    --------
    >>> from classify.learning.sampling import digest_ranks
    >>> digest_ranks(["c05bcc54c1b191e3676e7b49ff4f8eeb", "song.mp3"], 0).shape
    (2,)
    """
    gamma, first, second = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
    mixed = _bits(names) + np.uint64((seed + 1) * gamma % 2**64)  # shape (n,), modulo 2**64
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(first)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(second)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _bits(names: Sequence[str]) -> NDArray[np.uint64]:
    """Fold each digest to 64 bits; of any other name its hash."""
    if set(map(len, names)) == {_DIGEST_LETTERS}:  # a million at once
        found = _unhexed("".join(names))
        if len(found) == _DIGEST_BYTES * len(names):
            return _folded(found)
    return _folded(b"".join(map(_hash_of, names)))


def _folded(digests: bytes) -> NDArray[np.uint64]:
    halves = np.frombuffer(digests, ">u8").astype(np.uint64).reshape(-1, 2)
    return np.asarray(halves[:, 0] ^ halves[:, 1])


def _hash_of(name: str) -> bytes:
    found = _unhexed(name) if len(name) == _DIGEST_LETTERS else b""
    if len(found) == _DIGEST_BYTES:
        return found
    return hashlib.blake2b(
        name.encode("utf-8", "surrogateescape"), digest_size=_DIGEST_BYTES
    ).digest()


def _unhexed(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def sample_unlabelled(
    digests: Iterable[str],
    *,
    exclude: Iterable[str] = (),
    limit: int = MAX_UNLABELLED,
    seed: int = 0,
) -> tuple[str, ...]:
    """Choose the unlabelled songs that training will use, so that no others need be read.

    Parameters
    ----------
    digests : iterable of str
        The whole library, any order.
    exclude : iterable of str
        The likes and the dislikes.
    limit : int
        At most so many are chosen.
    seed : int
        In [0, 2**63); another seed chooses others.

    Returns
    -------
    tuple of str
        Sorted: those with the least hashes. It depends on the set of digests and the seed only.
        Choosing again from what was chosen changes nothing, and a twentieth more or fewer songs
        change about a twentieth of the choice.

    Examples
    --------
    >>> from classify import sample_unlabelled
    >>> sample_unlabelled(["c", "b", "a"], exclude=["b"])
    ('a', 'c')
    """
    pool = list(set(digests).difference(exclude))
    if len(pool) <= limit:
        return tuple(sorted(pool))
    ranks = digest_ranks(pool, seed)
    most = np.partition(ranks, limit - 1)[limit - 1] if limit > 0 else np.uint64(0)
    by_rank = sorted((ranks[at], pool[at]) for at in np.flatnonzero(ranks <= most))
    return tuple(sorted(name for _, name in by_rank[:limit]))  # names tell equal ranks apart
