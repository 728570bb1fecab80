"""Playlists and CSVs that mean harm: made of songs and of what is none, and judged.

See README.md here.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from random import Random
from xml.sax.saxutils import escape, quoteattr

from embed import find_audio

__all__ = ["ENTRIES", "Playground", "judge_damaged", "judge_list", "make_list", "opened_files"]

_MARK = "sevensongs-hostile"
_opened: list[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Playground:
    """A folder with songs, and beside it all that a list may not make us open.

    Attributes
    ----------
    lists : str
        Where the lists are; songs are in its folder `music` and in `../other`.
    songs : tuple of str
    """

    lists: str
    songs: tuple[str, ...]

    @classmethod
    def make(cls, folder: Path) -> Playground:
        """Lay it out in an empty folder."""
        lists, music, other = folder / "lists", folder / "lists" / "music", folder / "other"
        for place in (lists, music, other, lists / "folder.mp3"):
            place.mkdir(parents=True)
        songs = [
            music / "a.mp3",
            music / "b c.flac",
            other / "ü.ogg",
            lists / "=1+1.mp3",
            lists / "'quoted'.mp3",
        ]
        for song in songs:
            song.write_bytes(b"x")
        os.mkfifo(lists / "fifo.mp3")
        (lists / "zero.mp3").symlink_to("/dev/zero")
        (lists / "loop.mp3").symlink_to("loop.mp3")
        (lists / "pipe.mp3").symlink_to("fifo.mp3")
        (lists / "inner.m3u").write_text("music/a.mp3\n")
        (lists / "inner.csv").write_text("path\nmusic/a.mp3\n")
        return cls(lists=str(lists), songs=tuple(map(str, songs)))


def _good(r: Random, ground: Playground) -> tuple[str, str]:
    """Return a way to name a song, and the song."""
    song = r.choice(ground.songs)
    relative = os.path.relpath(song, ground.lists)
    uri = Path(song).as_uri()
    ways = [song, relative, f"./{relative}", f"x/../{relative}", f"../lists/{relative}", uri]
    ways += [uri.replace("file://", "FILE://localhost"), f"/../..{song}", f"  {song}\t"]
    return r.choice(ways), song


ENTRIES: tuple[str, ...] = (
    "http://127.0.0.1:9/a.mp3", "HTTPS://example.invalid/a.mp3", "ftp://example.invalid/a.mp3",
    "rtsp://example.invalid/x", "smb://example.invalid/x.mp3", "file://example.invalid/share/a.mp3",
    "concat:music/a.mp3|music/a.mp3", "data:audio/mpeg;base64,AAAA", "pipe:0", "-",
    "subfile,,start,0,end,9,,:a.mp3", "/dev/zero", "/dev/tty", "/dev/random", "/dev/full",
    "fifo.mp3", "zero.mp3", "pipe.mp3", "file:///dev/zero", "file:///dev/../dev/zero",
    "../lists/fifo.mp3", "folder.mp3", ".", "..", "/", "loop.mp3", "inner.m3u", "inner.csv",
    "~/a.mp3", "~root/a.mp3", "$HOME/a.mp3", "`id`.mp3", "$(id).mp3", "music/*.mp3",
    "music/a.mp3\0.txt", "\0", "gone.mp3", "x" * 5000, "y" * 100_000, "\x1b]0;x\x07.mp3",
    "\u202e3pm.exe", "%2e%2e/x", "file:///%00", "file:///" + "%2e" * 3000,
    "\\\\example.invalid\\share\\a.mp3", "\udcff\udcfe", "a\x85b",
)  # fmt: skip
"""Entries of which none is a song."""


def make_list(r: Random, ground: Playground) -> tuple[str, bytes, list[str], int]:
    """Make a list of songs and of what is none.

    Returns
    -------
    name : str
    content : bytes
    songs : list of str
        That it names, each once, in order.
    n_bad : int
        How many different entries name none.
    """
    name = r.choice(list(_KINDS))
    kind = _KINDS[name]
    entries: list[str] = []
    songs: dict[str, None] = {}
    bad: set[str] = set()
    for _ in range(r.randint(0, 12)):
        if r.random() < 0.5:
            entry, song = _good(r, ground)
            songs[song] = None
        else:
            entry = r.choice([one for one in ENTRIES if kind.holds(one)])
            bad.add(entry)
        entries.append(entry)
    text = kind.write(r, entries)
    if r.random() < 0.2 and not any("\udc00" <= c <= "\udfff" for c in text):
        return name, codecs.BOM_UTF16_LE + text.encode("utf-16-le"), list(songs), len(bad)
    mark = r.choice([b"", codecs.BOM_UTF8])
    return name, mark + text.encode("utf-8", "surrogateescape"), list(songs), len(bad)


def _as_playlist(r: Random, entries: list[str]) -> str:
    end = r.choice(["\n", "\r\n", "\r"])
    lines = []
    for entry in entries:
        lines += r.choice(
            [[], ["#EXTINF:1,http://example.invalid/a.mp3"], ["", "  "], ["#" + "z" * 200_000]]
        )
        lines.append(entry)
    return end.join(["#EXTM3U", *lines]) + r.choice(["", end])


def _as_pls(r: Random, entries: list[str]) -> str:
    end = r.choice(["\n", "\r\n", "\r"])
    lines = [f"File{n}={entry}" for n, entry in enumerate(entries, start=1)]
    return end.join(["[playlist]", *lines, "Title1=music/a.mp3", "Version=2"])


def _as_table(r: Random, entries: list[str], delimiters: str) -> str:
    out = io.StringIO()
    delimiter, end = r.choice(delimiters), r.choice(["\n", "\r\n"])
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerow(["title", r.choice(["Path", "Location", "filename"]), "x"])
    for entry in entries:
        # A field as long as the longest entry would make the CSV no CSV: see
        # test_hostile_playlists.py.
        writer.writerow(["a\nb" * r.randint(0, 3), entry[:100_000], 1])
    return out.getvalue()


def _as_csv(r: Random, entries: list[str]) -> str:
    return _as_table(r, entries, ",;\t")


def _as_tabs(r: Random, entries: list[str]) -> str:
    """As Rekordbox's TXT is."""
    return _as_table(r, entries, "\t")


