"""Tastes that mean harm, or have come to some: made from a sound one, and judged.

See README.md above.

Every maker takes a `random.Random`, which hypothesis can stand in for, and the bytes of a sound
taste, which may be of format 2 or 3.
"""

from __future__ import annotations

import json
import pickle
import zlib
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load

from classify import Taste, TasteError
from classify.taste.format_3 import format_3
from fuzz import hostile_npz
from fuzz.hostile_values import FLOATS, SHAPES, Bomb, Maker, changed_facts

__all__ = [
    "DAMAGED",
    "DAMAGED_NPZ",
    "FORGED",
    "FORGED_NPZ",
    "Verdict",
    "header_of",
    "judge",
    "make_hostile",
    "with_header",
]

Verdict = str
"""`refused`, `unchanged` (nothing that counts was hit) or `other`: it is read, as another taste."""

_ZIP = b"PK"
# fmt: off
_TYPES: tuple[Any, ...] = (
    "O", "BOOL", "U8", "I8", "F16", "BF16", "F32", "F64", "I64", "C64", "F8_E4M3", "", None, [], 7,
)
_LENGTHS = (0, 1, 7, 8, 2**16, 2**24, 2**31, 2**32, 2**63, 2**64 - 1)
_OFFSETS: tuple[Any, ...] = (
    -1, 0, 1, 4, 8, 2**31, 2**53, 2**63, 2**64, 10**400, 0.5, None, "8", [], {},
)
_NAMES = (
    "meta", "taste", "mean ", "weights_0\0", "weights_16", "../../x", "", "a" * 300, "\xe9",
    "\ud800",
)
# fmt: on


def header_of(content: bytes) -> dict[str, Any]:
    """Return the header of a safetensors file."""
    n_header = int.from_bytes(content[:8], "little")
    header: dict[str, Any] = json.loads(content[8 : 8 + n_header])
    return header


def with_header(content: bytes, header: Mapping[str, Any] | str | bytes) -> bytes:
    """Put another header before the arrays of a safetensors file."""
    body = content[8 + int.from_bytes(content[:8], "little") :]
    text = header if isinstance(header, str | bytes) else json.dumps(header)
    text = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return len(text).to_bytes(8, "little") + text + body


# --- damage: what disks, networks and editors do ---------------------------------------------


def _flip(r: Random, content: bytes, _mark: Path) -> bytes:
    broken = bytearray(content)
    for _ in range(r.randint(1, 8)):
        broken[r.randrange(len(broken))] ^= r.randint(1, 255)
    return bytes(broken)


def _cut(r: Random, content: bytes, _mark: Path) -> bytes:
    return content[: r.randrange(len(content))]


def _splice(r: Random, content: bytes, _mark: Path) -> bytes:
    start, length = r.randrange(len(content)), r.randint(1, 400)
    source = r.choice(
        [bytes(length), r.randbytes(length), content[r.randrange(len(content)) :][:length]]
    )
    keep = r.choice([0, length])  # in place of as many bytes, or between them
    return content[:start] + source + content[start + keep :]


def _junk(r: Random, content: bytes, _mark: Path) -> bytes:
    return r.choice(
        [b"", b"PK\3\4", b"PK\5\6" + bytes(18), b"\x40" + bytes(7), content[:60]]
    ) + r.randbytes(r.randint(0, 600))


def _lie(r: Random, content: bytes, _mark: Path) -> bytes:
    """Change the length of the header, or where an array lies, or its shape."""
    if r.random() < 0.2:
        return r.choice(_LENGTHS).to_bytes(8, "little") + content[8:]
    header = header_of(content)
    entry = header[r.choice(sorted(header.keys() - {"__metadata__"}))]
    if r.random() < 0.5:
        entry["data_offsets"][r.randrange(2)] = r.choice(_OFFSETS)
    elif r.random() < 0.5:
        other = header[r.choice(sorted(header.keys() - {"__metadata__"}))]
        entry["data_offsets"] = other["data_offsets"]
    else:
        entry["shape"] = r.choice([*SHAPES, [1] * 100, [-1], [0.5], None, 7])
    return with_header(content, header)


# --- forgery: sound files of another content -------------------------------------------------


def _other_header(r: Random, content: bytes, _mark: Path) -> bytes:
    header = header_of(content)
    names = sorted(header)
    name = r.choice(names)
    change = r.randrange(6)
    if change == 0:
        del header[name]
    elif change == 1:
        header[r.choice([*_NAMES, *names])] = header.pop(name)
    elif change == 2:
        header[name] = r.choice([None, 1, "x", [], {}, header[r.choice(names)]])
    elif change == 3:
        header[r.choice(sorted(header.keys() - {"__metadata__"}))]["dtype"] = r.choice(_TYPES)
    elif change == 4:  # a name twice, with the same value or another
        text = json.dumps(header)
        twice = json.dumps({name: header[r.choice([name, *names])]})
        return with_header(content, f"{text[:-1]}, {twice[1:]}")
    else:
        header["__metadata__"][r.choice(_NAMES)] = r.choice(["x", 1, None])
    return with_header(content, header)


