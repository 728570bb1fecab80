"""Which moment of a song sounds like which moment of another: "0:41 sounds like 1:12 of Get By"."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from cache import WHOLE, Entry
from classify.explanation.explanation import Resemblance
from classify.explanation.passages import local_means, nearest_windows, place_windows
from classify.library.song_library import SongLibrary
from classify.taste.song_space import SongSpace
from classify.taste.vectors import FloatArray, Vectors
from embed import EmbedError, silent_frame

__all__ = ["Moment", "MomentFinder", "SongMoments", "hear", "nearest_moment"]

_NEIGHBOURS = 3
"""Windows that make a moment, where they lie side by side; else one."""
_NEAR_SILENCE = 0.5
"""Cosine from which a window is too much like silence: all songs begin and end alike."""
_MOST_COMPARED = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class SongMoments:
    """A song's moments.

    Attributes
    ----------
    digest : str
    starts_s : ndarray, shape (n,), float64
    directions : ndarray, shape (n, n_axes), float64
        In song space, of unit length.
    """

    digest: str
    starts_s: FloatArray
    directions: FloatArray


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A moment of a song, and the one of another song that sounds most like it.

    Their likeness is the cosine in song space.
    """

    at_s: float
    digest: str
    other_at_s: float
    similarity: float


def hear(space: SongSpace, entries: list[Entry], silence: FloatArray | None = None) -> SongMoments:
    """Place the moments of a song.

    Parameters
    ----------
    space : SongSpace
    entries : list of Entry
        The song's, one for each encoder. Of several, moments are where the first one's windows are.
    silence : ndarray, shape (1, dim / 2), float64, optional
        What the encoders make of it; moments much like it are left out.
    """
    first = entries[0]
    starts = first.starts_s.astype(np.float64)
    width = _NEIGHBOURS if all(entry.n_windows == WHOLE for entry in entries) else 1
    columns = []
    for entry in entries:
        near = nearest_windows(starts, entry.starts_s)
        columns.append(local_means(entry.frames, [0, len(entry.frames)], width)[near])
    directions = _unit(place_windows(space, np.concatenate(columns, axis=1)))
    sounding = np.ones(len(starts), dtype=bool)
    if silence is not None:
        sounding = directions @ _unit(place_windows(space, silence))[0] < _NEAR_SILENCE
    return SongMoments(
        digest=first.digest, starts_s=starts[sounding], directions=directions[sounding]
    )


def nearest_moment(song: SongMoments, others: Iterable[SongMoments]) -> Moment | None:
    """Return the moment of a song that sounds most like one of others.

    Return None where there is nothing to compare.
    """
    best: Moment | None = None
    for other in others:
        if not (len(song.starts_s) and len(other.starts_s)):
            continue
        cosines = song.directions @ other.directions.T
        i, j = np.unravel_index(int(cosines.argmax()), cosines.shape)
        if best is None or cosines[i, j] > best.similarity:
            best = Moment(
                at_s=float(song.starts_s[i]),
                digest=other.digest,
                other_at_s=float(other.starts_s[j]),
                similarity=float(cosines[i, j]),
            )
    return best


class MomentFinder:
    """Compares the moments of one song with those of others.

    Parameters
    ----------
    library : SongLibrary
    space : SongSpace
    entries : list of Entry
        The song's, one for each encoder.
    root : path or URI
        The cache.
    """

    def __init__(
        self, library: SongLibrary, space: SongSpace, entries: list[Entry], root: str | Path
    ) -> None:
        self._library, self._space, self._entries, self._root = library, space, entries, root

    def resembled(self, digests: list[str], vectors: Vectors) -> Resemblance | None:
        """Find the moments of these songs, and of the one, that sound most alike.

        Parameters
        ----------
        digests : list of str
            Recordings; only the 12 that are nearest as a whole are listened to.
        vectors : ndarray, shape (n, dim), float32
            Their song vectors.
        """
        if not digests:
            return None
        own = np.concatenate([entry.vector for entry in self._entries])
        likeness = self._space(vectors) @ self._space(own[np.newaxis])[0]
        nearest = np.argsort(-likeness, kind="stable")[:_MOST_COMPARED].tolist()
        moment = nearest_moment(self._song, (self._hear(digests[i]) for i in nearest))
        if moment is None:
            return None
        row = self._library.file_of(moment.digest)
        return Resemblance(
            at_s=moment.at_s,
            other_at_s=moment.other_at_s,
            similarity=moment.similarity,
            path=row.path if row else moment.digest,
            artist=row.artist if row else None,
            title=row.title if row else None,
        )

    @cached_property
    def _song(self) -> SongMoments:
        return hear(self._space, self._entries, self._silence)

    def _hear(self, digest: str) -> SongMoments:
        entries = [store.get(digest) for store in self._library.vectors.stores]
        return hear(self._space, [entry for entry in entries if entry is not None], self._silence)

    @cached_property
    def _silence(self) -> FloatArray | None:
        """What the encoders make of silence, shape (1, dim / 2); None where one is not at hand."""
        try:
            heard = [
                silent_frame(store.encoder, store.fingerprint, root=self._root)
                for store in self._library.vectors.stores
            ]
        except EmbedError:
            return None
        return np.concatenate(heard, axis=1).astype(np.float64)


def _unit(rows: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1))
