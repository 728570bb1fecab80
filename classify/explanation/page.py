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
from classify.output.html import Html, data_url, element, page, section, table
from embed import SoundPicture

__all__ = ["explanation_page", "write_page", "write_png"]

MAX_AUDIO_BYTES = 20_000_000
"""A larger file is not put into the page, which then plays it from where it is."""
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
    name = song_name(found.path, found.artist, found.title)
    picture, axis = draw_explanation(found, sound, titled=False)
    verdict, *more = verdict_lines(found)
    body = [
        element("p", "Seven Songs: why this score", class_="kicker"),
        element("h1", name),
        element("p", verdict, class_="lead"),
        *(element("p", line) for line in more),
        element("audio", src=audio, controls=True, preload="auto", id="player"),
        element("p", _SILENT, id="silent", class_="note", hidden=True),
        element("figure", _seekable(picture.svg(), axis, found), element("figcaption", _CAPTION)),
        _moments(found),
        section(
            "What adds up to the score",
            element(
                "p",
                "A song half-way between what you like and the rest of your library has "
                f"{found.start_score:.2f}. These steps lead from there to this song's "
                f"{found.score:.2f}.",
            ),
            _rows(("What", "Adds", "Note"), score_rows(found)),
            element("p", f"{variety_sentence(found)}.", class_="muted"),
        ),
        _tags(found),
        _doubts(found),
        element("footer", element("small", _footer(found, audio))),
    ]
    return page(
        title=f"{name}: why this score", body=body, script=_SCRIPT, css=_CSS, media=audio[:5]
    )


_CAPTION = (
    "Above: the sound, high notes at the top, brighter where it is louder. Below: what the whole "
    "song would score if all of it sounded as it does there; above the dashed line it is rather "
    "liked, in the grey band it is too close to tell. Click or drag to listen; with the keyboard, "
    "use the arrows."
)


def _seekable(picture: str, axis: TimeAxis, found: Explanation) -> Html:
    """Lay a slider over the picture where its time axis is."""
    share = {"left": axis.left, "top": axis.top, "width": axis.width, "height": axis.height}
    slider = element(
        "div",
        element("div", id="head"),
        id="seek",
        role="slider",
        tabindex=0,
        aria_label="Position in the song",
        aria_valuemin=0,
        aria_valuemax=round(found.duration_s),
        aria_valuenow=0,
        aria_valuetext=f"0:00 of {clock(found.duration_s)}",
        data_seconds=f"{found.duration_s:.3f}",
        style=";".join(f"{side}:{100 * value:.3f}%" for side, value in share.items()),
    )
    return element("div", Html(picture), slider, class_="seekable")


def _moments(found: Explanation) -> Html:
    """List what is worth hearing, each with a button that plays it."""
    items = []
    for one in found.passages:
        way = "raises" if one.points > 0 else "lowers"
        words = (
            f" {way} the score by {abs(one.points):.2f}; "
            f"all like this, the song would have {one.score:.2f}"
        )
        items.append(
            element("li", _play(one.start_s, f"{clock(one.start_s)} to {clock(one.end_s)}"), words)
        )
    for like, what in ((found.like, "like"), (found.dislike, "dislike")):
        if like is not None:
            words = f" {resemblance_sentence(like).partition(' ')[2]}, which you {what}"
            items.append(element("li", _play(like.at_s, clock(like.at_s)), words))
    return section("Moments to listen to", element("ul", *items, class_="moments"))


def _play(at_s: float, words: str) -> Html:
    return element(
        "button", words, type="button", data_at=f"{at_s:.2f}", aria_label=f"Play from {words}"
    )


def _tags(found: Explanation) -> Html:
    if not told_tags(found):
        return section("In tags", element("p", tags_sentence(found)))
    return section(
        "In tags",
        element("p", f"{tags_sentence(found)}: how much of the same steps each of them explains."),
        _rows(("Tag", "Adds", "In this song"), tag_rows(found)),
    )


def _doubts(found: Explanation) -> Html:
    said = against(found)
    listed = (
        element("ul", *(element("li", one) for one in said)) if said else element("p", "Nothing.")
    )
    return section("What speaks against it", listed)


def _rows(header: Sequence[str], rows: Sequence[tuple[str, float, str]]) -> Html:
    return table(
        header, [(what, points_text(points), why) for what, points, why in rows], numbers={1}
    )


def _footer(found: Explanation, audio: str) -> str:
    where = "is inside this page" if audio.startswith("data:") else f"is played from {found.path}"
    return (
        f"Made by sevensongs explain from a taste of {found.n_like} likes and {found.n_dislike} "
        f"dislikes. The song {where}; the page asks for nothing from the network."
    )


_SILENT = (
    "Your browser does not play this song's format, or the file has been moved. All else is here."
)

_CSS = """
figure:has(.seekable){max-width:none}
.seekable{position:relative;max-width:58rem;margin:0 auto}
.seekable svg{display:block;width:100%;height:auto}
#seek{position:absolute;cursor:pointer;touch-action:pan-y;border-radius:.25rem}
#head{position:absolute;top:0;bottom:0;left:0;width:3px;margin-left:-1.5px;pointer-events:none;
 background:var(--second);box-shadow:0 0 0 1px var(--surface)}
.moments{padding-left:0;list-style:none}
.moments li{margin:.625rem 0}
@media print{audio,#seek,#silent{display:none}}
"""

_SCRIPT = """
"use strict";
const player = document.getElementById("player");
const seek = document.getElementById("seek");
const head = document.getElementById("head");
const total = Number(seek.dataset.seconds);
function clock(at) {
  const two = (number) => String(number).padStart(2, "0");
  const s = Math.floor(at), m = Math.floor(s / 60), h = Math.floor(m / 60);
  return h ? `${h}:${two(m % 60)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}
function show() {
  const at = Math.min(player.currentTime, total);
  head.style.left = `${100 * at / total}%`;
  seek.setAttribute("aria-valuenow", Math.round(at));
  seek.setAttribute("aria-valuetext", `${clock(at)} of ${clock(total)}`);
}
function go(at) {
  player.currentTime = Math.max(0, Math.min(total, at));
  show();
}
function play() {
  player.play().catch(() => {});
}
function pointed(event) {
  const box = seek.getBoundingClientRect();
  go(total * (event.clientX - box.left) / box.width);
}
let dragging = false;
seek.addEventListener("pointerdown", (event) => {
  dragging = true;
  seek.setPointerCapture(event.pointerId);
  pointed(event);
  play();
});
seek.addEventListener("pointermove", (event) => { if (dragging) pointed(event); });
for (const end of ["pointerup", "pointercancel"]) {
  seek.addEventListener(end, () => { dragging = false; });
}
seek.addEventListener("keydown", (event) => {
  const moves = {ArrowLeft: -5, ArrowDown: -5, ArrowRight: 5, ArrowUp: 5, PageDown: -30, PageUp: 30};
  if (event.key in moves) go(player.currentTime + moves[event.key]);
  else if (event.key === "Home") go(0);
  else if (event.key === "End") go(total);
  else if (event.key === " " || event.key === "Enter") player.paused ? play() : player.pause();
  else return;
  event.preventDefault();
});
for (const button of document.querySelectorAll("[data-at]")) {
  button.addEventListener("click", () => { go(Number(button.dataset.at)); play(); });
}
for (const change of ["timeupdate", "seeked"]) player.addEventListener(change, show);
player.addEventListener("error", () => { document.getElementById("silent").hidden = false; });
if (player.error) document.getElementById("silent").hidden = false;
"""
