"""Spectrograms of songs as bare PNG pictures: drawn up in a kept process, the last ones kept."""

from __future__ import annotations

import io
import os
import threading
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from classify.output.plot_style import SPECTRUM
from classify.web.kept_process import Call, KeptProcess
from classify.web.problems import Problem
from embed import Limits, draw_sound, drawing_s

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cache import FileRecord

__all__ = ["Spectrogram", "Spectrograms", "changed_since", "write_png"]

_KEPT = 64  # of 128 kB
_MOST_WAITING = 16
_RETRY_S = 3
_FLOOR_DB = -80.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Spectrogram:
    """A song's sound.

    Attributes
    ----------
    levels : ndarray, shape (n_bands, n_columns), uint8
        From 0, which is 80 dB below the loudest, to 255; the lowest band first.
    duration_s, highest_hz : float
        What the columns and the bands cover.
    """

    levels: NDArray[np.uint8]
    duration_s: float
    highest_hz: float


class Spectrograms:
    """Draws one song at a time, in a process that is kept.

    Parameters
    ----------
    limits : Limits, optional
        What one song may ask.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._worker = KeptProcess("pictures", limits=self._limits)
        self._kept: OrderedDict[str, Spectrogram] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, digest: str) -> Spectrogram | None:
        """Return a song's picture if it is kept."""
        with self._lock:
            if digest in self._kept:
                self._kept.move_to_end(digest)
            return self._kept.get(digest)

    def draw(self, digest: str, song: FileRecord) -> Future[Spectrogram]:
        """Queue a song to be drawn up.

        Raises
        ------
        Problem
            503 if too many wait. The future may have: 410 if the file has gone or changed, or an
            EmbedError.
        """
        if self._worker.n_waiting >= _MOST_WAITING:
            raise Problem(
                503,
                f"{self._worker.n_waiting} pictures wait to be drawn; ask again in {_RETRY_S} s",
                headers={"Retry-After": str(_RETRY_S)},
            )
        return self._worker.submit(lambda call: self._draw(call, digest, song))

    def stop(self) -> None:
        """Give up what is drawn, and return at once."""
        self._worker.stop()

    def close(self) -> None:
        """End the process."""
        self._worker.close()

    def _draw(self, call: Call, digest: str, song: FileRecord) -> Spectrogram:
        kept = self.find(digest)
        if kept is not None:  # while this one waited
            return kept
        _require_still(song)
        cpu_s = drawing_s(song.size_bytes, self._limits)
        sound = call(draw_sound, song.path, self._limits, cpu_s=cpu_s)
        _require_still(song)
        levels = np.round((sound.levels_db / -_FLOOR_DB + 1) * 255).astype(np.uint8)
        picture = Spectrogram(
            levels=levels, duration_s=sound.duration_s, highest_hz=sound.highest_hz
        )
        with self._lock:
            self._kept[digest] = picture
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return picture


def changed_since(song: FileRecord) -> Problem:
    """Return what a song ends with of which the file has gone or changed.

    What is there may be anything.
    """
    return Problem(
        410,
        f"the file of this song ({os.path.basename(song.path)!r}) has gone, or changed since it "
        "was heard; scan its folder again",
    )


def _require_still(song: FileRecord) -> None:
    try:
        still = song.is_still(os.stat(song.path))
    except (OSError, ValueError):
        still = False
    if not still:
        raise changed_since(song)


def write_png(levels: NDArray[np.uint8], width: int, height: int) -> bytes:
    """Write a picture without axes: time to the right, low notes at the bottom.

    Parameters
    ----------
    levels : ndarray, shape (n_bands, n_columns), uint8
    width, height : int
        In pixels; the nearest column and band are taken.

    Returns
    -------
    bytes
        PNG with a palette: a byte a pixel, before it is compressed. Equal pictures give equal
        bytes.
    """
    from PIL import Image  # here, as the service starts without pictures

    rows = np.arange(height)[::-1] * len(levels) // height
    columns = np.arange(width) * levels.shape[1] // width
    image = Image.frombytes("P", (width, height), levels[np.ix_(rows, columns)].tobytes())
    image.putpalette(_palette())
    out = io.BytesIO()
    image.save(out, format="PNG")
    return out.getvalue()


@cache
def _palette() -> bytes:
    """Return 256 colours, dark to light, as the other pictures of sound have them."""
    from matplotlib import colormaps

    colours = colormaps[SPECTRUM](np.arange(256), bytes=True)[:, :3]
    return np.ascontiguousarray(colours, np.uint8).tobytes()
