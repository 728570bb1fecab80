"""The file of a taste: a NumPy `.npz` (a zip of arrays) with one JSON member, and no pickle.

Members: `meta` (JSON text as uint8); `mean` and `scale` (float32, one each per feature), `basis`
and `offset` (float32), which make song space; `known` (float32), the sketches of familiar songs;
and for each layer i `weights_<i>` and `bias_<i>` (float64). `numpy.load(path, allow_pickle=False)`
reads it without this code. People share these files, so the reader trusts nothing (see
`classify.taste.untrusted_npz`): it takes these members and no others, and every number is checked
before it is used.
"""

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from cache import staged
from classify.errors import ClassifyError, TasteError, write_problem
from classify.taste.calibration import Calibration
from classify.taste.familiarity import Familiarity
from classify.taste.layers import MAX_WEIGHTS, Activation, Layer
from classify.taste.song_space import SongSpace
from classify.taste.untrusted_npz import DAMAGE, ArrayArchive, read_regular_file
from classify.taste.vectors import SongTransform

if TYPE_CHECKING:
    from classify.taste.taste import Taste

__all__ = ["FORMAT_VERSION", "MAX_FILE_BYTES", "read_taste", "staged_taste", "write_taste"]

_Made = TypeVar("_Made")

FORMAT_VERSION = 2
# The weights at 8 bytes each, and as much again for the digests: 2,100 of them take 0.1 MB.
MAX_FILE_BYTES = 2 * 8 * MAX_WEIGHTS
_MAX_META_BYTES = 4 * 2**20
"""100,000 labelled songs; as objects of Python, the worst JSON takes twenty times as much."""
_MAX_LAYERS = 16
_MAX_BLOCKS = 16
_MAX_INTEGER = 2**63
_MAX_REASON = 200
_KIND = "sevensongs taste"
_ARRAYS = frozenset({"meta", "mean", "scale", "basis", "offset", "known"})


def write_taste(taste: "Taste", path: str | os.PathLike[str]) -> None:
    """Write a taste atomically: a reader sees the old file or the new one, never a half.

    Parameters
    ----------
    taste : Taste
    path : path-like
        Its folder is made if missing.

    Raises
    ------
    TasteError
        If the file can't be written, or is a device or a folder; an older file is then untouched.
    """
    with staged_taste(taste, path):
        pass


