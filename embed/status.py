"""Which encoders there are, which are ready, and how to get the others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from embed.encoder import ENCODERS, encoders_folder
from embed.errors import EncoderUnavailable
from embed.runtime import read_manifest

__all__ = ["EncoderStatus", "encoder_status"]


@dataclass(frozen=True, kw_only=True)
class EncoderStatus:
    """One encoder, as `sevensongs encoders` lists it.

    Attributes
    ----------
    ready : bool
        Whether its weights are on this machine.
    compiled : bool
        Whether it has been compiled for this cache, so that it starts at once.
    dim : int or None
    frame_s, hop_s : float
        What one stored embedding covers, and the step between two at full coverage.
    fingerprint : str or None
        Names what it computes; None while its weights are not here.
    """

    name: str
    ready: bool
    compiled: bool
    dim: int | None
    frame_s: float
    hop_s: float
    fingerprint: str | None
    how_to_get: str


def encoder_status(root: str | Path | None = None) -> list[EncoderStatus]:
    """List the rows of `ENCODERS`; nothing is downloaded."""
    rows = []
    for key, spec in ENCODERS.items():
        fingerprint = None
        if key != "hub":
            try:
                fingerprint = spec.fingerprint(spec.locate())
            except EncoderUnavailable:
                fingerprint = None
        folder = encoders_folder(root)
        rows.append(
            EncoderStatus(
                name="hub:<handle or folder>" if key == "hub" else key,
                ready=fingerprint is not None,
                compiled=fingerprint is not None and read_manifest(folder / fingerprint) is not None,
                dim=spec.dim,
                frame_s=spec.frame_s,
                hop_s=spec.hop_s,
                fingerprint=fingerprint,
                how_to_get=spec.how_to_get,
            )
        )
    return rows
