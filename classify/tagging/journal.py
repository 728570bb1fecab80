"""What was written into which file, so that it can be taken back: a JSON file each."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cache import local_root, write_whole
from classify.errors import ClassifyError, write_problem
from classify.tagging.byte_difference import ByteDifference

__all__ = ["Journal", "TaggedFile"]

_FORMAT = 1
_MAX_BYTES = 64 * 2**20


@dataclass(frozen=True, kw_only=True)
class TaggedFile:
    """A file whose tags were written.

    Attributes
    ----------
    path : str
        Absolute.
    digest : str
        Of the recording.
    score : str
        What was written.
    former : tuple of str
        What the field held before; mostly nothing.
    before, after : str
        Checksums of all bytes.
    difference : ByteDifference or None
        How the former file is got back byte for byte; None where too much would have to be kept.
    """

    path: str
    digest: str
    score: str
    former: tuple[str, ...]
    before: str
    after: str
    difference: ByteDifference | None


class Journal:
    """The files whose tags were written.

    A new entry lies beside the old one until the file has been replaced: whichever of both fits the
    file counts.

    Parameters
    ----------
    root : path or URI, optional
        The cache.
    """

    def __init__(self, root: str | Path | None = None) -> None:
        self._folder = local_root(root) / "tags"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from writing tags while the block runs.

        Raises
        ------
        ClassifyError
            If another process writes tags now, or the folder can't be written.
        """
        from filelock import FileLock, Timeout

        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self._folder / "lock", timeout=0):
                yield
        except Timeout as error:
            raise ClassifyError(
                "another 'sevensongs tags' is at work on this cache; wait for its end"
            ) from error

    def paths(self) -> list[str]:
        """Return the files that there are entries of, sorted."""
        found = set()
        for file in self._folder.glob("*.json"):
            entry = _read(file)
            if entry is not None:
                found.add(entry.path)
        return sorted(found)

    def entries(self, path: str) -> list[TaggedFile]:
        """Return the entries of a file, the one that is to count next first."""
        found = (_read(file) for file in (self._next(path), self._own(path)))
        return [entry for entry in found if entry is not None]

    def announce(self, entry: TaggedFile) -> None:
        """Note what is about to be written.

        Raises
        ------
        ClassifyError
            If that can't be noted; then nothing must be written.
        """
        difference = entry.difference and entry.difference.document()
        document = {
            "format": _FORMAT,
            "path": entry.path,
            "digest": entry.digest,
            "score": entry.score,
            "former": entry.former,
            "before": entry.before,
            "after": entry.after,
            "difference": difference,
        }
        # names that are not UTF-8 are escaped, and come back as they were
        text = json.dumps(document, ensure_ascii=True).encode("ascii")
        path = self._next(entry.path)
        try:
            write_whole(path, lambda file: file.write(text))
        except OSError as error:
            raise ClassifyError(f"{path} can't be written: {write_problem(error)}") from error

    def confirm(self, path: str) -> None:
        """Have the entry that was announced take the place of the former one."""
        self._next(path).replace(self._own(path))

    def forget(self, path: str) -> None:
        """Remove the entries of a file."""
        self._own(path).unlink(missing_ok=True)
        self._next(path).unlink(missing_ok=True)

    def _own(self, path: str) -> Path:
        name = hashlib.blake2b(os.fsencode(path), digest_size=16).hexdigest()
        return self._folder / f"{name}.json"

    def _next(self, path: str) -> Path:
        return self._own(path).with_suffix(".next.json")


def _read(file: Path) -> TaggedFile | None:
    """Read an entry; None where there is none, or none that can be read."""
    try:
        if file.stat().st_size > _MAX_BYTES:
            return None
        document: dict[str, Any] = json.loads(file.read_text("utf-8"))
        if document.pop("format") != _FORMAT:
            return None
        difference = document.pop("difference")
        former = tuple(map(str, document.pop("former")))
        return TaggedFile(
            **document,
            former=former,
            difference=difference and ByteDifference.of_document(difference),
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