@contextlib.contextmanager
def staged_taste(taste: "Taste", path: str | os.PathLike[str]) -> Iterator[None]:
    """Write a taste under a temporary name, and give it its own after the block.

    `cache.durable.staged` says more.

    The block writes the labels: on a full disk neither is replaced.

    Raises
    ------
    TasteError
        As `write_taste`; errors of ours in the block pass.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **_members(taste))
    try:
        with staged(Path(os.fspath(path)), lambda file: file.write(buffer.getvalue())):
            yield
    except OSError as error:
        target = os.path.realpath(os.fspath(path))
        raise TasteError(f"can't write the taste to {target!r}: {write_problem(error)}") from error


def read_taste(path: str | os.PathLike[str], make: Callable[..., _Made]) -> _Made:
    """Read a taste, trusting nothing in the file.

    Parameters
    ----------
    path : path-like
        What `write_taste` wrote.
    make : callable
        Is given the fields of a `Taste` by name, checked one by one.

    Returns
    -------
    What `make` returns.

    Raises
    ------
    TasteError
        If there is no such file, or it is damaged, truncated, pickled, too large, not a taste, or
        of a newer format.
    """
    shown = repr(os.fspath(path))
    try:
        content = read_regular_file(path, max_bytes=MAX_FILE_BYTES)
        return _assemble(ArrayArchive(content, max_bytes=MAX_FILE_BYTES), make)
    except FileNotFoundError as error:
        raise TasteError(
            f"there is no taste at {shown}; make one with 'sevensongs train --like ...'"
        ) from error
    except (IsADirectoryError, PermissionError) as error:
        raise TasteError(f"can't read a taste from {shown}: {error.strerror}") from error
    except ClassifyError as error:
        raise TasteError(f"{shown}: {error}") from error
    except DAMAGE as error:
        reason = f"{type(error).__name__}: {error}"
        raise TasteError(
            f"{shown} is not a taste, or is damaged ({reason:.{_MAX_REASON}}); "
            "copy it again, or make it anew with 'sevensongs train'"
        ) from error


def _members(taste: "Taste") -> dict[str, NDArray[Any]]:
    meta = {
        "kind": _KIND,
        "format": FORMAT_VERSION,
        "encoder": taste.encoder,
        "fingerprint": taste.fingerprint,
        "head": taste.head,
        "activation": taste.activation,
        "blocks": taste.space.blocks,
        "familiar_within": taste.familiarity.limit,
        "calibration": {"a": taste.calibration.a, "b": taste.calibration.b},
        "likes": taste.likes,
        "dislikes": taste.dislikes,
        "unlabelled": taste.unlabelled,
        "threshold": taste.threshold,
        "unsure": taste.unsure,
        "auc": taste.auc,
        "auc_ci90": taste.auc_ci90,
        "note": taste.note,
        "seed": taste.seed,
        "created_at": taste.created_at,
        "versions": dict(taste.versions),
        "n_layers": len(taste.layers),
    }
    text = json.dumps(meta, sort_keys=True, allow_nan=False).encode()
    members: dict[str, NDArray[Any]] = {
        "meta": np.frombuffer(text, dtype=np.uint8),
        "mean": taste.space.standard.mean,
        "scale": taste.space.standard.scale,
        "basis": taste.space.basis,
        "offset": taste.space.offset,
        "known": taste.familiarity.known,
    }
    for number, (weights, bias) in enumerate(taste.layers):
        members[f"weights_{number}"] = weights
        members[f"bias_{number}"] = bias
    return members


def _assemble(archive: ArrayArchive, make: Callable[..., _Made]) -> _Made:
    meta = _read_meta(archive)
    n_layers = _integer(meta["n_layers"])
    if not 1 <= n_layers <= _MAX_LAYERS:
        raise ValueError(f"{n_layers} layers")
    strange = (
        archive.names - _ARRAYS - {f"{n}_{i}" for n in ("weights", "bias") for i in range(n_layers)}
    )
    if strange:
        raise TasteError(f"holds {min(strange)!r:.80}, which no taste has: don't trust it")
    arrays = {name: archive.read(name) for name in sorted(archive.names - {"meta"})}
    layers: list[Layer] = [
        (arrays[f"weights_{number}"], arrays[f"bias_{number}"]) for number in range(n_layers)
    ]
    calibration = meta["calibration"]
    interval = meta["auc_ci90"]
    return make(
        encoder=_text(meta["encoder"]),
        fingerprint=_text(meta["fingerprint"]),
        head=_text(meta["head"]),
        space=_space(arrays, meta),
        familiarity=Familiarity(known=arrays["known"], limit=_number(meta["familiar_within"])),
        layers=tuple(layers),
        activation=_activation(meta["activation"]),
        calibration=Calibration(a=_number(calibration["a"]), b=_number(calibration["b"])),
        likes=_texts(meta["likes"]),
        dislikes=_texts(meta["dislikes"]),
        unlabelled=_texts(meta["unlabelled"]),
        threshold=_number(meta["threshold"]),
        unsure=_pair(meta["unsure"]),
        auc=None if meta["auc"] is None else _number(meta["auc"]),
        auc_ci90=None if interval is None else _pair(interval),
        note=_text(meta["note"]),
        seed=_integer(meta["seed"]),
        created_at=_text(meta["created_at"]),
        versions=_table(meta["versions"]),
    )


def _read_meta(archive: ArrayArchive) -> dict[str, Any]:
    """Read what the arrays are; the version first, as a newer one may have other members."""
    if "meta" not in archive.names:
        raise TasteError("has no 'meta' member, so it is an array file but not a taste")
    content = archive.read("meta")
    if content.dtype != np.uint8 or content.size > _MAX_META_BYTES:
        raise TasteError(
            f"has {content.nbytes} bytes of {content.dtype} as 'meta'; up to {_MAX_META_BYTES} of "
            "text are needed, so it is no taste"
        )
    meta = json.loads(content.tobytes().decode("utf-8"))
    if not isinstance(meta, dict) or meta.get("kind") != _KIND:
        raise TasteError("is an array file but not a taste")
    version = _integer(meta["format"])
    if version > FORMAT_VERSION:
        raise TasteError(
            f"is of taste format {version}, this version reads up to {FORMAT_VERSION}: upgrade "
            "sevensongs"
        )
    if version == 1:
        raise TasteError("is of taste format 1, of before the first release: train it again")
    if version < 1:
        raise ValueError(f"format {version}")
    return meta


def _space(arrays: dict[str, NDArray[Any]], meta: dict[str, Any]) -> SongSpace:
    blocks = meta["blocks"]
    if not isinstance(blocks, list) or len(blocks) > _MAX_BLOCKS:
        raise TypeError(f"{blocks!r:.40} where up to {_MAX_BLOCKS} widths are needed")
    return SongSpace(
        standard=SongTransform(mean=arrays["mean"], scale=arrays["scale"]),
        blocks=tuple(_integer(width) for width in blocks),
        basis=arrays["basis"],
        offset=arrays["offset"],
    )


def _activation(value: Any) -> Activation:
    if value == "exp":
        return "exp"
    if value == "relu":
        return "relu"
    raise TypeError(f"{value!r:.40} where an activation is needed")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} where text is needed")
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r:.40} where a list is needed")
    return tuple(_text(item) for item in value)


def _table(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r:.40} where a table is needed")
    return {_text(name): _text(item) for name, item in value.items()}


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r:.40} where a whole number is needed")
    if not -_MAX_INTEGER < value < _MAX_INTEGER:
        raise ValueError("a whole number of more than 64 bits")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{value!r:.40} where a number is needed")
    return float(value)


def _pair(value: Any) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise TypeError(f"{value!r:.40} where two numbers are needed")
    return _number(value[0]), _number(value[1])