def _as_jspf(r: Random, entries: list[str]) -> str:
    """JSON, its tracks among others that name no file."""
    tracks: list[object] = [{"location": r.choice([[one, "x.mp3"], [one]])} for one in entries]
    others: list[object] = [{"title": "music/a.mp3"}, None, 7, "music/a.mp3", {"location": []}]
    for other in r.sample(others, 2):
        tracks.insert(r.randint(0, len(tracks)), other)
    return json.dumps({"playlist": {"title": "music/a.mp3", "track": tracks}})


def _tagged(before: str, entry: Callable[[str], str], after: str) -> Callable[..., str]:
    """Return what writes XML: its beginning, a song's element, its end."""

    def write(r: Random, entries: list[str]) -> str:
        between = r.choice(["\n", "<!-- <location>music/a.mp3</location> -->", "<x>a.mp3</x>", ""])
        return before + between + between.join(map(entry, entries)) + between + after

    return write


def _traktor(entry: str) -> str:
    *folders, file = entry.split("/") if entry.startswith("/") else [entry]
    folder = "".join(f"{name}/:" for name in folders)
    return f"<ENTRY><LOCATION DIR={quoteattr(folder)} FILE={quoteattr(file)} VOLUME=''/></ENTRY>"


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """How a kind of list is written, and what it can hold."""

    write: Callable[[Random, list[str]], str]
    holds: Callable[[str], bool] = lambda entry: True


def _is_text(entry: str) -> bool:
    """Whether XML can hold it."""
    return not any(c < " " or "\ud800" <= c <= "\udfff" for c in entry)


def _is_name(entry: str) -> bool:
    """Whether Traktor can: its path begins with a folder of the disk, or has none."""
    return _is_text(entry) and not entry.endswith("/") and "//" not in entry


def _in_xml(before: str, entry: Callable[[str], str], after: str) -> _Kind:
    return _Kind(write=_tagged(before, entry, after), holds=_is_text)


