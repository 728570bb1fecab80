"""What the world does to a run.

It fills disks, takes mounts away, changes files, and has odd names and odd files.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from speed.rows import COMMAND, child_environment
from waiting import LONG_S, run

from embed import probe
from reliability.bed import Bed, Cannot, mounted, system
from reliability.disks import full_disk_repair, full_disk_taste, silent_drive

__all__ = ["FAULTS", "judge", "rows"]

_SEED = 5


def _tree_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def full_disk(bed: Bed, rng: random.Random) -> None:
    """The disk of the cache runs full at some place; later there is room."""
    needed = sum(_tree_bytes(bed.reference.root / name) for name in ("catalog.lance", "embeddings"))
    room = _tree_bytes(bed.library.root) // 1024 + 16 + rng.randrange(needed // 1024)
    with mounted(bed.work / "disk", f"{room}k") as disk:
        bed.move(root=disk)
        bed.run("embed", bed.library.folder, code=1, says="disk is full; free some space")
        system("mount", "-o", "remount,size=64m", str(disk))
        bed.finish()


def file_size_limit(bed: Bed, rng: random.Random) -> None:
    """A file of the cache may not grow beyond a limit; later it may."""
    said = "allowed size; raise the limit|embedded"
    bed.run("embed", bed.library.folder, says=said, limit_bytes=rng.randrange(200, 30_000))
    bed.finish()


def read_only_cache(bed: Bed, rng: random.Random) -> None:
    """The file system of the cache is read-only.

    What is in it is read, and nothing can be added.
    """
    with mounted(bed.work / "disk", "64m") as disk:
        bed.move(root=disk)
        n_before = rng.randrange(1, bed.n_songs)
        bed.run("embed", *bed.library.paths[:n_before], code=0)
        system("mount", "-o", "remount,ro", str(disk))
        bed.run("embed", *bed.library.paths[:n_before], code=0, says="0 embedded")
        bed.run("similar", bed.library.paths[0], code=0 if n_before > 1 else None)
        bed.run("embed", bed.library.folder, code=1, says="read-only; mount it writable")
        bed.run("cache", "verify", code=0)
        system("mount", "-o", "remount,rw", str(disk))
        bed.finish()


def cache_vanishes(bed: Bed, rng: random.Random) -> None:
    """The cache is unmounted in the middle of a run, and mounted again later."""
    bed.run("embed", *bed.library.paths[:2], code=0)
    place, kept = bed.library.root, bed.work / "kept"
    with mounted(kept, "64m"):
        shutil.copytree(place, kept, dirs_exist_ok=True)
        shutil.rmtree(place)
        place.mkdir()
        system("mount", "--bind", str(kept), str(place))
        process = bed.start("embed", bed.library.folder)
        time.sleep(rng.uniform(0.3, 2.5))
        subprocess.run(["umount", "-l", str(place)], check=False)
        bed.end(process, says="has gone|embedded|no taste|Preparing")
        shutil.rmtree(place)
        place.mkdir()
        system("mount", "--bind", str(kept), str(place))
        try:
            bed.finish()
        finally:
            subprocess.run(["umount", "-l", str(place)], check=False)


def cache_moved(bed: Bed, rng: random.Random) -> None:
    """The cache's folder is moved away in the middle of a run, and back later."""
    bed.run("embed", *bed.library.paths[:2], code=0)
    away = bed.work / "away"
    process = bed.start("embed", bed.library.folder)
    time.sleep(rng.uniform(0.3, 2.5))
    bed.library.root.rename(away)
    bed.end(process, says="has gone|embedded")
    shutil.rmtree(bed.library.root, ignore_errors=True)
    away.rename(bed.library.root)
    bed.finish()


def music_vanishes(bed: Bed, rng: random.Random) -> None:
    """The music is unmounted in the middle of a run, and mounted again later.

    No song is taken for broken.
    """
    with mounted(bed.work / "drive", "64m") as drive:
        bed.move(folder=drive)
        keep = bed.work / "music"
        process = bed.start("embed", drive)
        time.sleep(rng.uniform(0.2, 2.0))
        subprocess.run(["umount", "-l", str(drive)], check=False)
        bed.end(process, says="can't be read|embedded|no audio file")
        bed.run("embed", drive, code=1, says="no audio file is there")
        shutil.copytree(keep, drive, dirs_exist_ok=True)
        bed.finish()


def music_moved(bed: Bed, rng: random.Random) -> None:
    """The folder of the music is renamed in the middle of a run, and back later."""
    away = bed.work / "away"
    process = bed.start("embed", bed.library.folder)
    time.sleep(rng.uniform(0.2, 2.0))
    bed.library.folder.rename(away)
    bed.end(process, says="can't be read|embedded|does not exist")
    away.rename(bed.library.folder)
    bed.finish()


