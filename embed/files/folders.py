"""Which files of a folder are songs: what is searched, and what is passed over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from embed.files.entries import Failure
from embed.files.other_kinds import is_transport_stream

__all__ = ["AUDIO_SUFFIXES", "SHEET_SUFFIX", "PassedOver", "is_searched", "searched"]

# fmt: off
AUDIO_SUFFIXES = frozenset({
    ".3g2", ".3gp", ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".alac", ".amr", ".ape", ".asf",
    ".au", ".avi", ".caf", ".dff", ".dsf", ".dts", ".dtshd", ".eac3", ".ec3", ".flac", ".flv",
    ".m2ts", ".m4a", ".m4b", ".m4p", ".m4r", ".m4v", ".mka", ".mkv", ".mlp", ".mov", ".mp1",
    ".mp2", ".mp3", ".mp4", ".mpc", ".mpeg", ".mpg", ".mpga", ".mts", ".oga", ".ogg", ".ogv",
    ".ogx", ".opus", ".ra", ".rm", ".snd", ".spx", ".tak", ".thd", ".ts", ".tta", ".vob", ".w64",
    ".wav", ".wave", ".weba", ".webm", ".wma", ".wmv", ".wv",
})
"""What a folder is searched for. A file that is named itself is tried whatever its suffix."""
SHEET_SUFFIX = ".cue"
# Of Synology, QNAP, Windows, NetApp, macOS, ext4 and ZFS: what was deleted, older states of all
# that is there, and pictures of it. In lower case.
_OF_SYSTEMS = frozenset({
    "#recycle", "#snapshot", "$recycle.bin", ".snapshot", ".snapshots", ".trash", ".trashes",
    ".zfs", "@eadir", "@recently-snapshot", "@recycle", "lost+found", "network trash folder",
    "system volume information", "~snapshot",
})
# What comes with music and is none.
_COMPANIONS = frozenset({
    ".accurip", ".bmp", ".db", ".doc", ".docx", ".gif", ".htm", ".html", ".ini", ".jfif", ".jpeg",
    ".jpg", ".json", ".lnk", ".log", ".lrc", ".md5", ".nfo", ".pdf", ".png", ".rtf", ".sfv",
    ".sha1", ".sha256", ".tif", ".tiff", ".torrent", ".txt", ".url", ".webp", ".xml",
})
_MAX_SUFFIX = 12  # characters, of which the first is the dot; more is part of a name
_MAX_KINDS = 1000
# fmt: on


@dataclass(kw_only=True)
class PassedOver:
    """What folders hold that a search left alone, apart from hidden files.

    Attributes
    ----------
    folders : list of str
        Absolute paths of bins, snapshots and the like.
    kinds : dict of str to int
        How many files there are of other kinds, by suffix (in lower case, ``""`` for none); without
        the pictures and texts that come with music.
    """

    folders: list[str] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)

    def add_file(self, suffix: str) -> None:
        """Count a file of another kind.

        Examples
        --------
        >>> from embed import PassedOver
        >>> passed_over = PassedOver()
        >>> passed_over.add_file(".mid")
        >>> passed_over.kinds
        {'.mid': 1}
        """
        if suffix in _COMPANIONS:
            return
        if len(suffix) > _MAX_SUFFIX or (suffix not in self.kinds and len(self.kinds) > _MAX_KINDS):
            suffix = ""
        self.kinds[suffix] = self.kinds.get(suffix, 0) + 1


def searched(
    folder: str, passed_over: PassedOver, sheets: list[str] | None = None
) -> Iterator[str | Failure]:
    """Search a folder to its depth.

    Parameters
    ----------
    folder : str
        Absolute.
    passed_over : PassedOver
        To which what is left alone is added.
    sheets : list of str, optional
        To which the CUE sheets that are met are added.

    Yields
    ------
    str or Failure
        Absolute paths of audio files, sorted by name, folders where their names stand; and folders
        that can't be searched.

    Examples
    --------
    >>> from embed.files.folders import PassedOver, searched
    >>> len(list(searched("music", PassedOver())))
    28
    """
    yield from _walk(folder, passed_over, [] if sheets is None else sheets, seen=set())


def is_searched(path: str, folder: str) -> bool:
    """Whether a search of a folder comes to what is at a path in it: a folder, or an audio file.

    Examples
    --------
    >>> from embed.files.folders import is_searched
    >>> is_searched("/music/a/song.mp3", "/music"), is_searched("/music/.a/song.mp3", "/music")
    (True, False)
    """
    if path == folder:
        return True
    names = os.path.relpath(path, folder).split(os.sep)
    if any(name.startswith(".") or name.casefold() in _OF_SYSTEMS for name in names):
        return False
    suffix = os.path.splitext(path)[1].lower()
    return os.path.isdir(path) or (suffix in AUDIO_SUFFIXES and not _is_source_code(path, suffix))


def _walk(
    folder: str, passed_over: PassedOver, sheets: list[str], seen: set[tuple[int, int]]
) -> Iterator[str | Failure]:
    try:
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            return  # a symbolic link that leads back
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        yield Failure(path=folder, error=f"can't be searched ({error.strerror})")
        return
    for entry in entries:
        is_of_system = entry.name.casefold() in _OF_SYSTEMS
        is_hidden = entry.name.startswith(".")
        if is_hidden and not is_of_system:
            continue
        suffix = os.path.splitext(entry.name)[1].lower()
        if os.path.isdir(entry.path):  # entry.is_dir() raises for a link that leads to itself
            if is_of_system:
                passed_over.folders.append(entry.path)
            else:
                yield from _walk(entry.path, passed_over, sheets, seen)
        elif suffix in AUDIO_SUFFIXES and not _is_source_code(entry.path, suffix):
            yield entry.path
        elif suffix == SHEET_SUFFIX and not is_hidden:
            sheets.append(entry.path)
        elif not is_hidden and os.path.isfile(entry.path):
            passed_over.add_file(suffix)


def _is_source_code(path: str, suffix: str) -> bool:
    """Whether a file is TypeScript, and no MPEG transport stream."""
    return suffix == ".ts" and os.path.isfile(path) and not is_transport_stream(path)
