"""What a dataset says it is: marks in its schema's metadata."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from cache.errors import ELSEWHERE, StoreFormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "FORMATS",
    "check_identity",
    "is_newer",
    "is_older",
    "new_marks",
    "plain_marks",
    "read_identity",
]

FORMATS = {"embeddings": 1, "catalog": 2}
"""The newest format that we know of each kind of dataset; cache/README.md tells them apart."""
_PREFIX = "sevensongs."


def new_marks(identity: Mapping[str, str]) -> dict[str, str]:
    """Return the metadata of a new dataset.

    They say what it is (kind, encoder), its format, and who writes it.
    """
    marks = {
        "format": str(FORMATS[identity["kind"]]),
        "written_by": version("sevensongs"),
        **identity,
    }
    return {_PREFIX + name: value for name, value in marks.items()}


def is_newer(marks: Mapping[str, str]) -> bool:
    """Whether a newer program wrote the dataset that has these marks."""
    return int(marks["format"]) > _newest_known(marks)


def is_older(marks: Mapping[str, str]) -> bool:
    """Whether the dataset that has these marks lacks what our format has."""
    return int(marks["format"]) < _newest_known(marks)


def _newest_known(marks: Mapping[str, str]) -> int:
    # Another kind is another identity, which is an error of its own.
    return FORMATS.get(marks.get("kind", ""), max(FORMATS.values()))


def read_identity(found: Any) -> dict[str, str]:
    """Read our marks, without their prefix, from an open dataset's schema metadata."""
    return plain_marks(found.schema.metadata)


def plain_marks(marks: Mapping[bytes, bytes] | None) -> dict[str, str]:
    """Return our marks, without their prefix, of a schema's metadata."""
    plain = {
        k.decode("utf-8", "replace"): v.decode("utf-8", "replace") for k, v in (marks or {}).items()
    }
    return {k.removeprefix(_PREFIX): v for k, v in plain.items() if k.startswith(_PREFIX)}


def check_identity(uri: str, marks: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Compare the marks of the dataset at a place with what they must say.

    Raises
    ------
    StoreFormatError
        If a newer program wrote it, another one did, or it is of another identity.
    """
    number = marks.get("format", "")
    if not number.isdecimal():
        raise StoreFormatError(
            f"{uri} is a Lance dataset that Seven Songs did not write; choose another folder with "
            "--cache"
        )
    if is_newer(marks):
        writer = (
            f"sevensongs {marks['written_by']}" if "written_by" in marks else "a newer sevensongs"
        )
        raise StoreFormatError(
            f"the cache at {uri} has format {number}, which {writer} wrote, and sevensongs "
            f"{version('sevensongs')} reads up to {_newest_known(marks)}; update sevensongs, "
            f"{ELSEWHERE}"
        )
    for name, value in wanted.items():
        if marks.get(name) != value:
            raise StoreFormatError(
                f"the cache at {uri} holds {name} {marks.get(name)!r}, not {value!r}; "
                "delete that folder and run `sevensongs embed` again"
            )
