"""Ways to damage a music file.

Each takes the sources and a generator, and gives bytes and words.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

import numpy as np

from fuzz.ogg import Page, join_pages, split_pages

__all__ = ["DAMAGES", "Damage", "joined"]

Damage = Callable[[Mapping[str, bytes], str, np.random.Generator], tuple[bytes, str]]
"""From the sources, the name of one of them and a generator, to content and what was done."""

_HEAD_BYTES = 700
_EXTREMES = (
    0,
    1,
    2,
    255,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x7FFFFFFF,
    0x80000000,
    0xEE6B2800,  # 4,000,000,000: as a sample rate, 4 GHz
    0xFFFFFFFF,
    2**62,
    2**64 - 1,
)
# Where lengths, counts, rates and channels stand: the bytes to find, and offsets from their
# beginning.
_FIELDS: dict[bytes, tuple[tuple[int, str], ...]] = {
    b"fmt ": ((8, "<H"), (10, "<H"), (12, "<I"), (16, "<I"), (20, "<H"), (22, "<H")),
    b"data": ((4, "<I"), (4, ">Q"), (16, "<Q")),
    b"COMM": ((4, ">I"), (8, ">H"), (10, ">I"), (14, ">H"), (16, ">H"), (18, ">Q")),
    b"SSND": ((4, ">I"), (8, ">I"), (12, ">I")),
    b"fLaC": ((8, ">H"), (10, ">H"), (12, ">I"), (18, ">I"), (20, ">I"), (24, ">H")),
    b"mvhd": ((16, ">I"), (20, ">I")),
    b"mdhd": ((16, ">I"), (20, ">I")),
    b"elst": ((8, ">I"), (12, ">I"), (16, ">I")),
    b"stts": ((8, ">I"), (12, ">I"), (16, ">I")),
    b"stsz": ((8, ">I"), (12, ">I"), (16, ">I")),
    b"stsc": ((8, ">I"), (12, ">I"), (16, ">I"), (20, ">I")),
    b"stco": ((8, ">I"), (12, ">I")),
    b"trun": ((8, ">I"), (12, ">I"), (16, ">I")),
    b"mp4a": ((20, ">H"), (22, ">H"), (28, ">I")),
    b"alac": ((8, ">I"), (12, ">I"), (13, "B"), (17, "B"), (20, ">I"), (24, ">I"), (28, ">I")),
    b"Xing": ((4, ">I"), (8, ">I"), (12, ">I")),
    b"Info": ((4, ">I"), (8, ">I"), (12, ">I")),
    b"desc": ((4, ">Q"), (20, ">I"), (24, ">I"), (28, ">I"), (32, ">I")),
    b".snd": ((4, ">I"), (8, ">I"), (12, ">I"), (16, ">I"), (20, ">I")),
    b"TTA1": ((4, "<H"), (6, "<H"), (8, "<H"), (10, "<I"), (14, "<I")),
    b"wvpk": ((4, "<I"), (8, "<H"), (12, "<I"), (16, "<I"), (20, "<I"), (24, "<I")),
    b"\x01vorbis": ((7, "<I"), (11, "B"), (12, "<I"), (16, "<I"), (28, "B")),
    b"OpusHead": ((8, "B"), (9, "B"), (10, "<H"), (12, "<I"), (16, "<H"), (18, "B"), (19, "B")),
    b"\x7fFLAC": ((5, ">H"), (7, ">H"), (17, ">H"), (19, ">H"), (27, ">I")),
    b"\x44\x89": ((3, ">Q"),),  # Matroska: Duration
    b"\xb5\x88": ((2, ">Q"),),  # SamplingFrequency
    b"\x9f\x81": ((2, "B"),),  # Channels
    b"\x2a\xd7\xb1": ((4, ">H"), (4, ">I")),  # TimestampScale
    # ASF: file properties
    b"\xa1\xdc\xab\x8c": ((16, "<Q"), (40, "<Q"), (48, "<Q"), (56, "<Q"), (64, "<I")),
}


def _flips(sources: Mapping[str, bytes], name: str, rng: np.random.Generator) -> tuple[bytes, str]:
    content = sources[name]
    n = int(rng.integers(1, 200))
    return _flipped(content, rng.integers(0, len(content), size=n), rng), f"{n} bits flipped"


def _head_flips(
    sources: Mapping[str, bytes], name: str, rng: np.random.Generator
) -> tuple[bytes, str]:
    n = int(rng.integers(1, 30))
    at = rng.integers(0, min(_HEAD_BYTES, len(sources[name])), size=n)
    return _flipped(sources[name], at, rng), f"{n} bits flipped in the header"


def _tail_flips(
    sources: Mapping[str, bytes], name: str, rng: np.random.Generator
) -> tuple[bytes, str]:
    content = sources[name]
    n = int(rng.integers(1, 30))
    at = len(content) - 1 - rng.integers(0, min(_HEAD_BYTES, len(content)), size=n)
    return _flipped(content, at, rng), f"{n} bits flipped at the end"


def _flipped(content: bytes, at: np.ndarray, rng: np.random.Generator) -> bytes:
    damaged = np.frombuffer(content, dtype=np.uint8).copy()
    damaged[at] ^= (1 << rng.integers(0, 8, size=at.size)).astype(np.uint8)
    return damaged.tobytes()


def _cut_off(
    sources: Mapping[str, bytes], name: str, rng: np.random.Generator
) -> tuple[bytes, str]:
    n = int(rng.integers(1, len(sources[name])))
    return sources[name][:n], f"cut off after {n} bytes"


def _beheaded(
    sources: Mapping[str, bytes], name: str, rng: np.random.Generator
) -> tuple[bytes, str]:
    n = int(rng.integers(1, len(sources[name]) if rng.random() < 0.5 else _HEAD_BYTES))
    return sources[name][n:], f"without its first {n} bytes"


def _spliced(
    sources: Mapping[str, bytes], name: str, rng: np.random.Generator
) -> tuple[bytes, str]:
    other = str(rng.choice(sorted(sources)))
    body = sources[other]
    if rng.random() < 0.5:  # a header of one, the body of the other
        n, m = int(rng.integers(16, _HEAD_BYTES)), int(rng.integers(0, _HEAD_BYTES))
    else:
        n, m = int(rng.integers(1, len(sources[name]))), int(rng.integers(0, len(body)))
    return sources[name][:n] + body[m:], f"{n} bytes of it, then {other} from byte {m} on"


def _inserted(
    sources: Mapping[str, bytes], name: str, rng: np.random.Generator
) -> tuple[bytes, str]:
    content = sources[name]
    at, n = int(rng.integers(0, len(content))), int(rng.integers(1, 20_000))
    filler = [rng.bytes(n), bytes(n), b"\xff" * n][int(rng.integers(3))]
    return content[:at] + filler + content[at:], f"{n} bytes of garbage at {at}"


def _moved(sources: Mapping[str, bytes], name: str, rng: np.random.Generator) -> tuple[bytes, str]:
    content = sources[name]
    a, b, c = sorted(int(x) for x in rng.integers(0, len(content), size=3))
    first, second = content[a:b], content[b:c]
    middle, words = [
        (second + first, "two stretches swapped"),
        (second, "a stretch left out"),
        (first * int(rng.integers(2, 20)) + second, "a stretch repeated"),
    ][int(rng.integers(3))]
    return content[:a] + middle + content[c:], f"{words}, bytes {a} to {c}"


def _overwritten(
    sources: Mapping[str, bytes], name: str, rng: np.random.Generator
) -> tuple[bytes, str]:
    """Put an extreme number anywhere in the header, of any width and byte order."""
    layout = "<>"[int(rng.integers(2))] + "BHIQ"[int(rng.integers(4))]
    at = int(rng.integers(0, min(_HEAD_BYTES, len(sources[name]) - 8)))
    return _put(sources[name], [(at, layout)], rng)


def _lying(sources: Mapping[str, bytes], name: str, rng: np.random.Generator) -> tuple[bytes, str]:
    """Put extreme numbers where lengths, counts, rates and channels stand.

    Ogg pages keep right checksums.
    """
    content = sources[name]
    is_ogg = content[:4] == b"OggS"
    if is_ogg and rng.random() < 0.5:
        return _lying_ogg(content, rng)
    places = [
        (content.find(needle) + offset, layout)
        for needle, fields in _FIELDS.items()
        if needle in content
        for offset, layout in fields
    ]
    places = [place for place in places if place[0] + 8 < len(content)]
    if not places:
        return _overwritten(sources, name, rng)
    chosen = rng.choice(len(places), size=min(len(places), int(rng.integers(1, 4))), replace=False)
    lied, words = _put(content, [places[k] for k in chosen], rng)
    return (join_pages(split_pages(lied)) if is_ogg else lied), words


def _put(
    content: bytes, places: list[tuple[int, str]], rng: np.random.Generator
) -> tuple[bytes, str]:
    damaged = bytearray(content)
    said = []
    for at, layout in places:
        value = _EXTREMES[int(rng.integers(len(_EXTREMES)))] % 2 ** (8 * struct.calcsize(layout))
        struct.pack_into(layout, damaged, at, value)
        said.append(f"{value} as {layout} at {at}")
    return bytes(damaged), ", ".join(said)


def _lying_ogg(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    pages = split_pages(content)
    for page in pages[2:]:
        if rng.random() < 0.3:
            value = (
                int(rng.integers(-(2**62), 2**62))
                if rng.random() < 0.5
                else int(rng.integers(0, 10**7))
            )
            page.granule = value
        if rng.random() < 0.05:
            page.flags ^= int(rng.integers(1, 8))
    return join_pages(pages), "Ogg pages with stray timestamps and flags"


def _rewired(
    sources: Mapping[str, bytes], name: str, rng: np.random.Generator
) -> tuple[bytes, str]:
    """Ogg pages in loops, interleaved streams, chained streams, packets that never end."""
    oggs = [key for key in sorted(sources) if sources[key][:4] == b"OggS"]
    first = sources[name] if name in oggs else sources[oggs[int(rng.integers(len(oggs)))]]
    pages = split_pages(first)
    way = int(rng.integers(6))
    if way == 0:
        pages = pages[:3] + pages[3:] * int(rng.integers(20, 60))
        words = "the same pages again and again"
    elif way == 1:
        others = [split_pages(sources[oggs[int(rng.integers(len(oggs)))]]) for _ in range(4)]
        pages = [page for stream in [pages, *others] for page in stream]
        words = "five streams in a chain"
    elif way == 2:
        other = split_pages(sources[oggs[int(rng.integers(len(oggs)))]])
        for page in other:
            page.serial = 77
        pages = [page for both in zip(pages, other, strict=False) for page in both]
        words = "two streams page by page"
    elif way == 3:
        pages = (
            pages[:3]
            + [Page(flags=1, granule=-1, serial=pages[0].serial, body=b"\xff" * 65025)] * 40
        )
        words = "a packet that never ends"
    elif way == 4:
        rng.shuffle(pages)
        words = "pages shuffled"
    else:
        pages = [
            Page(flags=2, granule=0, serial=k, body=page.body)
            for k, page in enumerate((pages[:4] * 400)[: int(rng.integers(200, 1500))])
        ]
        words = f"{len(pages)} streams that begin and never go on"
    return join_pages(pages), words


def _id3(sources: Mapping[str, bytes], name: str, rng: np.random.Generator) -> tuple[bytes, str]:
    """ID3 and APE tags before and after, with lengths that are not theirs."""
    size = [0, 1, 10, 2**7, 2**14, 2**21, 2**28 - 1][int(rng.integers(7))]
    said = bytes(size >> shift & 127 for shift in (21, 14, 7, 0))
    version, flags = int(rng.integers(0, 6)), int(rng.integers(0, 256))
    frame = [b"APIC", b"TIT2", b"TXXX", b"GEOB", b"CHAP", b"PRIV"][int(rng.integers(6))]
    frame += int(rng.choice(_EXTREMES[:11])).to_bytes(4, "big") + rng.bytes(2)
    tag = (
        b"ID3"
        + bytes([version, 0, flags])
        + said
        + (frame + rng.bytes(60)) * int(rng.integers(1, 50))
    )
    ape = b"APETAGEX" + struct.pack("<4I", 2000, int(rng.choice(_EXTREMES[:11])), 7, 0) + bytes(8)
    return tag + sources[
        name
    ] + ape, f"an ID3v2.{version} tag that says {size} bytes, and an APE tag that lies"


def _magic(sources: Mapping[str, bytes], name: str, rng: np.random.Generator) -> tuple[bytes, str]:
    n = int(rng.integers(0, 64))
    return sources[name][:n] + rng.bytes(
        int(rng.integers(0, 100_000))
    ), f"{n} bytes of it, the rest random"


def _random(sources: Mapping[str, bytes], name: str, rng: np.random.Generator) -> tuple[bytes, str]:
    n = int(rng.choice([0, 1, 2, 10, 1000, 50_000]))
    return rng.bytes(n), f"{n} random bytes"


def _none(sources: Mapping[str, bytes], name: str, rng: np.random.Generator) -> tuple[bytes, str]:
    return sources[name], "sound"


# Formats whose files make one stream where they are joined byte by byte.
_ONE_STREAM = (
    ("adts", "adts-slow"),
    ("mp3", "mp3-48", "mp3-bare"),
    ("flac-ogg", "opus", "vorbis"),
    ("ac3",),
    ("ts",),
    ("wavpack",),
)


def joined(sources: Mapping[str, bytes], rng: np.random.Generator) -> tuple[str, bytes, str]:
    """Join whole files, some of them cut, of one kind or of any.

    Returns
    -------
    base : str
        The first one's format.
    content : bytes
    what : str
    """
    one_stream = _ONE_STREAM[int(rng.integers(len(_ONE_STREAM)))]
    names = one_stream if rng.random() < 0.8 else sorted(sources)
    chosen = [names[int(k)] for k in rng.integers(len(names), size=int(rng.integers(2, 6)))]
    parts = []
    for name in chosen:
        content = sources[name]
        is_cut = rng.random() < 0.3
        parts.append(content[: int(rng.integers(len(content)))] if is_cut else content)
    return chosen[0], b"".join(parts), f"joined of {', '.join(chosen)}"


DAMAGES: dict[str, Damage] = {
    "flips": _flips,
    "flips in the header": _head_flips,
    "flips at the end": _tail_flips,
    "cut off": _cut_off,
    "beheaded": _beheaded,
    "spliced": _spliced,
    "garbage inserted": _inserted,
    "stretches moved": _moved,
    "header overwritten": _overwritten,
    "fields that lie": _lying,
    "Ogg pages rewired": _rewired,
    "tags that lie": _id3,
    "random after a magic number": _magic,
    "random": _random,
    "sound": _none,
}
"""By kind."""
