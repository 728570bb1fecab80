"""`write_tags`: scores into the tags of songs, one field, each file as a whole or not at all."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal

from cache import is_uri
from classify.errors import ClassifyError
from classify.scoring.scoring import score
from classify.tagging.byte_difference import byte_difference, checksum
from classify.tagging.journal import Journal, TaggedFile
from classify.tagging.known_files import KnownFiles
from classify.tagging.replacing import replaced, require_replaceable
from classify.tagging.score_field import OpenTags, require_mutagen
from classify.taste.names import DEFAULT_TASTE
from embed import EmbedError, Paths, Progress, path_list, probe

__all__ = ["TagOutcome", "copy_bytes", "put_checked", "read_field", "refused"]
__all__ += ["write_scores", "write_tags"]

TagStatus = Literal["written", "planned", "unchanged", "restored", "removed", "failed"]
_TELL_EVERY_S = 10.0
_log = logging.getLogger("sevensongs")
_MOST_KEPT_BYTES = 4 * 2**20
"""Of one file; where more differs, its tags are taken back tag for tag."""


@dataclass(frozen=True, kw_only=True)
class TagOutcome:
    """What came of the tags of one file.

    Attributes
    ----------
    path : str
    status : str
        ``written``, ``planned`` (a dry run), ``unchanged``, ``restored`` (byte for byte),
        ``removed`` (tag for tag) or ``failed``.
    score, former : str or None
        What the field holds now, and what it held before.
    exact : bool
        Whether it can be undone, or was, byte for byte.
    error : str or None
    """

    path: str
    status: TagStatus
    score: str | None = None
    former: str | None = None
    exact: bool = False
    error: str | None = None


def write_tags(
    paths: Paths,
    *,
    taste: str = DEFAULT_TASTE,
    dry_run: bool = False,
    root: str | Path | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> tuple[TagOutcome, ...]:
    """Write scores into the tags of songs, in the field ``SEVENSONGS_SCORE``.

    Parameters
    ----------
    paths : path or iterable of path
        As for `score`: songs that were never seen are embedded.
    taste : str
    dry_run : bool
        Only tell what would be written.
    root : path or URI, optional
        The cache.
    workers, progress
        As for `score`.

    Raises
    ------
    ClassifyError
        If mutagen is not installed, there is no such taste, or the journal can't be written. What
        is wrong with one file stands in its outcome.
    EmbedError, CacheError
    """
    require_mutagen()
    named = path_list(paths)
    if not named:
        raise ClassifyError("no song is named; name files or folders to tag")
    scores = score(named, taste=taste, root=root, workers=workers, progress=progress)
    outcomes = [
        TagOutcome(path=one.path, status="failed", error=one.error) for one in scores.failed
    ]
    texts = {song.path: f"{song.score:.3f}" for song in scores.songs}
    return (*outcomes, *write_scores(texts, dry_run=dry_run, root=root))


def write_scores(
    texts: Mapping[str, str], *, dry_run: bool = False, root: str | Path | None = None
) -> tuple[TagOutcome, ...]:
    """Write what the field is to hold into files, whatever it comes from.

    Parameters
    ----------
    texts : mapping from str to str
        Of absolute paths.
    dry_run, root
        See `write_tags`.

    Raises
    ------
    ClassifyError
        As `write_tags`.
    """
    journal = Journal(root)
    outcomes, told = [], time.monotonic()
    with journal.locked(), KnownFiles(list(texts), root) as known:
        for path, text in sorted(texts.items()):
            writing = partial(_write, path, text, journal, known, dry_run=dry_run)
            outcomes.append(refused(path, writing))
            if time.monotonic() - told >= _TELL_EVERY_S:
                told = time.monotonic()
                _log.info("%d of %d songs", len(outcomes), len(texts))
    return tuple(outcomes)


def refused(path: str, work: Callable[[], TagOutcome]) -> TagOutcome:
    """Do something with a file; what is wrong with the file becomes its outcome."""
    try:
        return work()
    except (ClassifyError, EmbedError) as error:
        return TagOutcome(path=path, status="failed", error=str(error))
    except OSError as error:
        return TagOutcome(path=path, status="failed", error=error.strerror or str(error))


def read_field(path: str | os.PathLike[str]) -> str | None:
    """Return what the field of a file holds; None where it is not there."""
    return "; ".join(OpenTags(Path(path)).values) or None


def put_checked(copy: Path, values: Sequence[str], digest: str) -> None:
    """Write the field of a copy; refuse if anything else is not as it was.

    Raises
    ------
    ClassifyError
        If its sound, or another tag, is another then.
    """
    tags = OpenTags(copy)
    others = tags.others()
    tags.put(values)
    now = OpenTags(copy)
    if now.others() != others or now.values != tuple(values):
        raise ClassifyError("has tags that would not stay as they are; nothing was written")
    if probe(copy).digest != digest:
        raise ClassifyError("would not have the same sound; nothing was written")


def _write(
    path: str, text: str, journal: Journal, known: KnownFiles, *, dry_run: bool
) -> TagOutcome:
    if is_uri(path):
        raise ClassifyError("lies in an object store; tags are written into files of this computer")
    target = Path(os.path.realpath(path))
    require_replaceable(target)
    now = OpenTags(target).values
    outcome = TagOutcome(path=path, status="planned", score=text, former="; ".join(now) or None)
    if now == (text,):
        return replace(outcome, status="unchanged")
    if dry_run:
        return outcome
    with _original(target, path, journal) as original:
        with replaced(target, partial(copy_bytes, original.path)) as copy:
            entry = _tagged(copy, path, text, original)
            journal.announce(entry)
        journal.confirm(path)
    known.has_replaced(path)
    return replace(outcome, status="written", exact=entry.difference is not None)


@dataclass(frozen=True, kw_only=True)
class _Original:
    """A file as it was before we wrote into it.

    Attributes
    ----------
    path : Path
    former : tuple of str
        What the field held.
    is_whole : bool
        False where another program has written into the file since.
    """

    path: Path
    former: tuple[str, ...]
    is_whole: bool


@contextmanager
def _original(target: Path, path: str, journal: Journal) -> Iterator[_Original]:
    """Give the file as it was before all that we wrote, so that undo goes back to that."""
    now, entries = checksum(target), journal.entries(path)
    written = next((one for one in entries if one.after == now), None)
    if written is not None and written.difference is not None:
        with tempfile.TemporaryDirectory(prefix="sevensongs-") as folder:
            former = Path(folder, f"original{target.suffix}")
            with former.open("wb") as file:
                written.difference.restore(target, file)
            if checksum(former) == written.before:
                yield _Original(path=former, former=written.former, is_whole=True)
                return
    values = OpenTags(target).values
    ours = next((one for one in entries if values == (one.score,)), None)
    former_values = ours.former if ours else values
    yield _Original(path=target, former=former_values, is_whole=ours is None)


def _tagged(copy: Path, path: str, text: str, original: _Original) -> TaggedFile:
    """Write the field of a copy, and tell how that is undone."""
    digest = probe(copy).digest
    put_checked(copy, (text,), digest)
    difference = None
    if original.is_whole:
        difference = byte_difference(original.path, copy, most_bytes=_MOST_KEPT_BYTES)
    return TaggedFile(
        path=path,
        digest=digest,
        score=text,
        former=original.former,
        before=checksum(original.path),
        after=checksum(copy),
        difference=difference,
    )


def copy_bytes(source: Path, into: BinaryIO) -> None:
    """Write what a file holds."""
    with source.open("rb") as file:
        shutil.copyfileobj(file, into, 2**20)
