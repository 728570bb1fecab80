"""An explanation as a picture: the sound, and beneath it the score, over the same time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classify.explanation.explanation import Explanation, Passage
from classify.explanation.words import clock, song_name
from classify.output.plot_style import (
    LIGHT,
    SPECTRUM,
    Palette,
    Picture,
    canvas,
    label_axes,
    legible,
)
from classify.output.verdict_words import verdict_word
from embed import SoundPicture, mel_band

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["TimeAxis", "draw_explanation"]

_TICKS_HZ = (300, 1000, 3000, 10000)
_LOWEST_HZ = 50.0
_STEPS_S = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
_MOST_TICKS = 6
_TITLE_SIGNS = 40
_KEY = "Bars: what raised the score (top), or lowered it"
_BAR_FOOT, _BAR_TOP = 1.07, 1.3
_WIDE_BAND = 0.2
_LABEL_SHARE = 0.14
"""Of the width, that a bar needs so that its number fits in."""


@dataclass(frozen=True, kw_only=True)
class TimeAxis:
    """Where the time axis is in the picture.

    These are shares of its width and height, from the left and the top.
    """

    left: float
    top: float
    width: float
    height: float


def draw_explanation(
    found: Explanation, sound: SoundPicture, *, palette: Palette = LIGHT, titled: bool = True
) -> tuple[Picture, TimeAxis]:
    """Draw why a song has its score.

    Parameters
    ----------
    found : Explanation
    sound : SoundPicture
        Of the same song.
    palette : Palette
    titled : bool
        Whether the song's name stands above it.
    """
    with canvas(height_in=5.6 if titled else 5.2, palette=palette) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(1.1, 1))
        _draw_sound(upper, sound, _title(found) if titled else "")
        _draw_scores(lower, found, palette)
        lower.set_xlim(0, sound.duration_s)
        ticks = _time_ticks(sound.duration_s)
        lower.set_xticks(ticks, [clock(at) for at in ticks])
        figure.draw_without_rendering()  # only then it is known where the axes are
        above, below = upper.get_position(), lower.get_position()
    axis = TimeAxis(
        left=below.x0, top=1 - above.y1, width=below.x1 - below.x0, height=above.y1 - below.y0
    )
    return Picture(figure=figure, name="sound-and-score", alt=_alt(found), palette=palette), axis


def _title(found: Explanation) -> str:
    name = legible(" ".join(song_name(found.path, found.artist, found.title).split()))
    short = name if len(name) <= _TITLE_SIGNS else f"{name[: _TITLE_SIGNS - 1]}…"
    return f"{short}\nscore {found.score:.2f}: {verdict_word(found.verdict)}"


def _draw_sound(axes: Axes, sound: SoundPicture, title: str) -> None:
    levels = sound.levels_db
    axes.imshow(
        levels,
        origin="lower",
        aspect="auto",
        extent=(0, sound.duration_s, 0, len(levels)),
        cmap=SPECTRUM,
        vmin=-80,
        vmax=0,
        interpolation="none",
    )
    axes.grid(visible=False)
    highest = sound.highest_hz
    ticks = [hz for hz in _TICKS_HZ if hz < 0.8 * highest]
    axes.set_ylim(max(0.0, mel_band(_LOWEST_HZ, highest)), len(levels))
    axes.set_yticks([mel_band(hz, highest) for hz in ticks], [str(hz) for hz in ticks])
    axes.tick_params(labelbottom=False)
    label_axes(axes, title=title, x="", x_unit=None, y="Frequency", y_unit="Hz")


def _draw_scores(axes: Axes, found: Explanation, palette: Palette) -> None:
    edges = [*found.starts_s, found.duration_s]
    low, high = found.unsure
    axes.axhspan(low, high, color=palette.grid, linewidth=0, alpha=0.7, zorder=0)
    if high - low > _WIDE_BAND:
        axes.text(
            0.99,
            low + 0.02,
            "too close to tell",
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="bottom",
            fontsize="small",
            color=palette.muted,
        )
    axes.axhline(found.threshold, color=palette.muted, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.stairs(found.scores, edges, baseline=None, color=palette.ink, linewidth=2.0)
    for passage in found.passages:
        _mark(
            axes,
            passage,
            palette,
            wide=passage.end_s - passage.start_s > _LABEL_SHARE * found.duration_s,
        )
    axes.set_ylim(-_BAR_TOP + 1, _BAR_TOP)
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    label_axes(axes, title="", x="Time", x_unit="min:s", y="Score", y_unit=None)
    axes.set_title(
        _KEY, loc="left", fontsize="small", fontweight="normal", color=palette.muted, pad=6
    )


def _mark(axes: Axes, passage: Passage, palette: Palette, *, wide: bool) -> None:
    """Mark a passage by a bar.

    It is above the curve if the passage raised the score, else below it and striped.
    """
    up = passage.points > 0
    middle, half = (_BAR_TOP + _BAR_FOOT) / 2, (_BAR_TOP - _BAR_FOOT) / 2
    at = middle if up else 1 - middle
    axes.barh(
        at,
        passage.end_s - passage.start_s,
        left=passage.start_s,
        height=2 * half,
        color=palette.like if up else palette.dislike,
        edgecolor=palette.surface,
        linewidth=1.5,
        hatch=None if up or wide else "///",
    )
    if wide:
        axes.text(
            (passage.start_s + passage.end_s) / 2,
            at,
            f"{passage.points:+.2f}".replace("-", "\u2212"),
            ha="center",
            va="center_baseline",
            color=palette.surface,
            fontweight="bold",
        )


def _time_ticks(duration_s: float) -> list[float]:
    step = next(
        (step for step in _STEPS_S if duration_s / step <= _MOST_TICKS), duration_s / _MOST_TICKS
    )
    return np.arange(0, duration_s, step).tolist()


def _alt(found: Explanation) -> str:
    """Say in words what the picture shows."""
    told = [
        f"{clock(one.start_s)} to {clock(one.end_s)} {'raises' if one.points > 0 else 'lowers'} it "
        f"by {abs(one.points):.2f}"
        for one in found.passages
    ]
    low, high = min(found.scores), max(found.scores)
    name = song_name(found.path, found.artist, found.title)
    return (
        f"Spectrogram of {name}, {clock(found.duration_s)} long, over its score in time, which "
        f"lies between {low:.2f} and {high:.2f}; the whole song has {found.score:.2f}, the line "
        f"between like and not is at {found.threshold:.2f}. {'; '.join(told)}."
    )
