"""An explanation in words, for a terminal and for the page."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from classify.explanation.explanation import Explanation, Passage, Resemblance, TagShare
from classify.explanation.tag_account import MIN_SONGS
from classify.output.formats import counted, printable

__all__ = [
    "against",
    "clock",
    "explanation_story",
    "heard_sentence",
    "points_text",
    "resemblance_sentence",
    "score_rows",
    "song_name",
    "tag_rows",
    "tags_sentence",
    "told_tags",
    "variety_sentence",
    "verdict_lines",
]

MIN_R2 = 0.25
"""Below that tags tell too little of a taste to be named."""
_MOST_TAGS = 4
_LEAST = 0.005
_HEARD = 0.05
"""A tag of which neither the song nor others have that much, nobody hears in it."""
_ALIKE = 0.5
_LONGEST_NAME = 80
_FEW_LIKES = 7
_SAMENESS = 0.02
_SHORT = 4  # windows


def clock(seconds: float) -> str:
    """Write a time as m:ss, or h:mm:ss."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def song_name(path: str, artist: str | None, title: str | None) -> str:
    """Return artist and title on one line, 80 signs at most.

    Where there are no tags, return the file's name.
    """
    name = " ".join(" - ".join(part for part in (artist, title) if part).split()) or Path(path).name
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def verdict_lines(found: Explanation) -> list[str]:
    """Say what the score is, and what it means."""
    low, high = found.unsure
    words = {
        "like": "you would probably like it",
        "dislike": "you would probably not like it",
        "unsure": f"it is too close to tell (between {low:.2f} and {high:.2f} nothing is certain)",
    }
    lines = [f"Score {found.score:.2f}: {words[found.verdict]}."]
    heard = heard_sentence(found)
    lines += [heard] if heard else []
    if found.label:
        lines.append(
            f"You have called it a {found.label} yourself, and the taste has learnt from that."
        )
    return lines


def heard_sentence(found: Explanation) -> str:
    """Say how much of the song was heard, or how its score changed by that; "" where it did not."""
    if found.n_windows:
        were = "was" if found.n_windows == 1 else "were"
        return (
            f"This is told by the {counted(found.n_windows, 'moment')} of it that {were} heard; "
            "'sevensongs explain --whole' hears all of it."
        )
    before, n = found.scanned_score, found.scanned_windows
    if before is None or f"{before:.2f}" == f"{found.score:.2f}":
        return ""
    windows = f"{n} window{'' if n == 1 else 's'}"
    return (
        f"It had {before:.2f} from a scan of {windows}, and has {found.score:.2f} now that all of "
        "it was heard."
    )


def tags_sentence(found: Explanation) -> str:
    """Say how far tags can be believed."""
    if found.tags is None:
        return (
            "No tags here: the encoder has none of its own, or there are fewer than "
            f"{MIN_SONGS} songs to weigh them."
        )
    if found.tags.r2 < MIN_R2:
        return "This taste is about something that the encoder's tags have no words for."
    return f"In tags, which explain {found.tags.r2:.0%} of what this taste decides on other songs"


def told_tags(found: Explanation) -> tuple[TagShare, ...]:
    """Return the tags that are worth naming."""
    if found.tags is None or found.tags.r2 < MIN_R2:
        return ()
    heard = (tag for tag in found.tags.tags if max(tag.song, tag.usual) >= _HEARD)
    return tuple(tag for tag in islice(heard, _MOST_TAGS) if abs(tag.points) >= _LEAST)


def resemblance_sentence(found: Resemblance) -> str:
    """Say which moment sounds like which."""
    name = song_name(found.path, found.artist, found.title)
    verb = "sounds like" if found.similarity >= _ALIKE else "comes nearest to"
    return f"{clock(found.at_s)} {verb} {clock(found.other_at_s)} of {name}"


