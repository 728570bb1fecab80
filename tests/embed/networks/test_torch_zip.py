"""Files of torch.save, and what only looks like one."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embed.networks import torch_zip
from embed.networks.torch_zip import read_torch_zip

STORAGE = np.arange(6, dtype="<f4").tobytes()
FLOATS = (b"ctorch\nFloatStorage\n", 6)


def text(value: str) -> bytes:
    return b"X" + len(value.encode()).to_bytes(4, "little") + value.encode()


def numbers(*values: int) -> bytes:
    return (
        b"(" + b"".join(b"J" + value.to_bytes(4, "little", signed=True) for value in values) + b"t"
    )


def storage(kind: bytes = FLOATS[0], length: int = 6, key: str = "0") -> bytes:
    said = b"(" + text("storage") + kind + text(key) + text("cpu")
    return said + b"J" + length.to_bytes(4, "little", signed=True) + b"tQ"


def tensor(
    held: bytes | None = None,
    offset: int = 0,
    shape: tuple[int, ...] = (2, 3),
    strides: tuple[int, ...] = (3, 1),
) -> bytes:
    """What torch writes for a tensor."""
    whole = b"ctorch._utils\n_rebuild_tensor_v2\n(" + (storage() if held is None else held)
    whole += b"J" + offset.to_bytes(4, "little", signed=True) + numbers(*shape) + numbers(*strides)
    return whole + b"\x89ccollections\nOrderedDict\n)RtR"


def save(path: Path, content: bytes, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        for name, data in ({"0": STORAGE} | members).items():
            archive.writestr(f"archive/data/{name}", data)
    return path


def whole(value: bytes) -> bytes:
    return b"\x80\x02" + value + b"."


def test_tensors_are_arrays_of_their_shapes(tmp_path: Path) -> None:
    path = save(tmp_path / "a.pth", whole(tensor()))
    np.testing.assert_array_equal(read_torch_zip(path), [[0, 1, 2], [3, 4, 5]])
    turned = save(tmp_path / "b.pth", whole(tensor(shape=(2, 2), strides=(1, 3), offset=1)))
    np.testing.assert_array_equal(read_torch_zip(turned), [[1, 4], [2, 5]])
    scalar = save(tmp_path / "c.pth", whole(tensor(shape=(), strides=(), offset=5)))
    assert read_torch_zip(scalar) == 5
    nothing = save(tmp_path / "d.pth", whole(tensor(shape=(0, 3))))
    assert read_torch_zip(nothing).shape == (0, 3)


def test_containers_and_numpys_scalars_are_read(tmp_path: Path) -> None:
    # A scalar of NumPy as an older NumPy pickled it.
    dtype = b"cnumpy\ndtype\n" + text("i8") + b"\x89\x88\x87R(K\x03" + text("<") + b"NNNtb"
    scalar = b"cnumpy.core.multiarray\nscalar\n" + dtype
    scalar += b"c_codecs\nencode\n" + text("\x06\0") + text("latin1") + b"\x86R\x86R"
    path = save(
        tmp_path / "a.pth", whole(b"}" + text("n") + scalar + b"s" + numbers(1, 2) + b"\x86")
    )
    assert read_torch_zip(path) == ({"n": None}, (1, 2))
    ordered = pickle.dumps(OrderedDict(a=1, b=[2.5, None, True]), protocol=2)
    assert read_torch_zip(save(tmp_path / "b.pth", ordered)) == {"a": 1, "b": [2.5, None, True]}


class Calls:
    """An object whose pickle calls something."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


HOSTILE: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "system": (lambda f: pickle.dumps(Calls(os.system, f"touch {f}"), 2), "names posix.system"),
    "exec": (lambda f: pickle.dumps(Calls(exec, f"open({str(f)!r}, 'w')"), 2), "exec"),
    "newest protocol": (lambda f: pickle.dumps(Calls(open, str(f), "w"), 5), r"open; only tensors"),
    "partial": (lambda f: pickle.dumps(partial(open, str(f), "w"), 2), "partial"),
    "instance": (lambda f: b"(" + text(str(f)) + text("w") + b"iio\nopen\n.", r"names io\.open"),
    "another class of numpy": (
        lambda f: whole(b"cnumpy\nmemmap\n" + text(str(f)) + b"\x85R"),
        r"numpy\.memmap",
    ),
    "another function of torch": (
        lambda _: whole(b"ctorch\nload\n" + text("x") + b"\x85R"),
        "load",
    ),
    "dotted name": (lambda _: whole(b"ccollections\nOrderedDict.fromkeys\n)R"), "fromkeys"),
    "sets what a known name is": (
        lambda _: whole(b"ctorch._utils\n_rebuild_tensor_v2\n}" + text("_call") + b"Nsb"),
        "sets what it must not",
    ),
    "no storage": (lambda _: whole(text("0") * 5 + b"tQ"), "damaged|no storage"),
    "storage of a string": (lambda _: whole(storage(kind=text("FloatStorage"))), "no storage"),
    "storage elsewhere": (lambda _: whole(storage(key="../version")), "damaged"),
    "storage that is short": (lambda _: whole(storage(length=7)), "holds 6 numbers, not 7"),
    "tensor past its end": (lambda _: whole(tensor(offset=1)), "7 numbers in a storage of 6"),
    "tensor before its start": (lambda _: whole(tensor(offset=-1)), "that is none"),
    "negative stride": (lambda _: whole(tensor(strides=(-3, 1))), "that is none"),
    "tensor of a number repeated": (
        lambda _: whole(tensor(tensor(shape=(100,), strides=(0,)), shape=(100,), strides=(1,))),
        "that is none",
    ),
    "tensor of no storage": (lambda _: whole(tensor(held=b"]")), "that is none"),
    "cut off": (lambda _: whole(tensor())[:-30], "damaged"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_pickle_runs_nothing_and_is_refused(name: str, tmp_path: Path) -> None:
    make, message = HOSTILE[name]
    made = tmp_path / "made"
    path = save(tmp_path / "hostile.pth", make(made))
    with pytest.raises(ValueError, match=message):
        read_torch_zip(path)
    assert not made.exists()


def test_what_is_no_such_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(b"no zip")
    with pytest.raises(ValueError, match="damaged"):
        read_torch_zip(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme", "nothing")
    with pytest.raises(ValueError, match=r"0 members data\.pkl"):
        read_torch_zip(path)
    with pytest.raises(FileNotFoundError):
        read_torch_zip(tmp_path / "nowhere")
    monkeypatch.setattr(torch_zip, "_MAX_STORAGE_BYTES", 23)
    with pytest.raises(ValueError, match="24 bytes; 23 at most"):
        read_torch_zip(save(path, whole(tensor())))
