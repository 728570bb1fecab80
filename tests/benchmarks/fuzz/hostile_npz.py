"""Hostile files of taste format 2, a zip of arrays, which is still read.

See README.md above.

Every maker takes a `random.Random`, which hypothesis can stand in for, and the bytes of a sound
taste.
"""

from __future__ import annotations

import functools
import io
import json
import pickle
import struct
import warnings
import zipfile
import zlib
from pathlib import Path
from random import Random

import numpy as np

from fuzz.hostile_values import FLOATS, SHAPES, Bomb, Maker, changed_facts

__all__ = ["FORGED", "false_sizes", "forge", "write_members"]

Members = list[tuple[str, bytes]]

_NUMBERS = (0, 1, 2, 7, 255, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)
_DIRECTORY = ((b"PK\1\2", (8, 10, 16, 20, 24, 28, 30, 32, 42)), (b"PK\5\6", (4, 8, 10, 12, 16, 20)))
_TYPES = [
    "|O",
    "<f2",
    "<f4",
    ">f4",
    "<f8",
    ">f8",
    "<i8",
    "|b1",
    "<c16",
    "<U9",
    "|S4",
    "|V8",
    "<M8[s]",
    "<f16",
]
_BOMB_BYTES = 20_000_000  # more than a taste may hold
# fmt: off
_NAMES = (
    "../../x.npy", "/etc/passwd", "C:\\x.npy", "meta", "mean.npy.npy", "", ".npy", "a" * 300,
    "x\0y.npy", "\xe9.npy",
)
# fmt: on


def write_members(members: Members, *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Zip members as they come, names twice and all."""
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", method) as archive:
        warnings.simplefilter("ignore")  # "Duplicate name", which is the point
        for name, data in members:
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name, method
            archive.writestr(info, data, compresslevel=1)
    return out.getvalue()


def _members(content: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def _npy(
    descr: str, shape: tuple[int, ...], body: bytes, *, version: tuple[int, int] = (1, 0)
) -> bytes:
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}"
    text = header.encode("latin-1").ljust(117) + b"\n"
    return b"\x93NUMPY" + struct.pack("<BBH", *version, len(text)) + text + body


def false_sizes(r: Random, content: bytes, _mark: Path) -> bytes:
    """Change a number in the zip's directory, or in the record at its end."""
    broken, places = bytearray(content), []
    for magic, offsets in _DIRECTORY:
        at = content.find(magic)
        while at >= 0:
            places += [at + offset for offset in offsets]
            at = content.find(magic, at + 1)
    place, size = r.choice(places), r.choice([2, 4])
    broken[place : place + size] = (r.choice(_NUMBERS) % 256**size).to_bytes(size, "little")
    return bytes(broken)


def _other_member(r: Random, content: bytes, _mark: Path) -> bytes:
    members = _members(content)
    place = r.randrange(len(members))
    name, data = members[place]
    change = r.randrange(4)
    if change == 0:
        del members[place]
    elif change == 1:
        members[place] = (r.choice([other for other in _NAMES if other != name]), data)
    elif change == 2:
        members.append((r.choice([name, *_NAMES]), data))
    else:
        members += [(f"x{i}.npy", b"") for i in range(r.choice([1, 60, 3000]))]
    return write_members(members, method=r.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))


def _other_array(r: Random, content: bytes, _mark: Path) -> bytes:
    members = _members(content)
    place = r.randrange(len(members))
    name, data = members[place]
    body = data[10 + struct.unpack_from("<H", data, 8)[0] :]
    if r.random() < 0.4:  # the same array with another value in it
        kind = "<f8" if name.startswith(("weights", "bias")) else "<f4"
        values = np.frombuffer(body[: len(body) // 8 * 8], kind).copy()
        with np.errstate(over="ignore"):
            value = np.float64(r.choice(FLOATS)).astype(kind)
        values[r.randrange(len(values)) :: r.randint(1, 5)] = value
        data = data[: len(data) - len(body)] + values.tobytes()
    else:
        version = r.choice([(1, 0), (1, 0), (2, 0), (3, 0), (9, 9)])
        data = _npy(
            r.choice(_TYPES),
            r.choice(SHAPES),
            body[: r.choice([0, 8, len(body)])],
            version=version,
        )
    members[place] = (name, data)
    return write_members(members)


def _other_meta(r: Random, content: bytes, _mark: Path) -> bytes:
    members = _members(content)
    place = [name for name, _ in members].index("meta.npy")
    data = members[place][1]
    meta = json.loads(data[10 + struct.unpack_from("<H", data, 8)[0] :])
    text = changed_facts(r, meta)
    body = text.encode()
    members[place] = ("meta.npy", _npy("|u1", (len(body),), body))
    return write_members(members)


def _bomb(r: Random, content: bytes, _mark: Path) -> bytes:
    """Unpack to 20 MB, told or not told in the directory."""
    members = _members(content)
    out = bytearray(_bombs(content)[r.randrange(len(members))])
    if r.random() < 0.7:
        at = out.find(b"PK\1\2")
        while at >= 0:
            if struct.unpack_from("<L", out, at + 24)[0] == _BOMB_BYTES:
                struct.pack_into("<L", out, at + 24, r.choice([0, 100, 2000]))
            at = out.find(b"PK\1\2", at + 1)
    return bytes(out)


@functools.lru_cache(maxsize=1)
def _bombs(content: bytes) -> list[bytes]:
    """Put a bomb in the place of each member."""
    members = _members(content)
    return [
        write_members([*members[:i], (members[i][0], bytes(_BOMB_BYTES)), *members[i + 1 :]])
        for i in range(len(members))
    ]


def _pickled(r: Random, content: bytes, mark: Path) -> bytes:
    bomb = pickle.dumps(Bomb(mark), protocol=r.randint(0, 5))
    members = _members(content)
    place = r.randrange(len(members))
    objects = io.BytesIO()
    np.save(objects, np.array([Bomb(mark)], dtype=object), allow_pickle=True)
    body = r.choice([objects.getvalue(), _npy("|O", (1,), bomb), bomb])
    members[place] = (members[place][0], body)
    return r.choice([bomb, zlib.compress(bomb), write_members(members), objects.getvalue()])


FORGED: dict[str, Maker] = {
    "other members": _other_member,
    "other arrays": _other_array,
    "other metadata": _other_meta,
    "zip bombs": _bomb,
    "pickles": _pickled,
}


def forge(content: bytes, **arrays: bytes) -> bytes:
    """Replace members of a sound taste by others' bytes."""
    kept = [
        (name, data) for name, data in _members(content) if name.removesuffix(".npy") not in arrays
    ]
    return write_members([*kept, *((f"{name}.npy", data) for name, data in arrays.items())])
