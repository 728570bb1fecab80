"""What was imported of each source, so that the next import changes only what changed there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from cache import is_digest, write_whole
from classify.errors import LabelError, write_problem
from classify.library.label_file import LABELS, Label

__all__ = ["ImportedLabel", "LabelChanges", "merged", "read_record", "record_path", "write_record"]

_FORMAT = 1
_MAX_BYTES = 128 * 2**20


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportedLabel:
    """A label that a source gives a recording.

    Attributes
    ----------
    label : {'like', 'dislike'}
    key : str
        Names the song in its source.
    path : str
        Of a file of the recording.
    """

    label: str
    key: str
    path: str = ""


@dataclass(frozen=True, kw_only=True)
class LabelChanges:
    """What an import does to labels, as digests; and what it leaves as it is.

    Attributes
    ----------
    added, changed, removed : tuple of str
    own : tuple of str
        Songs that keep another label than the source's, or none, as the listener said here, or
        another source did.
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    own: tuple[str, ...] = ()


def merged(
    labels: Sequence[Label],
    before: Mapping[str, ImportedLabel],
    now: Mapping[str, ImportedLabel],
    source: str,
    *,
    others: Mapping[str, Mapping[str, ImportedLabel]] = MappingProxyType({}),
    again: bool = False,
) -> tuple[tuple[Label, ...], LabelChanges]:
    """Change labels by what changed in a source since it was imported.

    Parameters
    ----------
    labels : sequence of Label
        As they are here.
    before, now : mapping of str to ImportedLabel
        What the source said of recordings at the last import, and says now.
    source : str
    others : mapping of str to mapping
        What other sources said at their last import.
    again : bool
        Whether to bring back labels that the listener took away here.

    Returns
    -------
    labels : tuple of Label
        A label that the listener gave here, or another source, stays as it is. Where a source takes
        one back, what another one says holds.
    changes : LabelChanges
    """
    ours = {one.digest: one for one in labels if one.digest}
    done: dict[str, list[str]] = {name: [] for name in ("added", "changed", "removed", "own")}
    for digest in dict.fromkeys([*before, *now]):
        was, wanted = before.get(digest), now.get(digest)
        here = ours.get(digest)
        is_ours = here is not None and here.source != source
        stays = was is not None and wanted is not None and was.label == wanted.label and not again
        if is_ours or stays:
            if wanted and (here is None or here.label != wanted.label):
                done["own"].append(digest)
        elif wanted is None and here is not None:
            heir = _said_by(others, digest, here.path)
            if heir is None:
                del ours[digest]
                done["removed"].append(digest)
            else:
                ours[digest] = heir
                done["changed"] += [digest] if heir.label != here.label else []
        elif wanted is None:
            continue
        elif here is None or here.label != wanted.label:
            done["changed" if here else "added"].append(digest)
            ours[digest] = Label(label=wanted.label, path=wanted.path, digest=digest, source=source)
    rest = (one for one in labels if not one.digest)
    return (*rest, *ours.values()), LabelChanges(
        **{name: tuple(digests) for name, digests in done.items()}
    )


def _said_by(
    others: Mapping[str, Mapping[str, ImportedLabel]], digest: str, path: str
) -> Label | None:
    """Return the label that another source gives a recording; None where none does."""
    for source, rows in others.items():
        if digest in rows:
            return Label(label=rows[digest].label, path=path, digest=digest, source=source)
    return None


def record_path(labels: Path) -> Path:
    """Return the file of what was imported, beside a file of labels."""
    return labels.with_name(f"{labels.name.removesuffix('.labels.csv')}.imports.json")


def read_record(path: Path) -> dict[str, dict[str, ImportedLabel]]:
    """Read what was imported: source to digest to label; empty where nothing was.

    Raises
    ------
    LabelError
        If it can't be read.
    """
    try:
        if not path.is_file():
            return {}
        if path.stat().st_size > _MAX_BYTES:
            raise ValueError(f"it has more than {_MAX_BYTES >> 20} MiB")
        document = json.loads(path.read_text("utf-8"))
        if document["format"] != _FORMAT:
            raise ValueError(f"it is of format {document['format']}, and {_FORMAT} is read")
        return {
            str(source): {
                digest: ImportedLabel(label=label, key=str(key))
                for digest, (label, key) in rows.items()
                if is_digest(digest) and label in LABELS
            }
            for source, rows in document["sources"].items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise LabelError(
            f"{path}, which tells what was imported, can't be read ({error!s:.100}); move it "
            "away, and the next import takes all that is there"
        ) from error


def write_record(path: Path, record: Mapping[str, Mapping[str, ImportedLabel]]) -> None:
    """Write what was imported, as a whole or not at all.

    Raises
    ------
    LabelError
        If it can't be written.
    """
    sources = {
        source: {digest: [one.label, one.key] for digest, one in rows.items()}
        for source, rows in record.items()
    }
    text = json.dumps({"format": _FORMAT, "sources": sources}, indent=1)
    try:
        write_whole(path, lambda file: file.write(text.encode("utf-8")))
    except OSError as error:
        raise LabelError(f"{path} can't be written: {write_problem(error)}") from error
