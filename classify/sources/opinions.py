"""What of a source counts as a like or a dislike: ``rating>=4``, ``loved``, ``mood:good``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from classify.errors import LabelError
from classify.sources.source_song import Said, SourceReading, SourceSong

__all__ = ["Condition", "Opinions", "opinions_of", "parse_condition"]

_WRITTEN = re.compile(r"\s*([^<>=!:]+?)\s*(?:(>=|<=|!=|=|<|>|:)\s*(.*?)\s*)?", re.DOTALL)
_ALL = "all"
_RATED = ("rating", "ratings", "stars", "score", "plays")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d{1,2}")
_THOUSANDS = re.compile(r"-?\d{1,3}(,\d{3})+")
_NO = frozenset({"", "0", "no", "false", "none"})


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One thing that a source may say of a song; see `parse_condition`."""

    field: str
    operator: str
    value: str

    def holds(self, said: Said) -> bool:
        """Whether a source says so; what it does not say never holds."""
        if self.field == _ALL:
            return True
        there = said.get(self.field)
        if there is None:
            return False
        if not self.operator:
            return str(there).strip().lower() not in _NO and _number(there) != 0
        if self.operator == ":":
            return self.value.casefold() in str(there).casefold()
        theirs, ours = _number(there), _number(self.value)
        if self.operator in ("=", "!="):
            same = str(there).casefold() == self.value.casefold()
            if theirs is not None and ours is not None:
                same = theirs == ours
            return same == (self.operator == "=")
        if theirs is None or ours is None:
            return False
        return {
            ">=": theirs >= ours,
            "<=": theirs <= ours,
            ">": theirs > ours,
            "<": theirs < ours,
        }[self.operator]


@dataclass(frozen=True, kw_only=True)
class Opinions:
    """The songs of a source that are liked, those that are disliked, and how many are both."""

    likes: tuple[SourceSong, ...]
    dislikes: tuple[SourceSong, ...]
    n_both: int


def parse_condition(text: str, fields: Sequence[str]) -> Condition:
    """Read a condition.

    Parameters
    ----------
    text : str
        ``FIELD`` (is set, and not 0), ``FIELD>=NUMBER`` (also ``<=``, ``>``, ``<``),
        ``FIELD=VALUE``, ``FIELD!=VALUE``, ``FIELD:PART`` (has this in it); or ``all``.
    fields : sequence of str
        Those that the source knows.

    Raises
    ------
    LabelError
        If it is none, or the source has no such field.

    Examples
    --------
    >>> from classify.sources.opinions import parse_condition
    >>> parse_condition("rating >= 4", ["rating"]).holds({"rating": 5})
    True
    """
    found = _WRITTEN.fullmatch(text)
    known = ", ".join([*fields, _ALL])
    if not found:
        raise LabelError(
            f"{text!r:.200} is no condition: FIELD, FIELD>=NUMBER, FIELD=VALUE or FIELD:PART is "
            f"needed, with a field of {known:.500}"
        )
    field, operator, value = found[1].lower(), found[2] or "", found[3] or ""
    if field not in (*fields, _ALL):
        raise LabelError(f"there is no {field!r:.80} here; there is {known:.500}")
    if operator in ("<", "<=", ">", ">=") and _number(value) is None:
        raise LabelError(f"{text!r:.200} compares with {value!r:.80}, which is no number")
    return Condition(field=field, operator=operator, value=value)


def opinions_of(
    reading: SourceReading, like: Sequence[str] = (), dislike: Sequence[str] = ()
) -> Opinions:
    """Tell which songs of a source are liked and which disliked.

    Parameters
    ----------
    reading : SourceReading
    like, dislike : sequence of str
        Conditions, of which one is enough; without any, what the source means by itself. Where only
        dislikes are named, nothing is liked.

    Raises
    ------
    LabelError
        If a condition is not understood, or the source does not say by itself what is liked.
    """
    if not (like or dislike):
        like, dislike = reading.like, reading.dislike
    if not (like or dislike):
        fields = ", ".join([*reading.fields, _ALL])
        example = next((one for one in _RATED if one in reading.fields), "")
        example = f"{example}>=4" if example else next(iter(reading.fields), _ALL)
        raise LabelError(
            f"{reading.name} does not say by itself what you like: say it with --like, such as "
            f"--like '{example}'; there is {fields:.500}"
        )
    sides = [[parse_condition(text, reading.fields) for text in side] for side in (like, dislike)]
    liked, disliked = (_that_hold(reading.songs, side) for side in sides)
    both = liked.keys() & disliked.keys()
    return Opinions(
        likes=tuple(song for key, song in liked.items() if key not in both),
        dislikes=tuple(song for key, song in disliked.items() if key not in both),
        n_both=len(both),
    )


def _that_hold(
    songs: Iterable[SourceSong], conditions: Sequence[Condition]
) -> dict[str, SourceSong]:
    return {song.key: song for song in songs if any(one.holds(song.said) for one in conditions)}


def _number(value: float | str) -> float | None:
    if isinstance(value, str) and _DECIMAL_COMMA.fullmatch(value.strip()):
        value = value.replace(",", ".")
    elif isinstance(value, str) and _THOUSANDS.fullmatch(value.strip()):
        value = value.replace(",", "")
    try:
        number = float(value)
    except ValueError:
        return None
    return number if number == number else None
