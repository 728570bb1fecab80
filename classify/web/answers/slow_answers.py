"""What takes a while to find out.

It is why a song has its score, what to label next, and how good a taste is.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np

from cache import Entry, FileRecord
from classify.demo import demo_truth
from classify.errors import ClassifyError
from classify.evaluation.evaluating import evaluate
from classify.evaluation.sentences import trust_sentences
from classify.explanation.explaining import explain
from classify.explanation.explanation import Explanation
from classify.explanation.song_explainer import explain_heard
from classify.explanation.song_outline import song_outline
from classify.labels.suggesting import suggest_from
from classify.library.similar_songs import similar_to
from classify.scoring.scores import ScoredSong
from classify.taste.taste import Taste
from classify.web.answers.alike_songs import AlikeSongs, TagMove, alike_songs, moved_by_tag
from classify.web.answers.artist_counts import artist_counts
from classify.web.answers.song_map import map_told, song_map
from classify.web.answers.song_playlists import PlaylistAsked, playlist_songs
from classify.web.live.live_library import LiveLibrary
from classify.web.live.ranked_songs import RankedSongs
from classify.web.live.song_columns import SongColumns
from embed import EmbedError

__all__ = ["SlowAnswers", "explanation_told"]

_Result = TypeVar("_Result")
_KEPT = 128
_N_NEIGHBOURS = 8


class SlowAnswers:
    """Answers that are worth keeping. Blocking; threads may share it."""

    def __init__(self, live: LiveLibrary) -> None:
        self._live = live
        self._kept: OrderedDict[Hashable, Future[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def _once(self, key: Hashable, find: Callable[[], _Result]) -> _Result:
        """Return what was found before.

        Of several that ask at once, one finds and the others wait.
        """
        with self._lock:
            known = self._kept.get(key)
            future: Future[_Result] = Future() if known is None else known
            if known is None:
                for void in [one for one in self._kept if _is_void(one)]:
                    del self._kept[void]
            self._kept[key] = future
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        if known is None:
            try:
                future.set_result(find())
            except BaseException as error:  # the next one may have more luck
                with self._lock:
                    self._kept.pop(key, None)
                future.set_exception(error)
        return future.result()

    def _found(self, key: Hashable) -> Any:
        """Return what was found before; None where nothing was, or somebody is at it."""
        with self._lock:
            known = self._kept.get(key)
        if known is None or not known.done() or known.exception() is not None:
            return None
        return known.result()

    def detail(self, name: str, digest: str) -> dict[str, Any]:
        """Tell of a song what `classify.web.models.Detail` has: what is known without hearing."""
        ranking = self._live.ranking(name)
        row = self._live.row_of(ranking.columns, digest)
        near = self._once(
            ("near", ranking.columns.serial, digest), lambda: self._neighbours(ranking, digest)
        )
        rows = [ranking.columns.row_of(one) for one, _ in near]
        explanation = self._found(_why(ranking, row, whole=True)) or self._found(
            _why(ranking, row, whole=False)
        )
        return {
            "song": ranking.song(row),
            "explanation": explanation and explanation | {"label": ranking.label_of(row)},
            "neighbours": [
                {"similarity": similarity, "song": ranking.song(at)}
                for at, (_, similarity) in zip(rows, near, strict=True)
                if at is not None
            ],
        }

    def moments(self, name: str, digest: str, *, whole: bool) -> dict[str, Any]:
        """Tell of a song what `classify.web.models.Moments` has.

        With `whole` it is heard whole first, where it has not been.
        """
        ranking = self._live.ranking(name)
        row = self._live.row_of(ranking.columns, digest)
        explanation, note = None, ""
        try:
            # By the taste that explains: its file may hold another one by now.
            found = self._found(_why(ranking, row, whole=True)) or self._once(
                _why(ranking, row, whole=whole),
                lambda: self._explained(ranking, row, whole=whole),
            )
            explanation = found | {"label": ranking.label_of(row)}
        except (ClassifyError, EmbedError) as error:  # the song is still a song
            note = str(error)
        return {"song": ranking.song(row), "explanation": explanation, "note": note}

    def artists(self, name: str, top: int) -> dict[str, Any]:
        """Tell what `classify.web.models.ArtistList` has."""
        columns = self._live.ranking(name).columns
        found = self._once(("artists", columns.serial), lambda: artist_counts(columns))
        some = [{"artist": artist, "n_songs": n} for artist, n in found[:top]]
        return {"n_artists": len(found), "artists": some}

    def outline(self, name: str, digest: str) -> dict[str, Any]:
        """Tell of a song what `classify.web.models.OutlineFound` has."""
        ranking = self._live.ranking(name)
        row = self._live.row_of(ranking.columns, digest)

        def find() -> dict[str, Any]:
            return asdict(song_outline(_entries(ranking, digest), taste=ranking.taste))

        key = ("outline", _name(ranking.taste), digest, ranking.columns.stored_of(row))
        return {"id": digest, **self._once(key, find)}

    def alike(self, ranking: RankedSongs, row: int, move: TagMove | None) -> AlikeSongs:
        """Find songs that sound like one, or like it but with more or less of a tag.

        Raises
        ------
        Problem
            422 if the encoder has no such tag.
        CacheError
        """
        columns = ranking.columns
        digest = columns.digest_of(row)
        try:
            near = self._once(
                ("alike", columns.serial, digest), lambda: alike_songs(columns, digest)
            )
        except ClassifyError:  # it is the only song
            return AlikeSongs(rows=np.zeros(0, np.intp), similarities=np.zeros(0))
        return near if move is None else moved_by_tag(columns, row, near, move)

    def _explained(self, ranking: RankedSongs, row: int, *, whole: bool) -> dict[str, Any]:
        if ranking.taste is None:
            raise ClassifyError("nothing is learnt yet: label at least two songs that you like")
        columns, taste, root = ranking.columns, ranking.taste, self._live.settings.root
        file = columns.file_of(row)
        _require_same(file)
        if whole:
            found = explain(file.path, taste=taste, whole=True, root=root, workers=1)
        else:  # by what is stored, and what is open already
            entries = _entries(ranking, columns.digest_of(row))
            found = explain_heard(file, entries, taste=taste, library=columns.library, root=root)
        return explanation_told(found, columns)

    def _neighbours(self, ranking: RankedSongs, digest: str) -> list[tuple[str, float]]:
        try:
            found = similar_to(digest, library=ranking.columns.library, top=_N_NEIGHBOURS)
        except ClassifyError:
            return []  # it is the only song
        named = [(ranking.columns.digest_at(song.path), song.similarity) for song in found.songs]
        return [(name, similarity) for name, similarity in named if name is not None]

    def suggestions(self, name: str, top: int) -> dict[str, Any]:
        """Tell what `classify.web.models.SuggestionList` has."""
        ranking = self._live.ranking(name)
        n_unlabelled, picks = self._once(
            ("next", name, ranking.revision, top), lambda: self._suggested(ranking, top)
        )
        rows = [ranking.columns.row_of(pick[0]) for pick in picks]
        return {
            "taste": name,
            "n_unlabelled": n_unlabelled,
            "songs": [
                {"song": ranking.song(row), "unknown": unknown, "reason": reason, "why": why}
                for row, (_, unknown, reason, why) in zip(rows, picks, strict=True)
                if row is not None
            ],
        }

    def _suggested(
        self, ranking: RankedSongs, top: int
    ) -> tuple[int, list[tuple[str, float, str, str]]]:
        if ranking.taste is None:
            return self._to_begin(ranking, top)
        found = suggest_from(
            ranking.columns.library,
            ranking.taste,
            labelled=ranking.labelled(),
            top=top,
            decide_on=ranking.decisions_at,
        )
        named = [(ranking.columns.digest_at(song.path), song) for song in found.songs]
        return found.n_unlabelled, [
            (digest, song.unknown, song.reason, song.why)
            for digest, song in named
            if digest is not None
        ]

    def _to_begin(
        self, ranking: RankedSongs, top: int
    ) -> tuple[int, list[tuple[str, float, str, str]]]:
        free = np.flatnonzero(ranking.labels == 0)
        chosen = free[np.arange(min(top, len(free))) * len(free) // max(1, min(top, len(free)))]
        why = "any song whose label you know helps to begin"
        return len(free), [
            (digest, 1.0, "start", why) for digest in ranking.columns.digests(chosen)
        ]

    def evaluation(self, name: str) -> dict[str, Any]:
        """Tell what `classify.web.taste_models.EvaluationFound` has.

        It takes seconds, once for each taste.
        """
        taste = self._live.taste(name)

        def find() -> dict[str, Any]:
            root = self._live.settings.root
            found = evaluate(taste=taste, root=root)
            headline, sentence = trust_sentences(found)
            said = {"headline": headline, "sentence": sentence}
            return found.as_dict() | said | {"truth": demo_truth(name, root=root)}

        return self._once(("good", name, _name(taste)), find)

    def playlist(self, name: str, asked: PlaylistAsked) -> tuple[Taste, tuple[ScoredSong, ...]]:
        """Choose the songs of a playlist; a 404 problem without a taste, 409 without songs."""
        ranking = self._live.ranking(name)
        taste = ranking.taste or self._live.taste(name)  # says that there is none
        return taste, playlist_songs(ranking, taste, asked)

    def map(self, name: str) -> dict[str, Any]:
        """Tell what `classify.web.models.MapFound` has."""
        ranking = self._live.ranking(name)
        columns, taste = ranking.columns, ranking.taste
        key, placed = ("map", columns.serial, _name(taste)), self._live.placed
        return map_told(ranking, self._once(key, lambda: song_map(columns, taste, placed)))


def _why(ranking: RankedSongs, row: int, *, whole: bool) -> Hashable:
    """Name the account of a song; that of all of it holds for good, that of a scan until then."""
    columns = ranking.columns
    stored = b"" if whole else columns.stored_of(row)
    return ("why", _name(ranking.taste), columns.digest_of(row), whole, stored)


def _name(taste: Taste | None) -> Hashable:
    """Name a taste in a key without keeping it in memory: each label makes another one."""
    return None if taste is None else weakref.ref(taste)


def _is_void(key: Hashable) -> bool:
    """Whether a taste that it names has gone, so that nobody can ask for it."""
    parts = key if isinstance(key, tuple) else ()
    return any(isinstance(part, weakref.ref) and part() is None for part in parts)


def explanation_told(found: Explanation, columns: SongColumns) -> dict[str, Any]:
    """Tell what `classify.web.models.ExplanationFound` has."""
    plain = asdict(found)
    del plain["path"]
    for side in ("like", "dislike"):
        other = plain[side]
        if other is not None:
            other["id"] = columns.digest_at(other["path"])
    return plain


def _entries(ranking: RankedSongs, digest: str) -> list[Entry]:
    """Read what is stored of a song, one entry for each encoder."""
    stores = ranking.columns.library.vectors.stores
    entries = [entry for store in stores if (entry := store.get(digest)) is not None]
    if len(entries) < len(stores):  # it may have been pruned since
        raise ClassifyError(f"nothing is stored of {digest} any more; scan its folder again")
    return entries


def _require_same(file: FileRecord) -> None:
    """Refuse a file that has gone, or may hold another song by now."""
    try:
        status = os.stat(file.path)
    except OSError as error:
        raise ClassifyError(f"{file.path} can't be heard: {error.strerror}") from error
    if not file.is_still(status):
        raise ClassifyError(f"{file.path} has changed since it was embedded; scan its folder again")
