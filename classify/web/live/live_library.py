"""The library and the tastes as the service sees them, kept in memory."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from cache import SCORES_FOLDER, CacheError, FileRecord, local_root
from classify.errors import ClassifyError, LabelError, TasteError
from classify.scoring.ranking import decide
from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray
from classify.web.live.columns_by_encoder import ColumnsByEncoder
from classify.web.live.former_orders import FormerOrders
from classify.web.live.ranked_songs import RankedSongs, Scored, carried, codes_of
from classify.web.live.song_columns import SongColumns
from classify.web.live.taste_files import TasteFiles
from classify.web.memory import give_back_memory
from classify.web.placed_songs import PlacedSongs
from classify.web.problems import Problem
from classify.web.settings import ServiceSettings

__all__ = ["LiveLibrary"]

_log = logging.getLogger("sevensongs")
_LOOK_EVERY_S = 1.0
_IDLE_SHARE = 10  # reading the library anew takes a tenth of the time at most
_KEPT_RANKINGS = 8


@dataclass(kw_only=True)
class _Kept:
    ranking: RankedSongs
    stamp: tuple[object, object]  # of the cache, and of the taste's files
    look_again: float
    claimed_until: float = 0.0  # somebody is about to look
    error: Exception | None = None  # why the taste can't be read as it is now


class LiveLibrary:
    """What the routes ask: songs, and how a taste ranks them. Threads may share it.

    Parameters
    ----------
    settings : ServiceSettings

    Attributes
    ----------
    placed : PlacedSongs
        Where songs lie in song space.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.tastes = TasteFiles(settings.root)
        self._by_encoder = ColumnsByEncoder(settings.root, only_demo=settings.only_demo)
        self._kept: dict[str, _Kept] = {}
        self._former = FormerOrders()
        self.placed = PlacedSongs(local_root(settings.root) / SCORES_FOLDER)
        self._spare: SongColumns | None = None
        self._loading = threading.RLock()
        # A lock lives as long as somebody holds it or waits: names of tastes are whatever clients
        # send.
        self._learning: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()
        # It rises over restarts too, so that a page which stays open sees that things have changed.
        self._revisions = itertools.count(int(time.time()))

    @property
    def n_songs(self) -> int:
        """Recordings in the library, as the default taste's encoder has them."""
        return len(self.columns())

    @property
    def encoder(self) -> str:
        """The encoder of the default taste; without one, that of the library."""
        return self.columns().library.encoder

    def taste_names(self) -> list[str]:
        """Return the names of tastes, the default first."""
        default = self.settings.taste
        return [default, *(name for name in self.tastes.names() if name != default)]

    def taste_info(self, name: str) -> dict[str, Any]:
        """Tell of a taste what `classify.web.taste_models.TasteInfo` has."""
        return self.tastes.info(name, encoder=self.encoder)

    def taste(self, name: str | None = None) -> Taste:
        """Return a taste that has been learnt; a 404 problem if there is none of this name."""
        return self.tastes.require(name or self.settings.taste)

    def holds(self, digest: str) -> bool:
        """Whether a song is in the library."""
        return any(columns.row_of(digest) is not None for columns in self._open_columns())

    def song_file(self, digest: str) -> FileRecord:
        """Return a file of a song, one that is there if there is any.

        Raise a 404 problem for an unknown digest.
        """
        for columns in self._open_columns():
            row = columns.row_of(digest)
            if row is not None:
                return columns.file_of(row)
        raise _no_song(digest)

    def columns(self) -> SongColumns:
        """Return the songs as the default taste sees them.

        Where that is damaged, return them as without a taste.
        """
        try:
            return self.ranking().columns
        except (LabelError, TasteError):
            with self._loading:
                self._spare = self._by_encoder.of(None)
                return self._spare

    def _open_columns(self) -> list[SongColumns]:
        """List the songs of the default taste, and those of other encoders that are looked at."""
        every = [self.columns(), *(kept.ranking.columns for kept in list(self._kept.values()))]
        return list({columns.serial: columns for columns in every}.values())

    def row_of(self, columns: SongColumns, digest: str) -> int:
        """Return the row of a song; raise a 404 problem if it has none."""
        row = columns.row_of(digest)
        if row is None:
            raise _no_song(digest)
        return row

    def ranking(self, name: str | None = None) -> RankedSongs:
        """Return the songs as a taste ranks them, not more than about a second old.

        While another thread reads what is new, or learns, the others get what was there before.

        Raises
        ------
        TasteError, LabelError
            If the taste or its labels are damaged.
        CacheError
        """
        name = name or self.settings.taste
        kept = self._kept.get(name)
        is_fresh = kept is not None and time.monotonic() < kept.look_again
        if kept is not None and (is_fresh or self.is_learning(name)):
            return _sound(kept)
        if not self._loading.acquire(blocking=kept is None):
            assert kept is not None
            return _sound(kept)
        try:
            return self._looked_up(name)
        finally:
            self._loading.release()

    def as_of(self, ranking: RankedSongs, revision: int) -> RankedSongs:
        """Return how a taste's songs stood at a revision, as far as that is still known.

        Where it is not, or songs have come since, return them as they stand now.
        """
        return self._former.find(ranking, revision) or ranking

    def ranking_now(self, name: str | None = None) -> RankedSongs | None:
        """Return what is kept, without waiting.

        Return None to one who asks when it is time to look again. Whoever gets None calls
        `ranking`, and the others do not wait for that.
        """
        kept = self._kept.get(name or self.settings.taste)
        if kept is None or kept.error is not None:
            return None
        now = time.monotonic()
        if now >= kept.look_again and now >= kept.claimed_until:
            kept.claimed_until = now + _LOOK_EVERY_S
            return None
        return kept.ranking

    def is_learning(self, name: str) -> bool:
        """Whether a taste is being taught here now."""
        lock = self._learning.get(name)
        return lock is not None and lock.locked()

    def is_kept(self, name: str) -> bool:
        """Whether a taste has been looked at lately."""
        return name in self._kept

    def shown_cache(self) -> object:
        """Return the stamp of the cache as it is shown; None where that is not known."""
        try:
            self.ranking()
        except (LabelError, TasteError):  # told where it is asked for
            return None
        kept = self._kept.get(self.settings.taste)
        return None if kept is None else kept.stamp[0]

    def forget(self, name: str) -> None:
        """Read a taste anew when it is asked for: its files have another name, or are gone."""
        with self._loading:
            self._kept.pop(name, None)

    def refresh(self) -> None:
        """Have the next question look at the stores, however short ago that was done."""
        with self._loading:
            for kept in self._kept.values():
                kept.look_again = 0.0
            self._by_encoder.refresh()

    def warm(self) -> None:
        """Read the library, and the program that learns, before anybody waits for them."""
        try:
            ranking = self.ranking()
            if ranking.taste is not None:
                self.placed.prepare(ranking.taste, *ranking.columns.placed)
        except (CacheError, ClassifyError) as error:  # whoever asks is told too
            _log.warning("%s", error)
        import classify.learning.fit  # noqa: F401

        give_back_memory()

    def close(self) -> None:
        """Let go of everything."""
        with self._loading:
            self._kept.clear()
            self._former.clear()

    def _looked_up(self, name: str) -> RankedSongs:
        kept = self._kept.get(name)
        started = time.monotonic()
        if kept is not None and started < kept.look_again:  # another thread has just looked
            return _sound(kept)
        stamp = (self._by_encoder.stamp(), self.tastes.stamp(name))
        if kept is not None and kept.stamp == stamp and kept.error is None:
            ranking = kept.ranking
        else:
            try:
                ranking = self._made(name, None if kept is None else kept.ranking)
            # told to all who ask, and not old scores to some
            except (LabelError, TasteError) as error:
                if kept is not None:
                    kept.error, kept.look_again = error, time.monotonic() + _LOOK_EVERY_S
                raise
        self._keep(ranking, stamp, started)
        return ranking

    def _keep(self, ranking: RankedSongs, stamp: tuple[object, object], started: float) -> None:
        now = time.monotonic()
        look_again = now + max(_LOOK_EVERY_S, _IDLE_SHARE * (now - started))
        with self._loading:
            was = self._kept.pop(ranking.name, None)
            if was is not None:
                self._former.remember(was.ranking, ranking, self._kept)
            self._kept[ranking.name] = _Kept(ranking=ranking, stamp=stamp, look_again=look_again)
            others = [
                name for name in self._kept if name not in (ranking.name, self.settings.taste)
            ]
            too_many = set(others[: max(0, len(others) - _KEPT_RANKINGS)])
            for name in [one for one in self._kept if one != ranking.name]:
                # One of old columns would keep all of them in memory.
                if name in too_many or not self._by_encoder.has(self._kept[name].ranking.columns):
                    del self._kept[name]
            used = [kept.ranking.columns for kept in self._kept.values()]
            self._by_encoder.drop_unused([*used, *([self._spare] if self._spare else [])])

    def _made(self, name: str, former: RankedSongs | None) -> RankedSongs:
        taste, labels = self.tastes.read(name)
        columns = self._by_encoder.of(taste)
        before = None
        if former is not None and former.taste is not taste:
            before = former.ranks_on(columns)
        elif former is not None and former.before is not None:
            before = (
                former.before
                if former.columns is columns
                else carried(former.before, former.columns, columns)
            )
        if former is not None and former.taste is taste and former.columns is columns:
            scored = former.scored
        else:
            scored = None if taste is None else Scored.of(taste, self._decisions(taste, columns))
        return self._ranking(name, columns, (taste, labels), scored, before)

    def _ranking(
        self,
        name: str,
        columns: SongColumns,
        said: tuple[Taste | None, Mapping[str, str]],
        scored: Scored | None,
        before: NDArray[np.int64] | None,
    ) -> RankedSongs:
        taste, labels = said
        values = list(labels.values())
        return RankedSongs(
            name=name,
            revision=next(self._revisions),
            columns=columns,
            taste=taste,
            labels=codes_of(labels, columns),
            n_like=values.count("like"),
            n_dislike=values.count("dislike"),
            placed=self.placed,
            scored=scored,
            before=before,
        )

    def _decisions(self, taste: Taste, columns: SongColumns) -> FloatArray:
        return columns.by_row(decide(taste, *columns.placed, self.settings.root))

    def newest(self, name: str) -> RankedSongs:
        """Return the ranking with the current labels: training never starts from old ones."""
        with self._loading:
            kept = self._kept.get(name)
            if kept is not None and kept.stamp[1] != self.tastes.stamp(name):
                kept.look_again = 0.0
            return self._looked_up(name)

    @contextmanager
    def learning(self, name: str) -> Iterator[None]:
        """Keep other threads from teaching a taste meanwhile.

        What is asked of it is answered as it was.
        """
        with self._loading:
            lock = self._learning.setdefault(name, threading.Lock())
        with lock:
            yield

    def learnt(self, former: RankedSongs) -> RankedSongs:
        """Show a taste and its labels as their files are now.

        `learning` must be held since `newest`.
        """
        name, columns = former.name, former.columns
        with self._loading:
            kept = self._kept.get(name)
            cache_stamp = kept.stamp[0] if kept is not None and kept.ranking is former else None
        stamp = (cache_stamp, self.tastes.stamp(name))
        taste, labels = self.tastes.read(name)
        if taste is None or taste is former.taste:
            scored, before = former.scored, former.before
        else:
            decisions = self.placed.decisions(taste, *columns.placed)
            scored = Scored.of(taste, columns.by_row(decisions))
            before = former.ranks_on(columns)
        ranking = self._ranking(name, columns, (taste, labels), scored, before)
        self._keep(ranking, stamp, time.monotonic())
        return ranking


def _sound(kept: _Kept) -> RankedSongs:
    if kept.error is not None:
        raise kept.error
    return kept.ranking


def _no_song(digest: str) -> Problem:
    return Problem(404, f"no song {digest} is in the library; 'sevensongs embed PATH' adds songs")