def broken_disk(bed: Bed, rng: random.Random) -> None:
    """The disk under the music answers with I/O errors, from some place of some song on.

    Later it is well.
    """
    image, drive = bed.work / "image", bed.work / "drive"
    with image.open("wb") as file:
        file.truncate(16 << 20)
    system("mkfs.ext4", "-q", str(image))
    drive.mkdir()
    system("mount", "-o", "loop", str(image), str(drive))
    try:
        bed.move(folder=drive)
        system("umount", str(drive))  # so that nothing is in memory
        whole = image.read_bytes()
        system("mount", "-o", "loop,ro", str(image), str(drive))
        os.listdir(drive)
        songs = [os.stat(path) for path in bed.library.paths]
        assert all(song.st_size for song in songs)
        first = whole.index(Path(bed.reference.paths[0]).read_bytes()[44:1044])
        os.truncate(image, first // 4096 * 4096 + rng.randrange(1, 12) * 28672)
        bed.run("embed", drive, says="can't be read|embedded")
        system("umount", str(drive))
        image.write_bytes(whole)
        system("mount", "-o", "loop", str(image), str(drive))
        bed.finish()
    finally:
        subprocess.run(["umount", "-l", str(drive)], check=False, capture_output=True)


def files_change(bed: Bed, rng: random.Random) -> None:
    """Songs are cut short, replaced, deleted and brought back while they are read."""
    sources = {path: Path(path).read_bytes() for path in bed.library.paths}
    ended = threading.Event()

    def disturb() -> None:
        while not ended.is_set():
            path = rng.choice(bed.library.paths)
            way = rng.randrange(3)
            with contextlib.suppress(OSError):
                if way == 0:
                    os.truncate(path, rng.randrange(len(sources[path])))
                elif way == 1:
                    os.unlink(path)
                else:
                    Path(path).write_bytes(sources[rng.choice(bed.library.paths)])
            time.sleep(rng.uniform(0.001, 0.02))

    thread = threading.Thread(target=disturb)
    process = bed.start("embed", bed.library.folder, *bed.library.paths)
    thread.start()
    try:
        bed.end(process)
    finally:
        ended.set()
        thread.join()
    for path, content in sources.items():
        Path(path).write_bytes(content)
    bed.run("embed", bed.library.folder, code=0)
    known = bed.library.catalog.load()
    bed.outcome.wrong += sum(known[path].digest != probe(path).digest for path in bed.library.paths)
    here = dict(zip(*bed.library.store.matrix(), strict=True))
    right = dict(zip(*bed.reference.store.matrix(), strict=True))
    bed.outcome.wrong += sum(
        not (here[name] == right[name]).all() for name in right.keys() & here.keys()
    )
    bed.outcome.lost += len(right.keys() - here.keys())
    bed.run("cache", "verify", code=0)


def clock_skew(bed: Bed, rng: random.Random) -> None:
    """Songs are from the future or from before 1970, and the clock jumps by years between runs."""
    for path in bed.library.paths:
        with contextlib.suppress(OverflowError):
            os.utime(path, ns=(0, rng.choice((-(10**18), 0, 4 * 10**18, 10**19, 2**63 - 1, 2**62))))
    for at, years in enumerate((0, -20, 30)):
        some = bed.library.paths[: (at + 1) * bed.n_songs // 3]
        code = (
            "import sys, time; shift = int(sys.argv.pop(1)) * 31557600\n"
            "now, now_ns = time.time, time.time_ns\n"
            "time.time = lambda: now() + shift; time.time_ns = lambda: now_ns() + shift * 10**9\n"
            "from classify.cli.app import main; main()"
        )
        arguments = bed.library.command("embed", *some)[len(COMMAND) :]
        done = run([sys.executable, "-c", code, str(years), *arguments], env=child_environment())
        bed.expect("embed", done.returncode, done.stdout + done.stderr, 0, "embedded")
    bed.run("embed", bed.library.folder, code=0, says="0 embedded")
    bed.finish()


def odd_names(bed: Bed, rng: random.Random) -> None:
    """Names in both Unicode forms, no UTF-8, line breaks and commas.

    They go out as CSV and M3U8, and in again.
    """
    names = [
        b"caf\xc3\xa9",
        b"cafe\xcc\x81",
        b"caf\xe9 \xff",
        b"new\nline",
        b'"quoted", and more',
        b"=1+1",
    ]
    names += [b"-rf", b"\xf0\x9f\x8e\xb5 \xe2\x80\xae", b"trailing ", b"#hash"]
    rng.shuffle(names)
    renamed = []
    for path, name in zip(list(bed.library.paths), names, strict=False):
        target = os.path.join(os.fsencode(bed.library.folder), name + b".wav")
        os.rename(path, target)
        renamed.append(os.fsdecode(target))
    bed.library.paths = renamed + bed.library.paths[len(names) :]
    bed.run("embed", bed.library.folder, code=0, says=f"{bed.n_songs} embedded")
    bed.run("train", *(part for path in renamed[:5] for part in ("--like", path)), code=0)
    rows = json.loads(bed.run("score", "--labelled", "--copies", "--json", code=0))
    found = {row["path"] for row in rows}
    bed.outcome.lost += len(set(bed.library.paths) - found)
    for kind in ("csv", "m3u8"):
        listed = bed.work / f"list.{kind}"
        # without a least score, a playlist has the likely ones alone
        every = ("score", "--labelled", "--copies", "--min-score", "0")
        bed.run(*every, "--format", kind, "-o", listed, code=0)
        again = json.loads(bed.run("score", listed, "--json", code=0))
        bed.outcome.wrong += again != rows
    bed.run("score", code=0)
    table = csv.DictReader(
        io.StringIO((bed.work / "list.csv").read_text("utf-8", "surrogateescape"))
    )
    bed.outcome.wrong += any(row["path"][:1] in "=+-@" for row in table)
    bed.finish()


def odd_files(bed: Bed, rng: random.Random) -> None:
    """A FIFO, a socket, a device, an empty file and loops of links in the music folder."""
    folder = bed.library.folder
    os.mkfifo(folder / "fifo.mp3")
    with contextlib.suppress(PermissionError):
        os.mknod(folder / "device.mp3", 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero
    (folder / "empty.mp3").touch()
    (folder / "folder.mp3").mkdir()
    links = {"self.mp3": "self.mp3", "a.mp3": "b.mp3", "b.mp3": "a.mp3", "none.mp3": "nowhere.mp3"}
    for name, to in (links | {"loop": ".", "up": "..", "deep": "loop/loop/up"}).items():
        (folder / name).symlink_to(to)
    here = os.getcwd()
    with socket.socket(socket.AF_UNIX) as end:
        os.chdir(folder)  # a socket's path may have 107 bytes
        try:
            end.bind("socket.mp3")
        finally:
            os.chdir(here)
        odd = sorted(
            path for path in folder.iterdir() if path.suffix == ".mp3" and not path.is_dir()
        )
        for _ in range(2):
            report = json.loads(bed.run("embed", folder, "--json", code=1))
            failed = {failure["path"] for failure in report["failed"]}
            bed.outcome.wrong += report["found"] - len(failed) != bed.n_songs or failed != set(
                map(str, odd)
            )
    for path in odd:
        path.unlink()
    rng.shuffle(odd)
    bed.finish()


def compiler_killed(bed: Bed, rng: random.Random) -> None:
    """A run and the compiler that it started are killed.

    That is while it works, and just before it is done.
    """
    encoders = bed.library.root / "encoders"
    shutil.rmtree(encoders)
    for at_the_end in (False, True):
        process = bed.start("embed", bed.library.folder, start_new_session=True)
        deadline = time.monotonic() + (LONG_S if at_the_end else rng.uniform(1, 6))
        while (
            not list(encoders.glob(".part-*"))
            and process.poll() is None
            and time.monotonic() < deadline
        ):
            time.sleep(0.0002)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    left = list(encoders.glob(".part-*"))
    bed.finish()
    bed.outcome.wrong += len(left) > 1 or set(encoders.glob(".part-*")) != set(left)


FAULTS: Mapping[str, Callable[[Bed, random.Random], None]] = {
    "full disk": full_disk,
    "full disk under train, label and score -o": full_disk_taste,
    "full disk under cache verify --repair": full_disk_repair,
    "file size limit": file_size_limit,
    "read-only cache": read_only_cache,
    "cache unmounted during embed": cache_vanishes,
    "cache moved away during embed": cache_moved,
    "music unmounted during embed": music_vanishes,
    "music moved away during embed": music_moved,
    "disk errors under the music": broken_disk,
    "a drive that does not answer": silent_drive,
    "files cut, replaced, deleted while read": files_change,
    "SIGKILL of embed while it compiles an encoder": compiler_killed,
    "clock skew": clock_skew,
    "odd names": odd_names,
    "FIFO, socket, device, loops of links": odd_files,
}
"""Each brings one fault about on a fresh bed and judges what came of it."""


def rows(n: int, work: Path) -> Iterator[dict[str, Any]]:
    """Bring each fault about `n` times.

    Yields
    ------
    dict
        One a fault; `skipped` says why where it could not be brought about here.
    """
    bed = Bed(work)
    for name, fault in FAULTS.items():
        yield judge(bed, name, fault, n)


def judge(
    bed: Bed, name: str, fault: Callable[[Bed, random.Random], None], n: int
) -> dict[str, Any]:
    """Bring one fault about `n` times and add up what came of it."""
    row: dict[str, Any] = {"fault": name, "n": 0, "survived": 0, "lost": 0, "wrong": 0}
    notes: list[str] = []
    started = time.monotonic()
    for number in range(n):
        bed.fresh()
        try:
            fault(bed, random.Random(f"{name} {number} {_SEED}"))
        except Cannot as error:
            row["skipped"] = str(error)
            break
        outcome = bed.outcome
        row["n"] += 1
        row["survived"] += outcome.survived
        row["lost"] += outcome.lost
        row["wrong"] += outcome.wrong
        notes += outcome.notes
    return row | {"seconds": round(time.monotonic() - started, 1), "notes": notes}
