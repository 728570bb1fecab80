"""Have an encoder ready: its network compiled, in the cache's folder `encoders`."""

from __future__ import annotations

import functools
import logging
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cache import is_fingerprint, local_root, require_writable, write_whole
from embed.encoders.registry import (
    FILE_KINDS,
    EncoderSpec,
    encoder_spec,
    full_name,
    model_spec,
)
from embed.errors import EncoderError, EncoderUnavailable
from embed.model_files.model_file import CARD_FILE, ModelFile, card_from_json
from embed.networks.network import Weights
from embed.networks.tensorflow_extra import require_tensorflow

if TYPE_CHECKING:
    from embed.encoders.manifest import Manifest

__all__ = [
    "PreparedEncoder",
    "damaged_encoders",
    "encoders_folder",
    "is_compiled",
    "last_fingerprint",
    "prepare_encoder",
    "prepared_spec",
    "stored_spec",
]

_log = logging.getLogger("sevensongs")


@dataclass(frozen=True, kw_only=True)
class PreparedEncoder:
    """An encoder whose compiled network is on disk: all that a worker needs to open it."""

    name: str
    fingerprint: str
    dim: int
    folder: Path
    runtime: str


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EncoderError(f"The compiled encoder can't be written: {error}") from error


def prepare_encoder(name: str, *, root: str | Path | None = None) -> PreparedEncoder:
    """Have an encoder compiled, once; afterwards this costs one digest of its weights.

    Weights that have gone since (an emptied temporary folder) don't matter to what is compiled
    already.

    Parameters
    ----------
    name : str
        A key of `ENCODERS`, ``hub:<handle or folder>``, ``onnx:<file>`` or ``tflite:<file>``.
    root : path, optional
        The cache; compiled networks are kept in its folder ``encoders``. For an object store they
        are kept in the default cache of this machine.

    Raises
    ------
    EncoderError
        If the encoder is unknown or does not embed.
    EncoderUnavailable
        If its weights can't be had, or TensorFlow, which it needs; the message carries the remedy.

    Examples
    --------
    >>> from embed import prepare_encoder
    >>> prepared = prepare_encoder("musicnn")
    >>> prepared.name, prepared.dim
    ('musicnn', 424)
    """
    from embed.encoders.manifest import read_manifest

    folder = encoders_folder(root)
    spec, fingerprint = _find(full_name(name), folder)
    manifest = read_manifest(folder / fingerprint) if fingerprint else None
    if manifest is None or _other_version(spec, manifest):
        from embed.encoders.compiler import compile_in_child

        if spec.needs_tensorflow:
            require_tensorflow(f"The encoder {spec.name}")
        require_writable(local_root(root))
        _make(folder)  # before the work
        _tell(spec)
        fingerprint = compile_in_child(spec.name, folder)
        manifest = read_manifest(folder / fingerprint)
        if manifest is None:
            raise EncoderError(
                f"The compiled encoder in {folder / fingerprint} can't be read back."
            )
    _remember(folder, spec.name, fingerprint)
    if manifest.warning:
        _log.warning("%s", manifest.warning)
    return PreparedEncoder(
        name=spec.name,
        fingerprint=fingerprint,
        dim=manifest.dim,
        folder=folder / fingerprint,
        runtime=manifest.runtime,
    )


def _find(name: str, folder: Path) -> tuple[EncoderSpec, str]:
    """Return an encoder's row and fingerprint; the last one where its weights have gone.

    The fingerprint is empty where they must be fetched.
    """
    last = last_fingerprint(folder, name)
    try:
        spec = encoder_spec(name)
    except EncoderUnavailable:  # a model file has gone
        kept = _kept_spec(name, folder / last) if last else None
        if kept is None:
            raise
        return kept, last
    try:
        return spec, spec.fingerprint(spec.locate())
    except EncoderUnavailable:
        if not last and spec.fetch is None:
            raise
        return spec, last


def _tell(spec: EncoderSpec) -> None:
    """Say that an encoder is being prepared, and what was taken for granted of a file."""
    for told in spec.model_file.card.told if spec.model_file else ():
        _log.info("%s", told)
    how_long = "about half a minute" if spec.needs_tensorflow else "some seconds"
    _log.info("Preparing the encoder %s (once, %s)", spec.name, how_long)


