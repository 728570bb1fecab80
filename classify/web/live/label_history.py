"""What labels were before, many steps back, so that each step can be undone and redone."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["LabelHistory", "LabelStep"]

_MOST_STEPS = 200
_MOST_TASTES = 64
Way = Literal["undo", "redo"]


@dataclass(frozen=True, kw_only=True)
class LabelStep:
    """One thing that a listener did: the songs' labels before and after it, by digest."""

    before: Mapping[str, str | None]
    after: Mapping[str, str | None]

    @property
    def reverse(self) -> LabelStep:
        """The step back."""
        return LabelStep(before=self.after, after=self.before)


@dataclass(kw_only=True)
class _Steps:
    undo: list[LabelStep] = field(default_factory=list)
    redo: list[LabelStep] = field(default_factory=list)


class LabelHistory:
    """The steps of each taste since the service started; the last 200. Threads may share it."""

    def __init__(self) -> None:
        self._tastes: dict[str, _Steps] = {}
        self._lock = threading.Lock()

    def did(self, name: str, step: LabelStep) -> None:
        """Remember a step that can be undone from now on; what was undone before is forgotten."""
        if step.before == step.after:
            return
        with self._lock:
            steps = self._of(name)
            steps.redo.clear()
            steps.undo.append(step)
            del steps.undo[:-_MOST_STEPS]

    def take(self, name: str, way: Way) -> LabelStep | None:
        """Return what to do next on the way back, or forth again; None where there is nothing."""
        with self._lock:
            steps = self._of(name)
            of = steps.undo if way == "undo" else steps.redo
            return of.pop() if of else None

    def took(self, name: str, way: Way, step: LabelStep) -> None:
        """Remember that a step that was taken has been done, so that it can be reversed."""
        with self._lock:
            steps = self._of(name)
            (steps.redo if way == "undo" else steps.undo).append(step)

    def put_back(self, name: str, way: Way, step: LabelStep) -> None:
        """Keep a step that was taken and could not be done."""
        with self._lock:
            steps = self._of(name)
            (steps.undo if way == "undo" else steps.redo).append(step)

    def counts(self, name: str) -> dict[str, int]:
        """Return how many steps can be undone and redone."""
        with self._lock:
            steps = self._tastes.get(name) or _Steps()
            return {"n_undo": len(steps.undo), "n_redo": len(steps.redo)}

    def renamed(self, name: str, new: str) -> None:
        """Keep a taste's steps under its new name."""
        with self._lock:
            if name in self._tastes:
                self._tastes[new] = self._tastes.pop(name)

    def forget(self, name: str) -> None:
        """Drop a taste's steps."""
        with self._lock:
            self._tastes.pop(name, None)

    def _of(self, name: str) -> _Steps:
        if name not in self._tastes:
            while len(self._tastes) >= _MOST_TASTES:
                self._tastes.pop(next(iter(self._tastes)))
            self._tastes[name] = _Steps()
        return self._tastes[name]
