"""Which files of a folder are songs: what is searched, and what is passed over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from embed.files.entries import Failure

__all__ = ["AUDIO_SUFFIXES", "PassedOver", "searched"]

# fmt: off
AUDIO_SUFFIXES = frozenset({
    ".aac", ".ac3", ".aif", ".aifc", ".aiff", ".alac", ".ape", ".au", ".caf", ".dsf", ".flac",
    ".m4a", ".m4b", ".mka", ".mp3", ".mp4", ".mpc", ".oga", ".ogg", ".opus", ".tta", ".w64", ".wav",
    ".weba", ".webm", ".wma", ".wv",
})
"""What a folder is searched for. A file that is named itself is tried whatever its suffix."""
# Of Synology, QNAP, Windows, NetApp, macOS, ext4 and ZFS: what was deleted, older states of all
# that is there, and pictures of it. In lower case.
_OF_SYSTEMS = frozenset({
    "#recycle", "#snapshot", "$recycle.bin", ".snapshot", ".snapshots", ".trash", ".trashes",
    ".zfs", "@eadir", "@recently-snapshot", "@recycle", "lost+found", "network trash folder",
    "system volume information", "~snapshot",
})
# fmt: on


@dataclass(kw_only=True)
class PassedOver:
    """What folders hold that a search left alone, apart from hidden files.

    Attributes
    ----------
    folders : list of str
        Absolute paths of bins, snapshots and the like.
    """

    folders: list[str] = field(default_factory=list)


def searched(folder: str, passed_over: PassedOver) -> Iterator[str | Failure]:
    """Search a folder to its depth.

    Parameters
    ----------
    folder : str
        Absolute.
    passed_over : PassedOver
        To which what is left alone is added.

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
    yield from _walk(folder, passed_over, seen=set())


def _walk(
    folder: str, passed_over: PassedOver, seen: set[tuple[int, int]]
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
        if entry.name.startswith(".") and not is_of_system:
            continue
        if os.path.isdir(entry.path):  # entry.is_dir() raises for a link that leads to itself
            if is_of_system:
                passed_over.folders.append(entry.path)
            else:
                yield from _walk(entry.path, passed_over, seen)
        elif os.path.splitext(entry.name)[1].lower() in AUDIO_SUFFIXES and not (
            entry.name.startswith(".")
        ):
            yield entry.path
