"""A network in a file, with its card: what belongs to it, and what names it."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from embed.errors import EncoderError, EncoderUnavailable
from embed.model_files.card import Card, FrontEndFile, Input, LogMel, ModelTags, Output
from embed.model_files.card_reading import OUTLINES, read_card
from embed.networks.network import Weights

__all__ = [
    "CARD_FILE",
    "FRONT_END_STEM",
    "MODEL_STEM",
    "ModelFile",
    "card_from_json",
    "card_to_json",
    "read_model_file",
    "tag_names",
]

MODEL_STEM, FRONT_END_STEM, CARD_FILE = "network", "front_end", "card.json"
"""What the copies are called that workers open; the first two with the file's kind after a dot."""
_MAX_TAGS_BYTES = 4 * 2**20
_MAX_TAGS = 100_000
_NAME_COLUMNS = ("display_name", "name")


@dataclass(frozen=True, kw_only=True)
class ModelFile:
    """A network in a file, with its card.

    Attributes
    ----------
    kind : str
        ``onnx`` or ``tflite``.
    path : Path
    card : Card
    """

    kind: str
    path: Path
    card: Card

    @property
    def front_end_path(self) -> Path | None:
        """Where the network is that is before it."""
        front_end = self.card.front_end
        return None if front_end is None else self.path.with_name(front_end.file)

    @property
    def tags_path(self) -> Path | None:
        """Where the names of its tags are."""
        return None if self.card.tags is None else self.path.with_name(self.card.tags.file)

    def locate(self) -> Weights:
        """Find the files, and name them by what is in them and what the card says.

        Raises
        ------
        EncoderUnavailable
            If one can't be read.
        """
        sha256 = self.digest(self.path, self.front_end_path)
        return Weights(path=self.path, sha256=sha256)

    def digest(self, model: Path, front_end: Path | None) -> str:
        """Name a copy of it by what is in it; raises as `locate`."""
        said = asdict(self.card)
        for name in ("credit", "licence", "told"):
            del said[name]  # nothing is computed from these
        parts = {"model": model, "front_end": front_end, "tags": self.tags_path}
        digests = {name: _digest(path) for name, path in parts.items() if path is not None}
        text = json.dumps({"card": said, **digests}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def read_model_file(kind: str, path: Path) -> ModelFile:
    """Read the card of a model file; see `read_card`.

    Raises
    ------
    EncoderUnavailable, EncoderError
        See `read_card`. If there is a front end's file, it is of the same kind.
    """
    model = ModelFile(kind=kind, path=path, card=read_card(kind, path))
    if model.front_end_path is not None:
        outline = OUTLINES[kind](model.front_end_path)
        if len(outline.inputs) != 1 or len(outline.outputs) != 1:
            raise EncoderError(
                f"{model.front_end_path} is no front end: it has {len(outline.inputs)} inputs and "
                f"{len(outline.outputs)} outputs, and one of each is needed."
            )
    return model


def tag_names(model: ModelFile) -> tuple[str, ...]:
    """Read the names of a network's tags; empty where it has none.

    Raises
    ------
    EncoderUnavailable
        If the file can't be read.
    EncoderError
        If it has no names, or too many.
    """
    path = model.tags_path
    if path is None:
        return ()
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            text = stream.read(_MAX_TAGS_BYTES + 1)
    except OSError as error:
        raise EncoderUnavailable(f"The tags {path} can't be read ({error.strerror}).") from error
    except ValueError as error:
        raise EncoderError(f"The tags {path} are no UTF-8 text.") from error
    lines = text.splitlines()
    if path.suffix.lower() == ".csv":
        rows = csv.DictReader(lines)
        columns = [name for name in _NAME_COLUMNS if name in (rows.fieldnames or ())]
        if not columns:
            raise EncoderError(f"The tags {path} have no column {' or '.join(_NAME_COLUMNS)}.")
        names = [row[columns[0]] or "" for row in rows]
    else:
        names = [line for line in lines if line.strip()]
    found = tuple(" ".join(name.split())[:100] for name in names)
    if not 0 < len(found) <= _MAX_TAGS or len(text) > _MAX_TAGS_BYTES or "" in found:
        raise EncoderError(
            f"The tags {path} must be 1 to {_MAX_TAGS} names, none of them empty, in "
            f"{_MAX_TAGS_BYTES} bytes."
        )
    return found


def card_to_json(card: Card) -> str:
    """Write a card as it is kept beside the copy of its model."""
    return json.dumps(asdict(card), indent=1)


def card_from_json(text: str) -> Card:
    """Read what `card_to_json` has written; a ValueError, KeyError or TypeError if it did not."""
    said: dict[str, Any] = json.loads(text)
    said["input"]["layout"] = tuple(said["input"]["layout"])
    sections: Mapping[str, type[Any]] = {
        "input": Input,
        "log_mel": LogMel,
        "front_end": FrontEndFile,
        "tags": ModelTags,
    }
    for name, kind in sections.items():
        if said[name] is not None:
            said[name] = kind(**said[name])
    said["outputs"] = tuple(Output(**one) for one in said["outputs"])
    said["told"] = tuple(said["told"])
    return Card(**said)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise EncoderUnavailable(f"The file {path} can't be read ({error.strerror}).") from error