def _other_array(r: Random, content: bytes, _mark: Path) -> bytes:
    """Change values, shapes and types, and give the file the checksum of what it holds."""
    arrays = load(content)
    del arrays["checksum"]
    name = r.choice(sorted(arrays))
    if r.random() < 0.5:
        values = arrays[name].reshape(-1).copy()
        with np.errstate(over="ignore"):
            value = np.float64(r.choice(FLOATS)).astype(values.dtype)
        values[r.randrange(len(values)) :: r.randint(1, 5)] = value
        arrays[name] = values.reshape(arrays[name].shape)
    else:
        kind = r.choice(["f2", "f4", "f8", "i8", "u1", "?"])
        flat = np.zeros(arrays[name].size * r.choice([0, 1, 2]), dtype=kind)
        arrays[name] = r.choice([flat, flat.reshape(1, -1), flat.reshape(-1, 1), flat[:1].sum()])
    return _signed(header_of(content)["__metadata__"]["taste"], arrays)


def _other_facts(r: Random, content: bytes, _mark: Path) -> bytes:
    arrays = load(content)
    del arrays["checksum"]
    facts = json.loads(header_of(content)["__metadata__"]["taste"])
    return _signed(changed_facts(r, facts), arrays)


def _signed(facts: str, arrays: Mapping[str, NDArray[Any]]) -> bytes:
    return format_3(facts, arrays, max_bytes=2**40)


def _bomb(r: Random, content: bytes, _mark: Path) -> bytes:
    """Ask for memory or time: many names, deep or long lists, long numbers."""
    header, n = header_of(content), r.choice([65, 3000, 40_000])
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    bombs: list[Any] = [
        header | {f"x{i}": empty for i in range(n)},
        header | {"mean": {**header["mean"], "shape": [1] * n * 10}},
        header | {"__metadata__": {f"x{i}": "" for i in range(n)} | header["__metadata__"]},
        header | {"x": [[]] * n},
        json.dumps(header)[:-1] + ', "x": ' + "[" * n,
        json.dumps(header)[:-1] + ', "x": ' + "1" * n + "}",
        json.dumps(header)[:-1] + ', "mean": 0' * n + "}",
        json.dumps(header) + " " * 5_000_000,
        b"\xff" * n,
    ]
    return with_header(content, r.choice(bombs))


def _pickled(r: Random, content: bytes, mark: Path) -> bytes:
    bomb = pickle.dumps(Bomb(mark), protocol=r.randint(0, 5))
    header = header_of(content)
    header["__metadata__"] = {"taste": bomb.decode("latin-1")}
    return r.choice([bomb, zlib.compress(bomb), bomb + content, with_header(content, header)])


_DAMAGED: dict[str, Maker] = {
    "bytes flipped": _flip,
    "cut short": _cut,
    "pieces replaced": _splice,
    "random bytes": _junk,
}
DAMAGED: dict[str, Maker] = {**_DAMAGED, "false sizes in the header": _lie}
FORGED: dict[str, Maker] = {
    "other headers": _other_header,
    "other arrays": _other_array,
    "other metadata": _other_facts,
    "header bombs": _bomb,
    "pickles": _pickled,
}
DAMAGED_NPZ: dict[str, Maker] = {**_DAMAGED, "false sizes in the zip": hostile_npz.false_sizes}
FORGED_NPZ: dict[str, Maker] = hostile_npz.FORGED


def make_hostile(r: Random, kind: str, content: bytes, mark: Path) -> bytes:
    """Make a hostile file of a sound taste's bytes.

    `mark` is the folder that a pickle would leave.
    """
    makers = DAMAGED_NPZ | FORGED_NPZ if content.startswith(_ZIP) else DAMAGED | FORGED
    return makers[kind](r, content, mark)


def judge(path: Path, content: bytes, sound: Taste) -> Verdict:
    """Read a file as a taste; whatever is read must give scores that are numbers.

    Raises
    ------
    AssertionError
        If a score is no number in [0, 1], or the message names no file.
    """
    path.write_bytes(content)
    try:
        taste = Taste.load(path)
    except TasteError as error:
        return _refused(str(error), path)
    songs = np.random.default_rng(0).normal(size=(5, taste.dim)).astype(np.float32) * 3
    scores = taste.score(songs)
    assert np.isfinite(scores).all(), scores
    assert ((scores >= 0) & (scores <= 1)).all(), scores
    assert set(taste.verdicts(scores)) <= {"like", "unsure", "dislike"}
    if (
        _plain(taste) == _plain(sound)
        and taste.score(songs).tobytes() == sound.score(songs).tobytes()
    ):
        return "unchanged"
    return "other"


def _refused(message: str, path: Path) -> Verdict:
    assert path.name in message, message
    assert len(message) < 1000, len(message)
    return "refused"


def _plain(taste: Taste) -> list[Any]:
    space, known = taste.space, taste.familiarity.known
    arrays: list[NDArray[Any]] = [
        space.standard.mean,
        space.standard.scale,
        space.basis,
        space.offset,
        known,
    ]
    arrays += [array for layer in taste.layers for array in layer]
    words = [
        taste.encoder,
        taste.fingerprint,
        taste.head,
        taste.likes,
        taste.dislikes,
        taste.unlabelled,
    ]
    figures = [taste.threshold, taste.unsure, taste.auc, taste.auc_ci90, taste.calibration]
    told: list[Any] = [
        taste.note,
        taste.seed,
        taste.created_at,
        taste.versions,
        taste.space.blocks,
        taste.activation,
    ]
    told.append(taste.familiarity.limit)
    return [*(array.tobytes() for array in arrays), *words, *figures, *told]
