"""What an import of labels did, in words and as fields."""

from __future__ import annotations

from collections import Counter
from typing import Any

from classify.output.formats import counted, printable
from classify.sources.importing import LabelImport

__all__ = ["import_fields", "import_story"]

_CHANGES = ("added", "changed", "removed")


def import_story(done: LabelImport) -> list[str]:
    """Return lines for a terminal; what came of the taste is not in them."""
    ways = Counter(one.by for one in done.matched)
    by = ", ".join(f"{n} by {way}" for way, n in ways.most_common())
    likes, dislikes = counted(done.n_like, "like"), counted(done.n_dislike, "dislike")
    found = counted(len(done.matched), "song") + " of your library" + (f" ({by})" if by else "")
    first = f"{likes} and {dislikes} in {printable(done.source)}: {found}"
    lines = [f"{first}, {len(done.unmatched)} not surely in it"]
    if done.n_downloaded:
        size = f"{done.n_bytes / 1e6:.1f} MB"
        lines.append(f"{counted(done.n_downloaded, 'song')} downloaded ({size}), none kept")
    if done.n_both:
        lines.append(f"{counted(done.n_both, 'song')} both liked and disliked there: left out")
    n_done = {name: len(getattr(done.changes, name)) for name in _CHANGES}
    would = "" if done.labelled else "would be "
    lines.append(", ".join(f"{n} {would}{name}" for name, n in n_done.items()))
    if done.changes.own:
        lines.append(
            f"{counted(len(done.changes.own), 'song')} left as you, or another source, have said"
        )
    return lines


def import_fields(done: LabelImport) -> dict[str, Any]:
    """Return what ``--json`` prints, without what came of the taste."""
    names = ("source", "n_like", "n_dislike", "n_both", "n_downloaded", "n_bytes")
    changes = {name: len(getattr(done.changes, name)) for name in (*_CHANGES, "own")}
    return {name: getattr(done, name) for name in names} | {
        "changes": changes,
        "matched": [
            {"key": one.song.key, "digest": one.digest, "path": one.path, "by": one.by}
            for one in done.matched
        ],
        "unmatched": [
            {"key": one.song.key, "name": one.song.name, "label": one.label, "why": one.why}
            for one in done.unmatched
        ],
    }
