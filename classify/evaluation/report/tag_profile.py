"""What a taste is made of, in its encoder's words.

These are the tags of which likes have more or less than the library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classify.evaluation.report.library_map import LibrarySample
from classify.learning.examples import LIKE, UNLABELLED
from classify.library.song_library import SongLibrary
from classify.taste.vectors import FloatArray
from embed import EmbedError, OwnTags

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TagDifference", "profile_tags", "tag_differences"]

MIN_LIKES, MIN_OTHERS = 3, 10
_Z95 = 1.6449
_FLAT = 1e-6
_SOUNDING = 0.01
"""A tag that neither the likes nor the library have more of, on average, is not heard in either."""


@dataclass(frozen=True, kw_only=True)
class TagDifference:
    """How much more of a tag likes have.

    Parameters
    ----------
    tag : str
        As the encoder calls it.
    difference : float
        Mean of the likes less that of the library, in standard deviations of the library's songs.
    ci90 : (float, float)
        90% interval of it, by Student's t over likes.
    likes, library : float
        Mean activations, in [0, 1].
    """

    tag: str
    difference: float
    ci90: tuple[float, float]
    likes: float
    library: float


def profile_tags(library: SongLibrary, sample: LibrarySample) -> tuple[TagDifference, ...]:
    """Compare the likes' tags with those of the library's unlabelled songs.

    Parameters
    ----------
    library : SongLibrary
        For its encoders; those that have no tags, or are not compiled here, are passed over.
    sample : LibrarySample

    Returns
    -------
    tuple of TagDifference
        The largest first; empty where there are fewer than 3 likes or 10 unlabelled songs.
    """
    is_like, is_other = sample.labels == LIKE, sample.labels == UNLABELLED
    if is_like.sum() < MIN_LIKES or is_other.sum() < MIN_OTHERS:
        return ()
    found: list[TagDifference] = []
    for names, scores in _scores_of_parts(library, sample.vectors):
        found += tag_differences(names, scores[is_like], scores[is_other])
    return tuple(sorted(found, key=lambda one: -one.difference))


def tag_differences(
    names: tuple[str, ...], likes: NDArray[np.float32], library: NDArray[np.float32]
) -> list[TagDifference]:
    """Compare tag scores of likes with those of a library.

    The shapes are (n_like, n_tags) and (n, n_tags).

    The square roots of the scores are compared: scores of most tags crowd near zero.
    """
    liked, usual = (np.sqrt(np.clip(part.astype(np.float64), 0, 1)) for part in (likes, library))
    spread = usual.std(axis=0, ddof=1)
    heard = np.maximum(likes.mean(axis=0), library.mean(axis=0)) >= _SOUNDING
    found = []
    for i in np.flatnonzero(heard & (spread > _FLAT)):
        middle = float((liked[:, i].mean() - usual[:, i].mean()) / spread[i])
        # Of few likes the spread is hardly known: never less than half of the library's.
        own = max(float(liked[:, i].std(ddof=1) / spread[i]), 0.5)
        half = _students_t95(len(liked) - 1) * float(
            np.hypot(own / np.sqrt(len(liked)), len(usual) ** -0.5)
        )
        found.append(
            TagDifference(
                tag=names[i],
                difference=middle,
                ci90=(middle - half, middle + half),
                likes=float(likes[:, i].mean()),
                library=float(library[:, i].mean()),
            )
        )
    return found


def _students_t95(freedom: int) -> float:
    """Approximate the 95% quantile of Student's t (Abramowitz & Stegun 26.7.5).

    It is 4% low for 2 degrees.
    """
    z, v = _Z95, float(freedom)
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / v + second / v**2 + third / v**3


def _scores_of_parts(
    library: SongLibrary, vectors: NDArray[np.float32]
) -> list[tuple[tuple[str, ...], FloatArray]]:
    """Score each encoder's tags on the songs' mean embeddings."""
    found, start = [], 0
    stores, widths = library.vectors.stores, library.blocks
    for store, width in zip(stores, widths, strict=True):
        means = vectors[:, start : start + width // 2]  # the other half are standard deviations
        start += width
        try:
            tags = OwnTags.of(store.encoder, store.fingerprint, root=library.root)
        except EmbedError:  # a report without tags is better than none
            tags = None
        if tags is None:
            continue
        suffix = f" ({store.encoder})" if len(stores) > 1 else ""
        names = tuple(f"{tag}{suffix}" for tag in tags.names)
        found.append((names, tags.scores(means).astype(np.float64)))
    return found
