"""From what was found to rows of JSON, with differences between ways on the same draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from accuracy.figures import (
    Found,
    paired_difference,
    precision_rows,
    summarise,
    verdict_figures,
)
from accuracy.kept import Baseline
from accuracy.music import DEFAULT_ENCODER
from accuracy.plan import Case
from accuracy.tasks import N_DISLIKE
from accuracy.ways import LIKES_ONLY, OURS

__all__ = ["Results"]


@dataclass
class Results:
    """What has been found so far: rows of later cases are compared with earlier ones.

    Where there is a baseline, ours is compared with that of another commit as well.
    """

    baseline: Baseline | None = None
    _found: dict[tuple[str, Case, str], Found] = field(default_factory=dict)

    @property
    def found(self) -> dict[tuple[str, Case, str], Found]:
        """Every draw's figures, by encoder, case and way."""
        return self._found

    def add(self, encoder: str, case: Case, by_way: dict[str, Found]) -> Iterator[dict[str, Any]]:
        """Take in all draws of a case; yield its rows."""
        plain = replace(case, ways=())
        ways = dict(by_way)
        if case.kind == "draws" and case.dislikes != "none":
            # The same test and library, and these ways take no notice of dislikes.
            undisliked = replace(plain, dislikes="none")
            ways |= {
                way: self._found[encoder, undisliked, way]
                for way in sorted(LIKES_ONLY)
                if (encoder, undisliked, way) in self._found
            }
        for way, found in ways.items():
            self._found[encoder, plain, way] = found
        for way in ways:
            yield from self._rows(encoder, plain, way)

    def _rows(self, encoder: str, case: Case, way: str) -> Iterator[dict[str, Any]]:
        found = self._found[encoder, case, way]
        what = {"kind": case.kind, "encoder": encoder, "way": way, "n_like": case.n_like}
        what |= {"dislikes": case.dislikes, "n_dislike": _n_dislike(case)}
        what["hidden"] = case.hidden
        if case.task:
            what["task"] = case.task
        if case.kind == "ood":
            yield what | _verdicts(found)
            return
        differences = [
            *self._differences(encoder, case, way),
            *self._from_baseline(encoder, case, way),
        ]
        yield what | summarise(found) | verdict_figures(found) | {"differences": differences}
        if case.hidden and "picks_0.9" in next(iter(found[0].values())):
            for row in precision_rows(found):
                yield (
                    what
                    | {"kind": "precision", "n_draws": len(found), "n_tastes": len(found[0])}
                    | row
                )

    def _differences(self, encoder: str, case: Case, way: str) -> Iterator[dict[str, Any]]:
        """Compare with the other ways.

        They are the kernel head, the same without dislikes, the default encoder and the reference.
        """
        others = [
            (encoder, case, OURS),
            (encoder, case, "reference"),
            (encoder, case, way.replace("seven likes", "two thirds of the likes")),
            (encoder, replace(case, dislikes="none"), OURS),
            (DEFAULT_ENCODER, case, OURS),
        ]
        seen = {(encoder, case, way)}
        for other in others:
            to_encoder, to_case, to_way = other
            odd = case.kind == "robustness" and to_way == "reference" and way != OURS
            if other in seen or other not in self._found or odd:
                continue
            if way not in (OURS,) and to_encoder != encoder:
                continue  # encoders are compared by the kernel head
            seen.add(other)
            to = {"encoder": to_encoder, "way": to_way, "dislikes": to_case.dislikes}
            yield {"to": to} | paired_difference(
                self._found[encoder, case, way], self._found[other]
            )

    def _from_baseline(self, encoder: str, case: Case, way: str) -> Iterator[dict[str, Any]]:
        """Compare with the default encoder, and with this one, as they were at another commit."""
        if self.baseline is None or way != OURS:
            return
        for other in dict.fromkeys((self.baseline.default, encoder)):
            found = self._found[encoder, case, way]
            before = self.baseline.found(other, case, way, n_draws=len(found))
            if before is not None:
                to = {"baseline": self.baseline.commit, "encoder": other, "way": way}
                to |= {"dislikes": case.dislikes}
                yield {"to": to} | paired_difference(found, before)


def _n_dislike(case: Case) -> int:
    return {"none": 0, "as many": case.n_like}.get(case.dislikes, N_DISLIKE)


def _verdicts(found: Found) -> dict[str, Any]:
    """Count verdicts over all tastes, draws and sounds of a kind."""
    cells = [figures for draw in found for figures in draw.values()]
    row: dict[str, Any] = {"n_draws": len(found), "n_tastes": len(found[0])}
    row |= {
        verdict: int(sum(cell[verdict] for cell in cells))
        for verdict in ("like", "unsure", "dislike")
    }
    row["likes_by_taste"] = {
        taste: int(sum(draw[taste]["like"] for draw in found)) for taste in found[0]
    }
    row["mean_score"] = round(float(np.mean([cell["mean_score"] for cell in cells])), 4)
    row["highest_score"] = round(max(cell["highest_score"] for cell in cells), 4)
    return row
