"""A song explained by what was heard of it: its moments, its tags, and what it resembles."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cache import WHOLE, FileRecord
from classify.errors import TasteError
from classify.explanation.contributions import (
    Reference,
    decide_as_if,
    decide_with_slopes,
    points_a_decision,
    share_windows,
    shares_of,
    signed_roots64,
)
from classify.explanation.explanation import Explanation, Passage, TagAccount
from classify.explanation.passages import (
    local_means,
    merge_sections,
    nearest_windows,
    pick_passages,
    place_windows,
    sections,
    window_ends,
)
from classify.explanation.resemblance import MomentFinder
from classify.explanation.tag_account import TagScorer, tag_account
from classify.learning.sampling import sample_unlabelled
from classify.library.song_library import SongLibrary
from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray, Vectors
from embed import EncoderSpec, stored_spec

if TYPE_CHECKING:
    from cache import EmbeddingStore, Entry

__all__ = ["explain_heard"]

_CURVE_WINDOWS = 5
"""Windows whose mean sound a point of the curve is the score of; 15 s."""
_MOST_LIKES, _MOST_OTHERS = 24, 48
"""References: twice as many change no share by more than a hundredth."""
_MOST_TAGGED = 500
_FEW = 10


def explain_heard(
    song: FileRecord,
    entries: Sequence[Entry],
    *,
    taste: Taste,
    library: SongLibrary,
    root: str | Path,
) -> Explanation:
    """Explain the score of a song that the library need not hold, by what was heard of it.

    Parameters
    ----------
    song : FileRecord
        With a digest; nothing is opened at its path.
    entries : sequence of Entry
        What each of the library's encoders made of it.
    taste, library, root
        The library is that of the taste's encoders.

    Raises
    ------
    TasteError
        If no other song is there to compare with.
    CacheError
    """
    from threadpoolctl import threadpool_limits  # products this small are slower in several threads

    with threadpool_limits(limits=1):
        return _Explainer(library, taste, song, root, entries).explanation()


class _Explainer:
    """All that is looked up once: the song, the songs that it is compared with."""

    def __init__(
        self,
        library: SongLibrary,
        taste: Taste,
        song: FileRecord,
        root: str | Path,
        entries: Sequence[Entry],
    ) -> None:
        assert song.digest
        self.library, self.taste, self.song, self.root = library, taste, song, root
        self.digest = song.digest
        self.entries = list(entries)
        self.vector = np.concatenate([entry.vector for entry in self.entries])
        self.likes, self.liked = self._vectors([d for d in taste.likes if d != self.digest])
        self.others = self._other_songs()
        few_likes, few_others = _few(self.liked, _MOST_LIKES), _few(self.others, _MOST_OTHERS)
        if not len(few_likes) + len(few_others):
            raise TasteError(
                f"no other song is embedded with {library.encoder}, so there is nothing to compare "
                f"{song.path} with: run 'sevensongs embed --encoder {library.encoder} PATH' on "
                "your library"
            )
        self.reference = Reference.between(taste, few_likes, few_others)
        self.found = shares_of(taste, self.vector, self.reference)
        self.rate = points_a_decision(taste, self.reference.decision, self.found.decision)
        self.starts = self.entries[0].starts_s.astype(np.float64)
        is_whole = all(entry.n_windows == WHOLE for entry in self.entries)
        self.n_windows = WHOLE if is_whole else len(self.starts)

    def _vectors(self, digests: list[str]) -> tuple[list[str], Vectors]:
        return self.library.vectors.matrix(digests)

    def _other_songs(self) -> Vectors:
        taste = self.taste
        labelled = {*taste.likes, self.digest}
        wanted = sample_unlabelled(
            [*taste.unlabelled, *taste.dislikes], exclude=labelled, limit=_MOST_TAGGED
        )
        vectors = self._vectors(list(wanted))[1]
        if len(vectors) >= _FEW:
            return vectors
        wanted = sample_unlabelled(
            self.library.files().digests, exclude=labelled, limit=_MOST_TAGGED
        )
        return self._vectors(list(wanted))[1]

    def explanation(self) -> Explanation:
        taste, song = self.taste, self.song
        sides = {"like": taste.likes, "dislike": taste.dislikes}
        points, variety = self._window_points()
        frames = self._frames()
        edges = sections(place_windows(taste.space, frames))
        curve = self._curve(frames, edges)
        ear = MomentFinder(self.library, taste.space, self.entries, self.root)
        start, score = taste.calibration(
            np.array([self.reference.decision, self.found.decision])
        ).tolist()
        return Explanation(
            path=song.path,
            artist=song.artist,
            title=song.title,
            duration_s=self.entries[0].duration_s,
            label=next((name for name, side in sides.items() if self.digest in side), None),
            score=score,
            verdict=taste.verdicts(np.array([score]))[0],
            threshold=taste.threshold,
            unsure=taste.unsure,
            n_like=taste.n_like,
            n_dislike=taste.n_dislike,
            start_score=start,
            variety=variety * self.rate,
            unfamiliar=self.found.unfamiliar * self.rate,
            n_windows=self.n_windows,
            starts_s=tuple(self.starts.tolist()),
            scores=tuple(curve.tolist()),
            points=tuple((points * self.rate).tolist()),
            sections_s=tuple(self.starts[edges[:-1]].tolist()),
            passages=self._passages(edges, points * self.rate, curve),
            tags=self._tags(),
            like=ear.resembled(self.likes, self.liked),
            dislike=ear.resembled(*self._vectors([d for d in taste.dislikes if d != self.digest])),
        )

    def _frames(self) -> FloatArray:
        """Return the windows' embeddings where the first encoder's are.

        Those of several encoders stand side by side.
        """
        columns = [
            entry.frames[nearest_windows(self.starts, entry.starts_s)] for entry in self.entries
        ]
        return np.concatenate(columns, axis=1).astype(np.float64)

    def _window_points(self) -> tuple[FloatArray, float]:
        """Return what each window adds to the decision, and what of that the deviations add.

        How a song changes from window to window belongs to none of them, and so to all alike.
        """
        ends = [*self.starts[1:].tolist(), self.entries[0].duration_s]
        points, variety, column = np.zeros(len(self.starts)), 0.0, 0
        for entry, store in zip(self.entries, self.library.vectors.stores, strict=True):
            dim = store.dim
            own = share_windows(
                entry.frames,
                _heard(self._spec(store), entry),
                self.found,
                slice(column, column + dim),
            )
            # Encoders have windows of their own: what one's add is dealt out by how much they
            # overlap.
            added = np.concatenate([[0.0], np.cumsum(own)])
            until = np.interp(
                ends[:-1],
                [*entry.starts_s.tolist(), max(ends[-1], entry.starts_s[-1] + 1e-3)],
                added,
            )
            points += np.diff(np.concatenate([[0.0], until, added[-1:]]))
            variety += float(self.found.shares[column + dim : column + 2 * dim].sum())
            column += 2 * dim
        weights = _heard(self._spec(self.library.vectors.stores[0]), self.entries[0])
        return points + variety * weights / weights.sum(), variety

    def _curve(self, frames: FloatArray, edges: list[int]) -> FloatArray:
        """Score the song as if all of it sounded like each window's neighbourhood.

        It stays as varied as it is.
        """
        # windows of a scan lie too far apart to be neighbours
        means = local_means(frames, edges, _CURVE_WINDOWS if self.n_windows == WHOLE else 1)
        decisions = decide_as_if(self.taste, self.vector, means, self.entries)
        if self.found.unfamiliar:  # what holds the song down holds each of its moments down
            decisions = np.minimum(decisions, self.found.decision)
        return self.taste.calibration(decisions)

    def _passages(
        self, edges: list[int], points: FloatArray, curve: FloatArray
    ) -> tuple[Passage, ...]:
        hop_s = self._spec(self.library.vectors.stores[0]).hop_s
        ends = window_ends(self.starts, hop_s, self.entries[0].duration_s)
        after_silence = np.flatnonzero(self.starts[1:] > ends[:-1]) + 1
        passages = sorted({*merge_sections(edges, points), *after_silence.tolist()})
        return tuple(
            Passage(
                start_s=float(self.starts[first]),
                end_s=float(ends[stop - 1]),
                points=float(points[first:stop].sum()),
                score=float(curve[first:stop].mean()),
            )
            for first, stop in pick_passages(passages, points)
        )

    def _spec(self, store: EmbeddingStore) -> EncoderSpec:
        return stored_spec(store.encoder, store.fingerprint, root=self.root)

    def _tags(self) -> TagAccount | None:
        songs = np.concatenate([self.liked, self.others])
        return tag_account(
            TagScorer.of(self.library, self.root),
            songs,
            decide_with_slopes(self.taste, signed_roots64(songs))[0],
            song=self.vector,
            reference=self.reference,
            total=self.found.decision - self.found.unfamiliar - self.reference.decision,
            rate=self.rate,
        )


def _few(vectors: Vectors, most: int) -> Vectors:
    """Keep so many rows, evenly spaced."""
    n = min(most, len(vectors))
    return vectors[np.arange(n) * len(vectors) // max(1, n)]


def _heard(spec: EncoderSpec, entry: Entry) -> FloatArray:
    """Return how much of each window is heard: of the last one perhaps not all."""
    n_samples = round(entry.duration_s * spec.grid.rate_hz)
    last = round(float(entry.starts_s[-1]) / spec.hop_s)  # silent windows are not stored
    weights = np.ones(len(entry.starts_s))
    weights[-1] = max(1, spec.grid.parts_heard(last, n_samples)) / spec.grid.n_parts
    return weights
