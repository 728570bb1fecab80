"""From the paths that a user names to audio files: folders, playlists, CSVs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from embed.files.buckets import look_at, searched_bucket
from embed.files.cue_sheets import files_of_sheet, sheet_of
from embed.files.entries import URL_ERROR, EntryReader, Failure, existing, is_source, is_url
from embed.files.folders import SHEET_SUFFIX, PassedOver, searched
from embed.files.playlists import LIST_SUFFIXES, list_entries
from embed.files.source_columns import SourceBlock, SourceColumns

__all__ = ["Failure", "FoundAudio", "Paths", "find_audio", "path_list"]

Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
"""What a function takes that takes paths: one, or any iterable of them. A string is one path."""


@dataclass(frozen=True, kw_only=True)
class FoundAudio:
    """Songs in the order given (folders sorted), each once, and what is not there.

    Attributes
    ----------
    files : tuple of str
        Absolute paths of files here.
    failures : tuple of Failure
        What could not be found.
    passed_over : PassedOver
        What folders hold that was passed over.
    sheets : tuple of str
        The CUE sheets that there are; beside songs of a list nobody looks.
    objects : SourceColumns
        Songs in object stores, with their sizes and versions. The path of one is its address
        (``s3://bucket/song.mp3``).
    """

    files: tuple[str, ...]
    failures: tuple[Failure, ...]
    passed_over: PassedOver = field(default_factory=PassedOver)
    sheets: tuple[str, ...] = ()
    objects: SourceColumns = field(default_factory=SourceColumns)

    @property
    def n_songs(self) -> int:
        """How many songs there are."""
        return len(self.files) + len(self.objects)

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of all songs: of files, then of objects in stores."""
        return (*self.files, *self.objects)

    def joined(self, other: FoundAudio) -> FoundAudio:
        """Return what was found here, and then what was found there."""
        return FoundAudio(
            files=tuple(dict.fromkeys((*self.files, *other.files))),
            failures=tuple(dict.fromkeys((*self.failures, *other.failures))),
            passed_over=self.passed_over,
            sheets=(*self.sheets, *other.sheets),
            objects=self.objects.joined(other.objects),
        )

    @cached_property
    def unreadable(self) -> tuple[Failure, ...]:
        """The files of which the system tells nothing, when `songs` were looked at."""
        return self._looked_at[1]

    @cached_property
    def songs(self) -> SourceColumns:
        """All songs in columns: files as they are when this is first asked for, then objects."""
        return self._looked_at[0]

    @cached_property
    def _looked_at(self) -> tuple[SourceColumns, tuple[Failure, ...]]:
        states: dict[str, os.stat_result] = {}
        failures = []
        for path in self.files:
            try:
                states[path] = os.stat(path)
            except OSError as error:
                failures.append(Failure(path=path, error=f"can't be read ({error.strerror})"))
        if not states:
            return self.objects, tuple(failures)
        blocks = [SourceBlock.of_files(states), *self.objects.blocks]
        return SourceColumns(blocks), tuple(failures)


def path_list(paths: Paths) -> list[str]:
    """List the paths that a caller names, whether it is one or an iterable of them.

    Parameters
    ----------
    paths : path or iterable of path
        A str or PathLike is one path; of anything else each item is one, and a generator is
        consumed.

    Returns
    -------
    list of str
        In the order given, as they were given.

    Raises
    ------
    TypeError
        If it is neither, or an item is no str or PathLike of text.

    Examples
    --------
    >>> from embed import path_list
    >>> path_list("music")
    ['music']
    >>> path_list(f"{n}.mp3" for n in (1, 2))
    ['1.mp3', '2.mp3']
    """
    if isinstance(paths, str | os.PathLike):
        return [_path_text(paths)]
    given: object = paths
    if isinstance(given, bytes | bytearray) or not isinstance(given, Iterable):
        raise TypeError(f"paths is {given!r:.80}; a str, a Path or an iterable of these is needed")
    return [_path_text(path) for path in given]


def _path_text(path: object) -> str:
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else path
    if not isinstance(text, str):
        raise TypeError(f"{path!r:.80} is no path; a str or a Path is needed")
    return text


def find_audio(paths: Paths) -> FoundAudio:
    """Expand paths: audio files, folders (recursive), playlists, CSVs with a column `path`.

    A CUE sheet stands for the audio files beside it that it names.

    An entry of a playlist or CSV is the path of a regular file, absolute or relative to the list's
    own folder, or a ``file:`` URL of this computer. Where nothing is there, it is taken for one
    that is percent-encoded, then for a name in another Unicode form or case. It is refused where it
    is another URL, a folder, another list, or a FIFO, a device or a socket, none of which is
    opened. Nothing in it is expanded (``~``, ``$``, ``*``). In folders, hidden files are passed
    over, as are bins and snapshots (``#recycle``) unless they are named themselves; symbolic links
    are followed, each folder once. The address of an object store stands for the songs below it.

    Parameters
    ----------
    paths : path or iterable of path
        A plain string is one path.

    Raises
    ------
    TypeError
        If something else than a path is given.
    EmbedError
        If an object store refuses.

    Examples
    --------
    >>> from embed import find_audio
    >>> len(find_audio("music").files)
    28
    """
    files: dict[str, None] = {}
    failures: dict[str, str] = {}
    passed_over = PassedOver()
    sheets: list[str] = []
    stored: list[SourceColumns] = []
    for item in _expand(path_list(paths), passed_over, sheets):
        if isinstance(item, Failure):
            failures.setdefault(item.path, item.error)
        elif isinstance(item, str):
            files.setdefault(item)
        else:
            stored.append(item)
    listed = [path for path in files if is_source(path)]
    first, *others = stored or [SourceColumns()]
    objects, lost = look_at(listed, first.joined(*others))
    for one in lost:
        failures.setdefault(one.path, one.error)
    return FoundAudio(
        files=tuple(path for path in files if not is_source(path)),
        failures=tuple(Failure(path=p, error=e) for p, e in failures.items()),
        passed_over=passed_over,
        sheets=tuple(dict.fromkeys(sheets)),
        objects=objects,
    )


def _expand(
    paths: Iterable[str], passed_over: PassedOver, sheets: list[str]
) -> Iterator[str | SourceColumns | Failure]:
    for given in paths:
        if not given:  # such as a shell variable that is not set; not the current folder
            yield Failure(path="", error="is empty; name a file or a folder")
            continue
        if is_source(given):
            yield searched_bucket(given, passed_over)
            continue
        path = os.path.abspath(os.path.expanduser(given))
        suffix = os.path.splitext(path)[1].lower()
        if os.path.isdir(path):
            yield from searched(path, passed_over, sheets)
        elif suffix in LIST_SUFFIXES and os.path.isfile(path):
            yield from _listed(path)
        elif suffix == SHEET_SUFFIX and os.path.isfile(path):
            sheets.append(path)
            yield from _of_sheet(path)
        elif is_url(given) and not os.path.exists(path):
            yield Failure(path=given, error=URL_ERROR)
        else:
            sheets.extend(filter(None, [sheet_of(path)]))
            yield existing(path)


def _of_sheet(path: str) -> Iterator[str | Failure]:
    files = files_of_sheet(path)
    yield from files
    if not files:
        yield Failure(
            path=path, error="is a CUE sheet, and no audio file that it names is beside it"
        )


def _listed(path: str) -> Iterator[str | Failure]:
    try:
        entries = list_entries(path)
    except OSError as error:
        yield Failure(path=path, error=f"can't be read ({error.strerror})")
        return
    except ValueError as error:
        yield Failure(path=path, error=str(error))
        return
    read = EntryReader(os.path.dirname(path))
    for entry in entries:
        yield read.resolved(entry)