_TITLE = "<title>music/a.mp3</title>"
_KINDS = {
    "x.m3u": _Kind(write=_as_playlist),
    "x.M3U8": _Kind(write=_as_playlist),
    "x.txt": _Kind(write=_as_playlist),
    "tabs.txt": _Kind(write=_as_tabs),
    "x.csv": _Kind(write=_as_csv),
    "x.tsv": _Kind(write=_as_tabs),
    "x.pls": _Kind(write=_as_pls),
    "x.jspf": _Kind(write=_as_jspf),
    "x.xspf": _in_xml(
        f"<playlist version='1' xmlns='http://xspf.org/ns/0/'>{_TITLE}<trackList>",
        lambda one: f"<track>{_TITLE}<location>{escape(one)}</location></track>",
        "</trackList></playlist>",
    ),
    "itunes.xml": _in_xml(
        "<plist version='1.0'><dict><key>Tracks</key><dict>",
        lambda one: (
            f"<key>1</key><dict><key>Name</key><string>music/a.mp3</string>"
            f"<key>Location</key><string>{escape(one)}</string></dict>"
        ),
        "</dict></dict></plist>",
    ),
    "rekordbox.xml": _in_xml(
        "<DJ_PLAYLISTS Version='1.0.0'><COLLECTION>",
        lambda one: f"<TRACK Name='music/a.mp3' Location={quoteattr(one)}/>",
        "</COLLECTION></DJ_PLAYLISTS>",
    ),
    "x.wpl": _in_xml(
        f"<?wpl version='1.0'?><smil><head>{_TITLE}</head><body><seq>",
        lambda one: f"<media src={quoteattr(one)} tid='x'/>",
        "</seq></body></smil>",
    ),
    "x.asx": _in_xml(
        f"<asx version='3.0'>{_TITLE}",
        lambda one: f"<entry><ref href={quoteattr(one)}/></entry>",
        "</asx>",
    ),
    "x.nml": _Kind(
        write=_tagged("<NML VERSION='19'><COLLECTION>", _traktor, "</COLLECTION></NML>"),
        holds=_is_name,
    ),
}


@contextmanager
def opened_files() -> Iterator[list[str]]:
    """Collect the names of all files that this process opens meanwhile."""
    global _opened
    # whose modules Python opens when they are first used
    wide = [f"utf-{n}{order}" for n in (16, 32) for order in ("", "-be", "-le")]
    for encoding in ("utf-8-sig", "cp1252", *wide):
        codecs.lookup(encoding)
    for module in ("xml.parsers.expat", "json"):
        import_module(module)
    if not getattr(sys, _MARK, False):
        setattr(sys, _MARK, True)
        sys.addaudithook(_note)  # there is no way to take it off again
    _opened = []
    try:
        yield _opened
    finally:
        _opened = None


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if _opened is None or event not in ("open", "socket.connect", "subprocess.Popen", "os.system"):
        return
    if not isinstance(arguments[0], int):  # what is open already
        _opened.append(str(arguments[0]))


def judge_list(r: Random, ground: Playground) -> bool:
    """Read a hostile list.

    Return whether exactly its songs were found, and no other file was opened.

    Raises
    ------
    AssertionError
        If anything else was opened.
    """
    name, content, songs, n_bad = make_list(r, ground)
    path = os.path.join(ground.lists, name)
    Path(path).write_bytes(content)
    with opened_files() as opened:
        found = find_audio([path])
    assert set(opened) <= {path}, opened
    assert all(len(failure.path) < 20_000 and failure.error for failure in found.failures)
    return list(found.files) == songs and _as_many(len(found.failures), n_bad)


def judge_damaged(r: Random, ground: Playground) -> bool:
    """Read a hostile list of which bytes were changed, cut off or repeated.

    Return whether it ended in songs or in words, and nothing but it was opened.
    """
    name, content, _, _ = make_list(r, ground)
    damaged = bytearray(content)
    for _ in range(r.randint(1, 20)):
        if damaged:
            damaged[r.randrange(len(damaged))] = r.randrange(256)
    at = r.randint(0, len(damaged))
    content = bytes(r.choice([damaged, damaged[:at], damaged[:at] + damaged, damaged[at:]]))
    path = os.path.join(ground.lists, name)
    Path(path).write_bytes(content)
    with opened_files() as opened:
        found = find_audio([path])
    is_told = all(failure.error and len(failure.path) < 20_000 for failure in found.failures)
    return set(opened) <= {path} and is_told and set(found.files) <= set(ground.songs)


def _as_many(n_failed: int, n_bad: int) -> bool:
    """Whether every bad entry was named; two may be one path, written in two ways."""
    return (n_failed > 0) == (n_bad > 0) and n_failed <= n_bad
