"""Put a compiled encoder into the cache's folder of them: all of it, or nothing.

And the signals on which networks are tried before that.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cache import lasting, sync_folder
from embed.encoders.manifest import (
    CONSTANTS_FILE,
    Manifest,
    digest_files,
    read_manifest,
    write_manifest,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["probe_signal", "store_compiled", "write_constants"]

_PART = ".part-"
_ABANDONED_S = 86400.0
_ATTEMPTS = 5


def probe_signal(n_samples: int, rate_hz: int) -> NDArray[np.float32]:
    """Make the signals on which original and compiled network must agree.

    Returns
    -------
    ndarray, shape (4, n_samples), float32
        Silence, white noise, a chord, and a rising tone that breaks off.
    """
    t = np.arange(n_samples) / rate_hz
    noise = np.random.default_rng(7).normal(0, 0.2, n_samples)
    chord = sum(0.2 * np.sin(2 * np.pi * f * t) for f in (220.0, 277.2, 329.6))
    sweep = 0.5 * np.sin(2 * np.pi * (100 + 900 * t) * t) * (t < 0.7 * t[-1])
    return np.stack([np.zeros(n_samples), noise, chord, sweep]).astype(np.float32)


def write_constants(folder: Path, constants: Mapping[str, NDArray[np.float32]]) -> None:
    """Write the arrays that a front end and tags need."""
    arrays: dict[str, Any] = dict(constants)
    np.savez(folder / CONSTANTS_FILE, **arrays)


def store_compiled(folder: Path, fill: Callable[[Path], Manifest]) -> None:
    """Write a compiled encoder under a temporary name, then give it its own.

    So all of it is there or nothing.

    Parameters
    ----------
    folder : path
        Of all compiled encoders.
    fill : callable
        Writes all files but the manifest into the folder that it is given, and returns the
        manifest, without the digests of the files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder)
    part = Path(tempfile.mkdtemp(prefix=_PART, dir=folder))
    try:
        with lasting(part):
            manifest = fill(part)
            write_manifest(part, replace(manifest, files_sha256=digest_files(part)))
        _install(part, folder / manifest.fingerprint)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _install(part: Path, target: Path) -> None:
    """Give a compiled encoder its name, where other processes may do so at the same moment."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            part.rename(target)
        except OSError:
            if read_manifest(target) is not None:
                return  # another process was as quick
            if attempt == _ATTEMPTS:
                raise
            # A damaged one goes as a whole: by now it could be another process's new one.
            with (
                tempfile.TemporaryDirectory(prefix=_PART, dir=target.parent) as aside,
                suppress(OSError),
            ):
                target.rename(Path(aside, target.name))
        else:
            sync_folder(target.parent)
            return


def _remove_abandoned(folder: Path) -> None:
    """Remove what a compiler that was killed has left."""
    for part in folder.glob(f"{_PART}*"):
        with suppress(OSError):
            if time.time() - part.stat().st_mtime > _ABANDONED_S:
                shutil.rmtree(part)
