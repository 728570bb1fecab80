"""Labels that a listener gives one by one: a CSV beside the taste, which people may edit.

``<taste>.labels.csv`` has the columns ``label`` (like or dislike), ``path`` and ``digest``, one
song a row. The digest decides, so a song that is moved or renamed keeps its label. In a row that a
person adds it may be empty: it is filled in from the path the next time. Where labels were imported
from another program, a column ``source`` says from which.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cache import is_digest, is_uri, local_root, write_whole
from classify.errors import LabelError, write_problem
from classify.library.song_library import SongLibrary
from classify.taste.names import taste_path
from classify.taste.taste import Taste
from embed import LIST_SUFFIXES

if TYPE_CHECKING:
    from cache import VectorReader

__all__ = [
    "LABELS",
    "Label",
    "LabelsNow",
    "labels_locked",
    "labels_name",
    "labels_path",
    "read_labels",
    "relabelled",
    "stored_labels",
    "with_digests",
    "write_labels",
]

LABELS = ("like", "dislike")
_COLUMNS = ("label", "path", "digest")
_MAX_BYTES = 64 * 2**20  # half a million labels
_LOCK_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Label:
    """What a listener said of a song; `digest` is empty where a person wrote only the path.

    `source` names the program of which the label was imported; empty where it was given here.
    """

    label: str
    path: str
    digest: str
    source: str = ""


def labels_path(taste: Path) -> Path:
    """Return the file of the labels that belong to the taste in a file."""
    return taste.with_name(f"{taste.stem}.labels.csv")


@contextmanager
def labels_locked(path: Path, root: str | Path | None) -> Iterator[None]:
    """Keep other processes of this cache from changing a file of labels.

    They are kept from it between reading the file and writing it.

    The lock is in the cache's folder of tastes: people do not want one beside a file of theirs.

    Raises
    ------
    LabelError
        If another one keeps it for half a minute, or the folder can't be written.
    """
    from filelock import FileLock, Timeout

    name = hashlib.blake2b(os.fsencode(os.path.realpath(path)), digest_size=8).hexdigest()
    folder = local_root(root) / "tastes"
    lock = FileLock(folder / f".{name}.lock", timeout=_LOCK_S)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise LabelError(
            f"another process has kept {path} locked for {_LOCK_S:.0f} s; try again when it has "
            "ended"
        ) from error
    except OSError as error:
        raise LabelError(f"{folder} can't be written: {write_problem(error)}") from error
    try:
        yield
    finally:
        lock.release()


def read_labels(path: Path) -> tuple[Label, ...] | None:
    """Read a file of labels, each song once, the last row of a song counting.

    Spreadsheets may have saved it: with `;` or tabs, in UTF-16, with empty rows. Return None if
    there is no file.

    Raises
    ------
    LabelError
        If it can't be read, or a row is not understood: nothing that a person wrote is passed over.
    """
    try:
        if not path.is_file():
            return None
        if path.stat().st_size > _MAX_BYTES:
            raise LabelError(
                f"{path} is larger than {_MAX_BYTES >> 20} MiB; these are no labels of ours"
            )
        text = _text(path.read_bytes())
    except OSError as error:
        raise LabelError(f"the labels in {path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise LabelError(
            f"{path} is no UTF-16, as its first bytes say; save it as CSV in UTF-8"
        ) from error
    # as spreadsheets save it: the separator is their country's
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        columns = [name.strip().lower() for name in reader.fieldnames or ()]
        if "label" not in columns or not {"path", "digest"} & set(columns):
            raise LabelError(
                f"{path} begins with {', '.join(map(repr, columns)) or 'nothing'}; a line with "
                f"{','.join(_COLUMNS)} is needed"
            )
        reader.fieldnames = columns
        rows = [_label(row, path, reader.line_num) for row in reader if _has_text(row)]
    except csv.Error as error:
        raise LabelError(
            f"{path} is no CSV (line {reader.line_num}: {error}); mend it or move it away"
        ) from error
    return _each_once(rows)


def write_labels(path: Path, labels: Sequence[Label]) -> None:
    """Write a file of labels, as a whole or not at all, likes first, by path.

    Raises
    ------
    LabelError
        If it can't be written; the older file is then untouched.
    """
    out = io.StringIO(newline="")
    # RFC 4180; else a lone carriage return stays bare
    writer = csv.writer(out, lineterminator="\r\n")
    columns = _COLUMNS + (("source",) if any(one.source for one in labels) else ())
    writer.writerow(columns)
    for one in sorted(labels, key=lambda one: (LABELS.index(one.label), one.path, one.digest)):
        writer.writerow(getattr(one, name) for name in columns)
    data = out.getvalue().encode("utf-8", "surrogateescape")
    try:
        write_whole(path, lambda file: file.write(data))
    except OSError as error:
        raise LabelError(
            f"the labels can't be written to {path}: {write_problem(error)}"
        ) from error


def relabelled(
    labels: Iterable[Label], songs: Mapping[str, str], label: str | None
) -> tuple[Label, ...]:
    """Give songs, digest to path, a label in place of what they had; None takes it away."""
    kept = [one for one in labels if one.digest not in songs]
    if label is None:
        return tuple(kept)
    return (
        *kept,
        *(Label(label=label, path=path, digest=digest) for digest, path in songs.items()),
    )


def stored_labels(path: Path) -> tuple[Label, ...]:
    """Read the labels of the taste in a file.

    These are the ones that people gave, or else those that the taste was trained with.

    Raises
    ------
    LabelError, TasteError
        If a file can't be read.
    """
    stored = read_labels(labels_path(path))
    if stored is not None or not path.exists():
        return stored or ()
    known = Taste.load(path)
    sides = zip(LABELS, (known.likes, known.dislikes), strict=True)
    return tuple(
        Label(label=value, path="", digest=digest) for value, side in sides for digest in side
    )


def labels_name(labels: Iterable[Label], usable: Iterable[str]) -> str:
    """Return a name of what can be learnt from labels: the same for the same, in any order.

    Parameters
    ----------
    labels : iterable of Label
    usable : iterable of str
        Recordings of which there are vectors; labels of others don't count.

    Returns
    -------
    str
        32 hex digits.

    Examples
    --------
    >>> from classify.library.label_file import Label, labels_name
    >>> one = Label(label="like", path="/a.mp3", digest="a" * 32)
    >>> labels_name([one], ["a" * 32]) == labels_name([], [])
    False
    """
    held = set(usable)
    lines = sorted(f"{one.label} {one.digest}\n" for one in labels if one.digest in held)
    return hashlib.blake2b("".join(lines).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, kw_only=True)
class LabelsNow:
    """What a listener says of recordings now, beside what a taste has learnt of it.

    Attributes
    ----------
    by_digest : mapping of str to str
        Digest to like or dislike.
    n_like : int
        Likes among them that a taste can learn from: those with a song vector.
    is_learnt : bool
        False where labels have changed since the taste was learnt.
    """

    by_digest: Mapping[str, str]
    n_like: int
    is_learnt: bool

    @classmethod
    def of(
        cls,
        given: str | os.PathLike[str] | Taste,
        taste: Taste,
        library: SongLibrary,
        vectors: VectorReader | None = None,
    ) -> LabelsNow:
        """Read the labels beside a taste; where there are none, those that it was trained with.

        Parameters
        ----------
        given : str, path or Taste
            What a caller names: a name or a file, beside which labels are looked for, or a taste.
        taste : Taste
            The same, loaded.
        library : SongLibrary
            Of the taste's encoder.
        vectors : VectorReader, optional
            The whole library's, where it is open already.

        Raises
        ------
        LabelError, CacheError
            If the file of labels or the cache can't be read.
        """
        rows = None
        if not isinstance(given, Taste):
            rows = read_labels(labels_path(taste_path(given, root=library.root)))
        if rows is None:
            learnt = dict.fromkeys(taste.dislikes, "dislike") | dict.fromkeys(taste.likes, "like")
            return cls(by_digest=learnt, n_like=taste.n_like, is_learnt=True)
        rows = with_digests(rows, library)
        by_digest = {one.digest: one.label for one in rows if one.digest}
        named = list(by_digest)
        of_all = library.vectors.open(named) if by_digest and vectors is None else vectors
        held = {} if of_all is None else of_all.held(named)
        name = labels_name(rows, held)
        return cls(
            by_digest=by_digest,
            n_like=sum(by_digest[digest] == "like" for digest in held),
            is_learnt=taste.learnt_from in ("", name),  # "": of an earlier version, not known
        )


def with_digests(labels: Iterable[Label], library: SongLibrary) -> tuple[Label, ...]:
    """Give labels that a person has written by path their digests, where the song is in the cache.

    Parameters
    ----------
    labels : iterable of Label
    library : SongLibrary

    Raises
    ------
    CacheError
        If the cache can't be read.
    """
    rows = tuple(labels)
    unknown = [one.path for one in rows if not one.digest]
    found = {row.path: row.digest for row in library.rows(unknown)} if unknown else {}
    resolved = [replace(one, digest=one.digest or found.get(one.path) or "") for one in rows]
    return _each_once(resolved)


def _text(content: bytes) -> str:
    is_utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_utf_16 else "utf-8-sig", "surrogateescape")


def _has_text(row: Mapping[str | None, str | list[str] | None]) -> bool:
    """Whether anything stands in a row; spreadsheets write `,,` for an empty one."""
    return any(cell.strip() for cells in row.values() for cell in _cells(cells))


def _cells(value: str | list[str] | None) -> list[str]:
    return value if isinstance(value, list) else [value or ""]


def _label(row: Mapping[str | None, str | None], path: Path, line: int) -> Label:
    label = (row.get("label") or "").strip().lower()
    digest = (row.get("digest") or "").strip().lower()
    song = row.get("path") or ""
    if label not in LABELS:
        raise LabelError(f"{path}, line {line}: the label is {label!r}; it is like or dislike")
    if digest and not is_digest(digest):
        raise LabelError(
            f"{path}, line {line}: {digest[:40]!r} is no digest; leave it empty and give the path"
        )
    if not (digest or song):
        raise LabelError(f"{path}, line {line}: neither a path nor a digest; name the song")
    if song and not is_uri(song):  # as a person may write it
        song = os.path.expanduser(song)
        if not os.path.isabs(song):
            song = os.path.abspath(os.path.join(path.parent, song))
    if not digest and (os.path.isdir(song) or os.path.splitext(song)[1].lower() in LIST_SUFFIXES):
        # Else whoever made the file could have all of a disk embedded.
        raise LabelError(
            f"{path}, line {line}: {song} is a folder or a list; a label is of one song"
        )
    source = (row.get("source") or "").strip()
    return Label(label=label, path=song, digest=digest, source=source)


def _each_once(rows: Iterable[Label]) -> tuple[Label, ...]:
    return tuple({row.digest or row.path: row for row in rows}.values())
