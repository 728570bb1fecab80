"""Which encoders there are, which are ready, and how to get the others."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cache import is_fingerprint
from embed.encoders.manifest import Manifest, read_manifest
from embed.encoders.preparing import encoders_folder, last_fingerprint, stored_spec
from embed.encoders.registry import ENCODERS, FILE_KINDS, EncoderSpec, is_own_model
from embed.errors import EncoderError, EncoderUnavailable
from embed.networks.tensorflow_extra import HOW_TO_GET_TENSORFLOW, has_tensorflow

__all__ = ["EncoderStatus", "encoder_status"]

_PATTERNS = {"hub": "hub:<handle or folder>", "onnx": "onnx:<file>", "tflite": "tflite:<file>"}
"""What a user writes for a model of their own."""


@dataclass(frozen=True, kw_only=True)
class EncoderStatus:
    """One encoder, as `sevensongs encoders` lists it.

    Attributes
    ----------
    ready : bool
        Whether its weights, and TensorFlow if it needs that, or what was compiled from them, are on
        this machine.
    compiled : bool
        Whether it has been compiled for this cache, so that it starts at once.
    dim : int or None
    frame_s, hop_s : float
        What one stored embedding covers, and the step between two at full coverage.
    fingerprint : str or None
        Names what it computes; None while its weights are not here.
    credit : str
        Who made the weights, and their licence, where it asks that this be told.
    """

    name: str
    ready: bool
    compiled: bool
    dim: int | None
    frame_s: float
    hop_s: float
    fingerprint: str | None
    how_to_get: str
    credit: str = ""


def encoder_status(root: str | Path | None = None) -> list[EncoderStatus]:
    """List the rows of `ENCODERS`, and the networks in files that have been used here.

    Nothing is downloaded or opened.

    Examples
    --------
    >>> from embed import encoder_status
    >>> [encoder.name for encoder in encoder_status() if encoder.compiled]
    ['musicnn']
    """
    folder = encoders_folder(root)
    return [
        *(_status(key, spec, folder) for key, spec in ENCODERS.items()),
        *_used_files(folder, root),
    ]


def _used_files(folder: Path, root: str | Path | None) -> list[EncoderStatus]:
    """List the networks in files that are compiled here, as they were when they were last used."""
    found = []
    for kind in FILE_KINDS:
        for path in sorted(folder.glob(f"{kind}-*.fingerprint")):
            fingerprint = path.read_text(encoding="ascii", errors="replace").strip()
            manifest = read_manifest(folder / fingerprint) if is_fingerprint(fingerprint) else None
            if manifest is None or not manifest.encoder.startswith(f"{kind}:"):
                continue
            with suppress(EncoderError):
                spec = stored_spec(manifest.encoder, fingerprint, root=root)
                found.append(_row(manifest.encoder, spec, fingerprint, manifest))
    return found


def _status(key: str, spec: EncoderSpec, folder: Path) -> EncoderStatus:
    fingerprint = ""
    if not is_own_model(key):
        try:
            fingerprint = spec.fingerprint(spec.locate())
        except EncoderUnavailable:
            fingerprint = last_fingerprint(folder, key)  # compiled, and the weights gone since
    manifest = read_manifest(folder / fingerprint) if fingerprint else None
    return _row(_PATTERNS.get(key, key), spec, fingerprint, manifest)


def _row(
    name: str, spec: EncoderSpec, fingerprint: str, manifest: Manifest | None
) -> EncoderStatus:
    lacks = spec.needs_tensorflow and manifest is None and not has_tensorflow()
    needs = f"needs TensorFlow: {HOW_TO_GET_TENSORFLOW}. " if lacks else ""
    return EncoderStatus(
        name=name,
        ready=bool(fingerprint) and not lacks,
        compiled=manifest is not None,
        dim=spec.dim if spec.dim is not None or manifest is None else manifest.dim,
        frame_s=spec.frame_s,
        hop_s=spec.hop_s,
        fingerprint=fingerprint or None,
        how_to_get=f"{needs}{spec.how_to_get}",
        credit=spec.credit,
    )
