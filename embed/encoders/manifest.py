"""What lies beside a compiled network.

It says how the network was made, how to run it, and the digests of its files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from embed.model_files.model_file import CARD_FILE, FRONT_END_STEM, MODEL_STEM
from embed.networks.network import Weights

__all__ = [
    "CONSTANTS_FILE",
    "MANIFEST_FILE",
    "MODEL_FILE",
    "Manifest",
    "digest_files",
    "read_manifest",
    "write_manifest",
]

_FORMAT = 6
"""Raise it when the compiler, or a network's own file, makes another model of the same weights."""
MODEL_FILE, CONSTANTS_FILE, MANIFEST_FILE = "model.tflite", "constants.npz", "manifest.json"
_FILES = (
    MODEL_FILE,
    CONSTANTS_FILE,
    CARD_FILE,
    *(f"{stem}.{kind}" for stem in (MODEL_STEM, FRONT_END_STEM) for kind in ("onnx", "tflite")),
)


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What lies beside a compiled network: how to run it and how it was made."""

    encoder: str
    fingerprint: str
    dim: int
    input_shape: tuple[int, ...]
    runtime: str
    tags: tuple[str, ...]
    weights_path: str
    weights_sha256: str
    max_difference: float
    """Difference between two computations of the network on the probe signal.

    They are LiteRT's and NumPy's, or TensorFlow's. It is relative to the largest value.
    """
    tensorflow: str
    """The version that converted it; empty where it took no part."""
    files_sha256: Mapping[str, str] = field(default_factory=dict)
    """By name, the files beside it."""
    warning: str | None = None
    format: int = _FORMAT

    @property
    def weights(self) -> Weights:
        """What it was compiled from."""
        return Weights(path=Path(self.weights_path), sha256=self.weights_sha256)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write a manifest; the last file of a compiled encoder's folder."""
    fields = asdict(manifest)
    fields["own_sha256"] = _digest_fields(fields)
    text = json.dumps(fields, indent=1, ensure_ascii=False)
    (folder / MANIFEST_FILE).write_text(text, encoding="utf-8")


def read_manifest(folder: Path) -> Manifest | None:
    """Read a manifest.

    Return None where there is none, another version wrote it, or the files beside it differ.
    """
    try:
        fields: dict[str, Any] = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        if fields.pop("own_sha256") != _digest_fields(fields):
            return None
        fields["input_shape"] = tuple(fields["input_shape"])
        fields["tags"] = tuple(fields["tags"])
        if fields["format"] != _FORMAT or fields["files_sha256"] != digest_files(folder):
            return None  # it will be compiled anew
        return Manifest(**fields)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _digest_fields(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def digest_files(folder: Path) -> dict[str, str]:
    """Digest a compiled encoder's files: name to SHA-256."""
    digests = {}
    for name in _FILES:
        if (folder / name).is_file():  # without a model, it is left to TensorFlow
            with (folder / name).open("rb") as stream:
                digests[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return digests
