"""Spectrograms of songs as bare PNG pictures: drawn up in a kept process, the last ones kept."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from classify.web.kept_process import Call, KeptProcess
from classify.web.sound.file_findings import FileFindings
from embed import Limits, draw_sound, drawing_s

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cache import FileRecord

__all__ = ["Spectrogram", "spectrograms", "write_png"]

_KEPT = 64  # of 128 kB
_FLOOR_DB = -80.0
# Each 17th colour of `SPECTRUM`: to import Matplotlib for them takes as long as half the drawing.
_COLOURS = (
    "00224d 002e6b 1d396e 35456c 47516b 575d6d 666970 747575 "
    "848178 948e77 a59b73 b6a96e c8b765 dac65a edd648 fde737"
)


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


def spectrograms(process: KeptProcess, limits: Limits) -> FileFindings[Spectrogram]:
    """Draw songs in a process, within what a file may ask."""

    def drawn(call: Call, song: FileRecord) -> Spectrogram:
        sound = call(draw_sound, song.path, limits, cpu_s=drawing_s(song.size_bytes, limits))
        levels = np.round((sound.levels_db / -_FLOOR_DB + 1) * 255).astype(np.uint8)
        return Spectrogram(levels=levels, duration_s=sound.duration_s, highest_hz=sound.highest_hz)

    return FileFindings(process, drawn, kept=_KEPT)


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
    """Return 256 colours, dark to light, near those that the other pictures of sound have."""
    steps = np.array([list(bytes.fromhex(step)) for step in _COLOURS.split()])
    at, between = np.linspace(0, 255, len(steps)), np.arange(256)
    colours = [np.interp(between, at, channel) for channel in steps.T]
    return np.round(np.stack(colours, axis=1)).astype(np.uint8).tobytes()
