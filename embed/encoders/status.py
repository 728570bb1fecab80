"""Which encoders there are, which are ready, and how to get the others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from embed.encoders.manifest import read_manifest
from embed.encoders.preparing import encoders_folder, last_fingerprint
from embed.encoders.registry import ENCODERS, EncoderSpec
from embed.errors import EncoderUnavailable

__all__ = ["EncoderStatus", "encoder_status"]


@dataclass(frozen=True, kw_only=True)
class EncoderStatus:
    """One encoder, as `sevensongs encoders` lists it.

    Attributes
    ----------
    ready : bool
        Whether its weights, or what was compiled from them, are on this machine.
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
    """List the rows of `ENCODERS`; nothing is downloaded.

    Examples
    --------
    >>> from embed import encoder_status
    >>> [encoder.name for encoder in encoder_status() if encoder.compiled]
    ['musicnn']
    """
    return [_status(key, spec, encoders_folder(root)) for key, spec in ENCODERS.items()]


def _status(key: str, spec: EncoderSpec, folder: Path) -> EncoderStatus:
    fingerprint = ""
    if key != "hub":
        try:
            fingerprint = spec.fingerprint(spec.locate())
        except EncoderUnavailable:
            fingerprint = last_fingerprint(folder, spec)  # compiled, and the weights gone since
    compiled = bool(fingerprint) and read_manifest(folder / fingerprint) is not None
    return EncoderStatus(
        name="hub:<handle or folder>" if key == "hub" else key,
        ready=bool(fingerprint),
        compiled=compiled,
        dim=spec.dim,
        frame_s=spec.frame_s,
        hop_s=spec.hop_s,
        fingerprint=fingerprint or None,
        how_to_get=spec.how_to_get,
        credit=spec.credit,
    )
