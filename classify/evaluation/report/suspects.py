"""Songs whose label and held-out score contradict each other.

Each comes with the command that mends its label.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cache import Catalog
from classify.evaluation.evidence import Mistake
from classify.learning.examples import DISLIKE, LIKE, UNLABELLED
from classify.output.formats import printable
from classify.taste.names import DEFAULT_TASTE

__all__ = ["Suspect", "suspects_of"]

MAX_LABELLED, MAX_UNLABELLED = 10, 5
_INSTEAD = {LIKE: "dislike", DISLIKE: "like", UNLABELLED: "like"}


@dataclass(frozen=True, kw_only=True)
class Suspect:
    """A song to listen to again.

    Parameters
    ----------
    song : str
        Artist and title, or the file's name where there are no tags; from a stranger, so escape it.
    path : str
        A file of it, or its digest where none is known.
    label : int
        1 like, -1 dislike, 0 unlabelled.
    score : float
        By a taste that has not seen it, in [0, 1].
    command : str
        What gives it the other label in a POSIX shell; "" where the path can't be typed there.
    """

    song: str
    path: str
    label: int
    score: float
    command: str


def suspects_of(found: Sequence[Mistake], *, root: str | Path, taste: str) -> tuple[Suspect, ...]:
    """Name the songs of mistakes.

    They are the 10 worst labelled ones, and the 5 unlabelled ones that score highest.

    Parameters
    ----------
    found : sequence of Mistake
        The worst first.
    root : path or URI
        The cache.
    taste : str
        Name or file of the taste, for the commands; "" for one that has none, which gets no
        commands.

    Raises
    ------
    CacheError
        If the catalog can't be read.
    """
    labelled = [one for one in found if one.label != UNLABELLED][:MAX_LABELLED]
    wanted = [*labelled, *[one for one in found if one.label == UNLABELLED][:MAX_UNLABELLED]]
    rows = {row.digest: row for row in Catalog(root).files_of([one.digest for one in wanted])}
    suspects = []
    for one in wanted:
        row = rows.get(one.digest)
        name = " \u2013 ".join(part for part in (row.artist, row.title) if part) if row else ""
        suspects.append(
            Suspect(
                song=name or (Path(row.path).stem if row else one.digest),
                path=row.path if row else one.digest,
                label=one.label,
                score=one.score,
                command=_command(row.path, one.label, taste) if row else "",
            )
        )
    return tuple(suspects)


def _command(path: str, label: int, taste: str) -> str:
    if not taste or printable(path) != path:
        return ""
    option = "" if taste == DEFAULT_TASTE else f" --taste {shlex.quote(taste)}"
    return f"sevensongs label {_INSTEAD[label]} {shlex.quote(path)}{option}"
