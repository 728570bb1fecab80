"""An explanation as one self-contained page.

It has a player, its sound and score to click on, and the words.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from classify.errors import ClassifyError
from classify.explanation.explanation import Explanation
from classify.explanation.picture import TimeAxis, draw_explanation
from classify.explanation.words import (
    against,
    clock,
    points_text,
    resemblance_sentence,
    score_rows,
    song_name,
    tag_rows,
    tags_sentence,
    told_tags,
    variety_sentence,
    verdict_lines,
)
from classify.output.formats import write_bytes, write_text
from classify.output.html import data_url, render_page
from embed import SoundPicture

__all__ = ["explanation_page", "write_page", "write_png"]

MAX_AUDIO_BYTES = 20_000_000
"""A larger file is not put into the page, which then plays it from where it is."""
_TEMPLATES = Path(__file__).parent / "templates"
_MEDIA = {
    ".aac": "audio/aac",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".mp3": "audio/mpeg",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".opus": "audio/ogg",
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    ".webm": "audio/webm",
    ".wma": "audio/x-ms-wma",
}


def write_png(found: Explanation, sound: SoundPicture, path: str | os.PathLike[str]) -> None:
    """Draw an explanation into a PNG file.

    Raises
    ------
    ClassifyError
        If it can't be written.
    """
    write_bytes(path, draw_explanation(found, sound)[0].png())


def write_page(found: Explanation, sound: SoundPicture, path: str | os.PathLike[str]) -> str | None:
    """Write an explanation as an HTML page.

    Returns
    -------
    str or None
        What should be said of it, in words.

    Raises
    ------
    ClassifyError
        If the song can't be read or the page not be written.
    """
    address, note = _audio(found.path)
    write_text(path, explanation_page(found, sound, audio=address))
    return note


def _audio(path: str) -> tuple[str, str | None]:
    """Return where the page gets the song from: itself, or the file where it is large."""
    try:
        n_bytes = os.stat(path).st_size
        if n_bytes > MAX_AUDIO_BYTES:
            note = (
                f"the song has {n_bytes / 1e6:.0f} MB and is not put into the page (up to "
                f"{MAX_AUDIO_BYTES / 1e6:.0f} MB are), which plays it only on this computer, from "
                f"{path}"
            )
            return Path(path).absolute().as_uri(), note
        content = Path(path).read_bytes()
    except OSError as error:
        raise ClassifyError(f"{path} can't be read: {error.strerror or error}") from error
    return data_url(content, _MEDIA.get(Path(path).suffix.lower(), "audio/mpeg")), None


def explanation_page(found: Explanation, sound: SoundPicture, *, audio: str) -> str:
    """Return an HTML document that explains a score.

    Parameters
    ----------
    found : Explanation
    sound : SoundPicture
        Of the same song.
    audio : str
        A ``data:`` or ``file:`` URL of the song.
    """
    picture, axis = draw_explanation(found, sound, titled=False)
    shown = {
        "name": song_name(found.path, found.artist, found.title),
        "found": found,
        "audio": audio,
        "verdict": verdict_lines(found),
        "picture": picture,
        "slider_place": _place(axis),
        "length": clock(found.duration_s),
        "moments": _moments(found),
        "steps": _rows(score_rows(found)),
        "variety": variety_sentence(found),
        "how_told": tags_sentence(found),
        "tags": _rows(tag_rows(found)) if told_tags(found) else [],
        "doubts": against(found),
    }
    return render_page(
        "explanation.html",
        shown,
        folder=_TEMPLATES,
        css="explanation.css",
        script="explanation.js",
        media=audio[:5],
    )


def _place(axis: TimeAxis) -> str:
    """Return the CSS that lays the slider over the picture where its time axis is."""
    share = {"left": axis.left, "top": axis.top, "width": axis.width, "height": axis.height}
    return ";".join(f"{side}:{100 * value:.3f}%" for side, value in share.items())


def _moments(found: Explanation) -> list[tuple[float, str, str]]:
    """Return what is worth hearing: where it starts in seconds, its times, and why."""
    rows = []
    for one in found.passages:
        way = "raises" if one.points > 0 else "lowers"
        words = f"{way} the score by {abs(one.points):.2f}; alone it would score {one.score:.2f}"
        rows.append((one.start_s, f"{clock(one.start_s)} to {clock(one.end_s)}", words))
    for like, what in ((found.like, "like"), (found.dislike, "dislike")):
        if like is not None:
            _, _, words = resemblance_sentence(like).partition(" ")
            rows.append((like.at_s, clock(like.at_s), f"{words}, which you {what}"))
    return rows


def _rows(rows: Sequence[tuple[str, float, str]]) -> list[tuple[str, str, str]]:
    return [(what, points_text(points), why) for what, points, why in rows]
