"""Disks that are full under what people wrote, and drives that fall silent. See README.md here."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

from reliability.bed import Bed, Cannot, mounted

__all__ = ["full_disk_repair", "full_disk_taste", "silent_drive"]

_STALL_S = 1.5
_FULL = "disk is full"
# <sys/fanotify.h>: a listener that is asked before anything reads a file, and never answers.
_CLASS_CONTENT, _CLOEXEC, _MARK_ADD, _ACCESS_PERM, _HERE = 0x4, 0x1, 0x1, 0x20000, -100


def full_disk_taste(bed: Bed, rng: random.Random) -> None:
    """The disk is full under `train`, `label` and `score -o`.

    The old files stay, then all goes through.
    """
    with mounted(bed.work / "disk", "64m") as disk:
        bed.move(root=disk)
        songs, listed = bed.library.paths, disk / "list.csv"
        bed.run("embed", bed.library.folder, code=0)
        bed.run("train", "--like", songs[0], "--like", songs[1], code=0)
        bed.run("score", "-o", listed, code=0)
        before = _contents(disk / "tastes"), listed.read_bytes()
        # Room for nothing, and then for the labels but not for the taste, which has tens of
        # kilobytes.
        for room in (0, rng.randrange(1, 4) * 4096):
            with _filled(disk, room):
                bed.run("train", "--like", songs[2], "--like", songs[3], code=1, says=_FULL)
                bed.run("label", "like", songs[4], code=1, says=_FULL)
                if not room:
                    bed.run("score", "--top", "1", "-o", listed, code=1, says=_FULL)
            bed.outcome.lost += (_contents(disk / "tastes"), listed.read_bytes()) != before
        bed.outcome.wrong += len(list(disk.rglob(".*.tmp")))
        bed.run("label", "like", songs[4], code=0, says="3 likes")
        bed.run("score", "-o", listed, code=0)
        bed.finish()


def full_disk_repair(bed: Bed, rng: random.Random) -> None:
    """The disk is full under `cache verify --repair`.

    With room it is mended, and nothing is lost.
    """
    with mounted(bed.work / "disk", "64m") as disk:
        bed.move(root=disk)
        bed.run("embed", bed.library.folder, code=0)
        (path,) = Path(bed.library.store.uri, "data").iterdir()
        content = bytearray(path.read_bytes())
        content[rng.randrange(len(content) // 2)] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        with _filled(disk, rng.randrange(5) * 4096):
            free = _free_bytes(disk)
            bed.run("cache", "verify", "--repair", code=1, says=_FULL)
            bed.outcome.wrong += _free_bytes(disk) < free  # what was begun takes no room
        bed.run("cache", "verify", "--repair", code=0)
        bed.finish()


def silent_drive(bed: Bed, rng: random.Random) -> None:
    """Whoever reads one of the songs waits for ever, as where a server has gone.

    Later it answers.
    """
    song = rng.choice(bed.library.paths)
    with _silent(song):
        said = bed.run("embed", bed.library.folder, "--json", "--max-stall", str(_STALL_S), code=1)
        failed = json.loads(said or "{}").get("failed", [])
        named = [one["path"] for one in failed if "nothing came for" in one["error"]]
        bed.outcome.wrong += named != [song] or len(failed) != 1
    bed.finish()


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".npz", ".csv")
    }


def _free_bytes(disk: Path) -> int:
    status = os.statvfs(disk)
    return status.f_bavail * status.f_frsize


@contextlib.contextmanager
def _filled(disk: Path, room: int) -> Iterator[None]:
    """Leave so many bytes of a disk free."""
    filler = disk / "filler"
    filler.write_bytes(bytes(_free_bytes(disk) - room))
    try:
        yield
    finally:
        filler.unlink()


@contextlib.contextmanager
def _silent(path: str) -> Iterator[None]:
    """Have everyone wait who reads a file: fanotify(7)."""
    system = ctypes.CDLL(None, use_errno=True)
    if not hasattr(system, "fanotify_init"):
        raise Cannot("there is no fanotify here")
    listener = system.fanotify_init(_CLASS_CONTENT | _CLOEXEC, os.O_RDONLY)
    if listener < 0:
        raise Cannot(f"this user may not stop a read ({os.strerror(ctypes.get_errno())})")
    try:
        mask = ctypes.c_uint64(_ACCESS_PERM)
        if system.fanotify_mark(listener, _MARK_ADD, mask, _HERE, os.fsencode(path)) < 0:
            raise Cannot(f"no read can be stopped here ({os.strerror(ctypes.get_errno())})")
        yield
    finally:
        os.close(listener)
