"""Read the tensors of a file that `torch.save` wrote, without torch and without running its pickle.

Such a file is a zip: a pickle that says what there is, and a member for each storage of numbers.
The pickle may name only what is listed here, and none of that is imported: each name stands for a
function of this module.

By hand: torch itself reads this with as little trust, and would be a second TensorFlow for 25 MB of
numbers. Of 19 hostile pickles none ran or stored a thing (tests/embed/networks/test_torch_zip.py).
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

__all__ = ["read_torch_zip"]

_MAX_PICKLE_BYTES = 1_000_000
_MAX_STORAGE_BYTES = 256_000_000
_STORAGES = {
    "BoolStorage": "?",
    "ByteStorage": "u1",
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "IntStorage": "<i4",
    "LongStorage": "<i8",
}
"""What torch calls a storage, and NumPy its numbers."""
_LEFT_OUT = ("numpy dtype", "numpy.core.multiarray scalar", "_codecs encode")
"""What makes a NumPy scalar; it is read as None."""


def read_torch_zip(path: Path) -> Any:
    """Read what `torch.save` wrote: containers, str, numbers, and tensors as NumPy arrays.

    Parameters
    ----------
    path : Path

    Returns
    -------
    object
        Tensors are ndarrays of their own shapes and types, scalars of NumPy are None.

    Raises
    ------
    OSError
        If the file can't be read.
    ValueError
        If it is no such file, is damaged, too large, or names anything but tensors and containers.

    Examples
    --------
    >>> from embed.networks.aisfx import locate
    >>> from embed.networks.torch_zip import read_torch_zip
    >>> state, _ = read_torch_zip(locate().path)
    >>> state["embedding_net.conv_block1.conv1.weight"].shape
    (64, 1, 3, 3)
    """
    try:
        with zipfile.ZipFile(path) as archive:
            pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            if len(pickles) != 1:
                raise ValueError(f"it has {len(pickles)} members data.pkl, not one")
            content = _member(archive, pickles[0], _MAX_PICKLE_BYTES)
            return _Reader(content, archive, pickles[0].removesuffix("data.pkl")).load()
    except (OSError, ValueError):
        raise
    # pickle and zipfile raise anything of what is damaged
    except Exception as error:
        raise ValueError(f"it is damaged ({type(error).__name__}: {error})") from error


def _member(archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    size = archive.getinfo(name).file_size
    if size > limit:
        raise ValueError(f"its member {name} has {size} bytes; {limit} at most are read")
    return archive.read(name)  # no more than it says; zipfile checks its CRC


class _Known:
    """A name that the pickle may use: what it calls, and no more.

    A pickle can set attributes of what it names. Not of this.
    """

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)

    def __setstate__(self, state: object) -> NoReturn:
        raise ValueError("its pickle sets what it must not")


class _LeftOut:
    """A NumPy scalar's type, while the pickle describes it."""

    def __setstate__(self, state: object) -> None:
        """Forget it."""


class _Reader(pickle.Unpickler):
    """An unpickler for which there is nothing but tensors, ordered dicts and plain containers."""

    def __init__(self, content: bytes, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(io.BytesIO(content))
        self._archive = archive
        self._folder = folder
        self._storages: dict[str, NDArray[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        whole = f"{module} {name}"
        if whole == "collections OrderedDict":
            return _Known(OrderedDict)
        if whole == "torch._utils _rebuild_tensor_v2":
            return _Known(_tensor)
        if module == "torch" and name in _STORAGES:
            return np.dtype(_STORAGES[name])
        if whole in _LEFT_OUT:
            return _Known(lambda *_: _LeftOut() if name == "dtype" else None)
        raise ValueError(
            f"its pickle names {module}.{name}; only tensors and plain containers are read"
        )

    def persistent_load(self, pid: Any) -> NDArray[Any]:
        """Return a storage; `pid` is ("storage", type, key, device, length)."""
        kind, dtype, key, _, length = pid
        if kind != "storage" or not isinstance(dtype, np.dtype) or not isinstance(key, str):
            raise ValueError(f"its pickle asks for {str(pid)[:100]}, which is no storage")
        if key not in self._storages:
            content = _member(self._archive, f"{self._folder}data/{key}", _MAX_STORAGE_BYTES)
            self._storages[key] = np.frombuffer(content, dtype)
        storage = self._storages[key]
        if len(storage) != length or storage.dtype != dtype:
            raise ValueError(f"its storage {key} holds {len(storage)} numbers, not {length}")
        return storage


def _tensor(
    storage: Any, offset: Any, shape: Sequence[Any], strides: Sequence[Any], *_: object
) -> NDArray[Any]:
    """Return a tensor: a view of its storage by offset, shape and strides, in numbers."""
    whole = [offset, *shape, *strides]
    # Not a tensor in its place: one number that is repeated looks like many.
    is_storage = isinstance(storage, np.ndarray) and storage.ndim == 1 and storage.flags.contiguous
    fits = is_storage and len(shape) == len(strides)
    if not (fits and all(type(n) is int and n >= 0 for n in whole)):
        raise ValueError("its pickle describes a tensor that is none")
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if 0 not in shape and last >= len(storage):
        raise ValueError(
            f"its pickle describes a tensor of {last + 1} numbers in a storage of {len(storage)}"
        )
    if 0 in shape:
        return np.empty(shape, storage.dtype)
    in_bytes = [step * storage.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, in_bytes, writeable=False)
