"""Which songs a scan that has begun them all hears to the end first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cache import CacheError
from classify.errors import ClassifyError
from classify.library.label_file import labels_path, read_labels
from classify.library.song_library import SongLibrary, same_encoder
from classify.scoring.ranking import decide_anew
from classify.taste.names import DEFAULT_TASTE, taste_path
from classify.taste.taste import Taste
from embed import EmbedError

__all__ = ["HearingOrder"]


class HearingOrder:
    """The songs that are liked, and then those that the taste ranks best.

    It is asked again and again while a scan runs, and looks anew where labels or the taste have
    changed: whoever labels meanwhile has what comes next of that heard next.

    Parameters
    ----------
    root : path or URI
        The cache.
    encoder : str
        The scan's; a taste of another one has no order for it.
    taste : str
        A name.
    """

    def __init__(self, root: str | Path, encoder: str, taste: str = DEFAULT_TASTE) -> None:
        self._root, self._encoder = root, encoder
        self._taste = taste_path(taste, root=root)
        self._stamp: object = None
        self._order: Sequence[str] = ()

    def __call__(self) -> Sequence[str]:
        """Return digests, those wanted most first; the same object where nothing has changed."""
        stamp = [_stamp(path) for path in (self._taste, labels_path(self._taste))]
        if stamp != self._stamp:
            self._stamp, self._order = stamp, self._look()
        return self._order

    def _look(self) -> list[str]:
        order: list[str] = []
        try:
            labels = read_labels(labels_path(self._taste)) or ()
            order += [one.digest for one in labels if one.label == "like" and one.digest]
            if self._taste.exists():
                order += self._ranked(Taste.load(self._taste))
        except (CacheError, ClassifyError, EmbedError):
            pass  # whoever asks for a score is told; a scan goes on without an order
        return list(dict.fromkeys(order))

    def _ranked(self, taste: Taste) -> list[str]:
        if not same_encoder(self._encoder, taste):
            return []
        vectors = SongLibrary.of_taste(taste, self._root).vectors.open()
        decisions = decide_anew(taste, vectors, np.arange(len(vectors)))
        best_first = np.argsort(-decisions, kind="stable")
        ranked: list[str] = vectors.digests.take(best_first).to_pylist()
        return ranked


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