@functools.lru_cache(maxsize=16)
def prepared_spec(prepared: PreparedEncoder) -> EncoderSpec:
    """Return the row of a prepared encoder.

    A network in a file has that of the card that was copied with it: what the user writes into the
    card meanwhile is for the next run.

    Raises
    ------
    EncoderError
        If the copy is damaged.
    """
    spec = _kept_spec(prepared.name, prepared.folder)
    if spec is None:
        raise EncoderError(f"The compiled encoder in {prepared.folder} has gone; try again.")
    return spec


def stored_spec(name: str, fingerprint: str, *, root: str | Path | None = None) -> EncoderSpec:
    """Return the row of an encoder as it was when it embedded what is stored.

    Parameters
    ----------
    name : str
        See `encoder_spec`.
    fingerprint : str
        Of its embeddings.
    root : path or URI, optional
        The cache.

    Raises
    ------
    EncoderError
        See `encoder_spec`.

    Examples
    --------
    >>> from embed import prepare_encoder, stored_spec
    >>> stored_spec("musicnn", prepare_encoder("musicnn").fingerprint).hop_s
    2.992
    """
    return _kept_spec(name, encoders_folder(root) / fingerprint) or encoder_spec(name)


def _kept_spec(name: str, folder: Path) -> EncoderSpec | None:
    """Return an encoder's row; of a network in a file that of its copy, None if there is none."""
    kind, _, path = name.partition(":")
    if kind not in FILE_KINDS:
        return encoder_spec(name)
    try:
        card = card_from_json((folder / CARD_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return model_spec(ModelFile(kind=kind, path=Path(path), card=card))


def is_compiled(fingerprint: str, *, root: str | Path | None = None) -> bool:
    """Whether the encoder of this fingerprint is compiled for a cache.

    Of a composite, all encoders must be.

    Examples
    --------
    >>> from embed import is_compiled, prepare_encoder
    >>> is_compiled(prepare_encoder("musicnn").fingerprint)
    True
    """
    from embed.encoders.manifest import read_manifest

    folder = encoders_folder(root)
    return all(read_manifest(folder / one) is not None for one in fingerprint.split("+"))


def damaged_encoders(*, root: str | Path | None = None) -> list[Path]:
    """List the folders of compiled encoders that are damaged, or that another version has made.

    They are never used, and can be deleted: what is needed of them is compiled anew.

    Examples
    --------
    >>> from embed import damaged_encoders
    >>> damaged_encoders()
    []
    """
    from embed.encoders.manifest import read_manifest

    folders = [path for path in encoders_folder(root).glob("*/") if is_fingerprint(path.name)]
    return sorted(folder for folder in folders if read_manifest(folder) is None)


def encoders_folder(root: str | Path | None) -> Path:
    """Return the folder of compiled networks for a cache."""
    return local_root(root) / "encoders"


def _name_file(folder: Path, name: str) -> Path:
    return folder / (re.sub(r"[^A-Za-z0-9.]+", "-", name)[-120:] + ".fingerprint")


def last_fingerprint(folder: Path, name: str) -> str:
    """Return the fingerprint that an encoder had when it was last used; empty if never."""
    try:
        last = _name_file(folder, name).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    return last if is_fingerprint(last) else ""  # a damaged one must not lead elsewhere


def _other_version(spec: EncoderSpec, manifest: Manifest) -> bool:
    """Whether an encoder was compiled for another front end.

    That can be where the weights have gone.
    """
    weights = Weights(path=Path(manifest.weights_path), sha256=manifest.weights_sha256)
    return spec.fingerprint(weights) != manifest.fingerprint


def _remember(folder: Path, name: str, fingerprint: str) -> None:
    if last_fingerprint(folder, name) != fingerprint:
        with suppress(OSError):  # it only helps when the weights go; a cache may be read-only
            write_whole(
                _name_file(folder, name), lambda file: file.write(f"{fingerprint}\n".encode())
            )
