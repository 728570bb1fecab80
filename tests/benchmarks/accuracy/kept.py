"""Every draw's figures of a run, kept in a file, to compare another commit with them in pairs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from accuracy.figures import Found
from accuracy.plan import Case
from accuracy.tasks import Collection

__all__ = ["Baseline", "Key", "keep", "songs_hash"]

Key = tuple[str, Case, str]
"""An encoder, a case without its ways, and a way."""


def songs_hash(collection: Collection) -> str:
    """Return a name of the songs and their tastes: draws are the same only where it is."""
    songs = "\n".join(
        f"{digest} {taste}"
        for digest, taste in zip(collection.digests, collection.tastes, strict=True)
    )
    return hashlib.blake2b(songs.encode(), digest_size=8).hexdigest()


def keep(path: Path, found: Mapping[Key, Found], *, commit: str, songs: str, default: str) -> None:
    """Write a line for each encoder, case and way, with the figures of all draws and tastes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for (encoder, case, way), draws in found.items():
            what = asdict(replace(case, ways=()))
            del what["ways"]
            row: dict[str, Any] = {"commit": commit, "songs": songs, "default": default}
            row |= {"encoder": encoder, "way": way, "case": what}
            file.write(json.dumps(row | {"draws": draws}) + "\n")


@dataclass(frozen=True, eq=False)
class Baseline:
    """What `keep` wrote at another commit; `default` was the default encoder there."""

    commit: str
    songs: str
    default: str
    _found: Mapping[Key, Found]

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """Read a file of `keep`.

        Raises
        ------
        SystemExit
            If it can't be read or holds nothing.
        """
        try:
            rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        except (OSError, ValueError) as error:
            raise SystemExit(f"the baseline {path} can't be read: {error}") from None
        if not rows:
            raise SystemExit(f"the baseline {path} is empty: write one with --keep {path}")
        found = {(row["encoder"], Case(**row["case"]), row["way"]): row["draws"] for row in rows}
        return cls(
            rows[0]["commit"],
            rows[0]["songs"],
            rows[0]["default"],
            {
                (encoder, replace(case, ways=()), way): d
                for (encoder, case, way), d in found.items()
            },
        )

    def require(self, collection: Collection) -> None:
        """Refuse other songs: their draws would be others.

        Raises
        ------
        SystemExit
        """
        if songs_hash(collection) != self.songs:
            raise SystemExit(
                f"the baseline is of other songs ({self.songs}) than these "
                f"({songs_hash(collection)}): keep one of the same music, at the commit to compare"
            )

    def found(self, encoder: str, case: Case, way: str, *, n_draws: int) -> Found | None:
        """Return the first draws of a case; None where it was not run.

        Raises
        ------
        SystemExit
            If it has fewer draws.
        """
        draws = self._found.get((encoder, case, way))
        if draws is not None and len(draws) < n_draws:
            raise SystemExit(
                f"the baseline has {len(draws)} draws, and {n_draws} are asked: "
                f"--draws {len(draws)} compares with it"
            )
        return None if draws is None else draws[:n_draws]