def against(found: Explanation) -> list[str]:
    """Say what speaks against the song, the weightiest first.

    Say also what speaks against believing the score.
    """
    said = []
    if found.unfamiliar < 0:
        said.append(
            "It is unlike anything that is known, and is held down for that "
            f"({points_text(found.unfamiliar)})."
        )
    worst = min(found.passages, key=lambda one: one.points, default=None)
    if worst is not None and worst.points <= -_LEAST:
        said.append(f"{_span(worst)} pulls it down most ({points_text(worst.points)}).")
    elif found.scores and min(found.scores) < found.score - 0.1:
        at = found.scores.index(min(found.scores))
        said.append(
            f"It is weakest at {clock(found.starts_s[at])}: there it scores {found.scores[at]:.2f}."
        )
    if found.variety <= -_SAMENESS:
        short = len(found.points) < _SHORT
        how = "too short to be varied" if short else "varied otherwise than what you like"
        said.append(f"It is {how} ({points_text(found.variety)}).")
    down = [tag for tag in told_tags(found) if tag.points <= -_LEAST]
    if down:
        said.append("In tags: " + ", ".join(_tag_words(tag) for tag in down) + ".")
    other, liked = found.dislike, found.like
    if other is not None and (liked is None or other.similarity >= min(liked.similarity, _ALIKE)):
        said.append(f"{resemblance_sentence(other)}, which you dislike.")
    if found.verdict == "unsure":
        likes = counted(found.n_like, "like")
        said.append(f"The evidence is thin: from {likes} no more can be told.")
    return said


def explanation_story(found: Explanation) -> str:
    """Tell it all in lines for a terminal; no name in it can be a command."""
    name = song_name(found.path, found.artist, found.title)
    lines = [f"{name} ({clock(found.duration_s)})", *verdict_lines(found), ""]
    start = f"From {found.start_score:.2f}, a song half-way between what you like and the rest"
    lines += [f"{start}, to {found.score:.2f}:"]
    lines += _rows(score_rows(found))
    if abs(found.variety) >= _SAMENESS:
        lines.append(f"{variety_sentence(found)}.")
    if told_tags(found):
        lines += ["", f"{tags_sentence(found)}:", *_rows(tag_rows(found))]
    else:
        lines += ["", tags_sentence(found)]
    if found.like is not None:
        lines += ["", f"{resemblance_sentence(found.like)}, which you like."]
    speaks = against(found)
    if speaks:
        lines += ["", "What speaks against it:", *(f"  {one}" for one in speaks)]
    return "".join(f"{printable(line)}\n" for line in lines)


def variety_sentence(found: Explanation) -> str:
    """Say what of the score belongs to no moment."""
    points = points_text(found.variety)
    way = "adds" if found.variety > 0 else "takes"
    return f"How much it changes as it goes on {way} {points.lstrip('+-')}; that is in the above"


def score_rows(found: Explanation) -> list[tuple[str, float, str]]:
    """Return what adds up to the score: what, how much, and what it would score alone."""
    rows = [
        (_span(one), one.points, f"alone it would score {one.score:.2f}") for one in found.passages
    ]
    rest = sum(found.points) - sum(one.points for one in found.passages)
    whole = len(found.passages) == 1 and not rest
    rows += [] if whole or abs(rest) < _LEAST / 10 else [("the rest of it", rest, "")]
    if found.unfamiliar < 0:
        rows.append(("its strangeness", found.unfamiliar, "unlike anything known"))
    return rows


def tag_rows(found: Explanation) -> list[tuple[str, float, str]]:
    """Return what adds up to the score in tags."""
    assert found.tags is not None
    told = told_tags(found)
    others = sum(tag.points for tag in found.tags.tags) - sum(tag.points for tag in told)
    rows = [(tag.tag, tag.points, _amount(tag)) for tag in told]
    rows.append(("other tags", others, ""))
    rows.append(("not told by tags", found.tags.not_told, ""))
    return rows


def _rows(rows: list[tuple[str, float, str]]) -> list[str]:
    width = max(len(printable(what)) for what, _, _ in rows)
    return [
        f"  {printable(what):<{width}}  {points_text(points):>5}  {why}".rstrip()
        for what, points, why in rows
    ]


def points_text(value: float) -> str:
    """Write what something adds to a score."""
    return f"{round(value, 2) + 0.0:+.2f}"  # never -0.00


def _span(passage: Passage) -> str:
    return f"{clock(passage.start_s)} to {clock(passage.end_s)}"


def _amount(tag: TagShare) -> str:
    return "more than usual" if tag.song > tag.usual else "less than usual"


def _tag_words(tag: TagShare) -> str:
    return (
        f"{'more' if tag.song > tag.usual else 'less'} {tag.tag} than usual "
        f"({points_text(tag.points)})"
    )
