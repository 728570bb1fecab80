"""`undo_tags`: take back what `write_tags` wrote, byte for byte where that can be."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from cache import Catalog, default_root
from classify.errors import ClassifyError
from classify.tagging.byte_difference import checksum
from classify.tagging.journal import Journal, TaggedFile
from classify.tagging.known_files import KnownFiles
from classify.tagging.replacing import replaced
from classify.tagging.score_field import OpenTags, require_mutagen
from classify.tagging.writing import TagOutcome, copy_bytes, put_checked, refused
from embed import Paths, path_list, probe

__all__ = ["undo_tags"]


def undo_tags(paths: Paths = (), *, root: str | Path | None = None) -> tuple[TagOutcome, ...]:
    """Take back what was written into tags.

    A file that nobody has changed since gets back all its bytes; of another only our field is taken
    out, or gets back what it held, and the other tags stay as they are now.

    Parameters
    ----------
    paths : path or iterable of path
        Files, or folders of them; default: all that were written into.
    root : path or URI, optional
        The cache, which has the journal.

    Raises
    ------
    ClassifyError
        If mutagen is not installed, or another process writes tags.
    """
    require_mutagen()
    journal = Journal(root)
    named = [os.path.abspath(os.path.expanduser(path)) for path in path_list(paths)]
    with journal.locked():
        wanted = [path for path in journal.paths() if _is_wanted(path, named)]
        with KnownFiles(wanted, root) as known:
            undo = partial(_undo, journal=journal, known=known, root=root)
            return tuple(refused(path, partial(undo, path)) for path in wanted)


def _is_wanted(path: str, named: Sequence[str]) -> bool:
    return not named or any(path == one or path.startswith(os.path.join(one, "")) for one in named)


def _undo(path: str, *, journal: Journal, known: KnownFiles, root: str | Path | None) -> TagOutcome:
    entries = journal.entries(path)
    there = _found(path, entries, root)
    target = Path(os.path.realpath(there))
    now = checksum(target)
    written = next((one for one in entries if one.after == now), None)
    if written is not None and written.difference is not None:
        outcome = _restore(there, target, written)
    elif any(one.before == now for one in entries):  # killed before the file was replaced
        outcome = TagOutcome(path=there, status="unchanged", exact=True)
    else:
        outcome = _remove(there, target, entries)
    if outcome.status != "unchanged":
        known.has_replaced(there)
    journal.forget(path)
    return outcome


def _found(path: str, entries: Sequence[TaggedFile], root: str | Path | None) -> str:
    """Find a file where it was, or where it was moved, as the catalog knows it."""
    if os.path.exists(path):
        return path
    catalog = Catalog(default_root() if root is None else root)
    for row in catalog.files_of({one.digest for one in entries}):
        sums = {one.after for one in entries}
        if os.path.isfile(row.path) and checksum(Path(row.path)) in sums:
            return row.path
    raise ClassifyError(
        "is not there; is the drive connected? If it was moved, 'sevensongs embed' its new folder "
        "first; what was written stays in the journal"
    )


def _restore(path: str, target: Path, written: TaggedFile) -> TagOutcome:
    assert written.difference is not None
    with replaced(target, partial(written.difference.restore, target)) as copy:
        if checksum(copy) != written.before:
            raise ClassifyError(
                "can't be restored from what the journal has of it; it stays as it is"
            )
    former = "; ".join(written.former) or None
    return TagOutcome(path=path, status="restored", score=former, former=written.score, exact=True)


def _remove(path: str, target: Path, entries: Sequence[TaggedFile]) -> TagOutcome:
    """Put back what the field held, where it still holds what we wrote."""
    values = OpenTags(target).values
    ours = next((one for one in entries if values == (one.score,)), None)
    if ours is None:
        score = "; ".join(values) or None
        return TagOutcome(path=path, status="unchanged", score=score)
    with replaced(target, partial(copy_bytes, target)) as copy:
        put_checked(copy, ours.former, probe(copy).digest)
    former = "; ".join(ours.former) or None
    return TagOutcome(path=path, status="removed", score=former, former=ours.score)
