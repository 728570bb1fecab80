"""Values that no taste has, for forgers of either format."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

__all__ = ["FLOATS", "JSON_TEXTS", "SHAPES", "Bomb", "Maker", "changed_facts"]

Maker = Callable[[Random, bytes, Path], bytes]
"""Makes a hostile file of a sound one; the path is the folder that code would leave if it ran."""

SHAPES = (
    (),
    (0,),
    (1,),
    (10**12,),
    (10**9, 10**9),
    (2**63,),
    (0, 2**40),
    (1, 1, 1),
    (3, 4),
    (2**31, 2),
)
FLOATS = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-45, 3e38, 1e300, 1e308)
JSON_TEXTS = (
    "[" * 50_000,
    "[]," * 100_000,
    '{"a":' * 20_000,
    "1" * 10_000,
    "NaN",
    '"\\ud800"',
    "null",
)
# fmt: off
_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1, 2, 3, 10**9, 2**63, 10**400, 0.5, -0.5, 1e308, float("nan"), float("inf"),
    "", "x", "\ud800", "../../x", "a+b", "musicnn", "\x1b[2J", "x" * 10_000, [], [0.1], [0.9, 0.1],
    [None], ["a"] * 99, [[]], {}, {"a": 1},
)
# fmt: on


class Bomb:
    """Its pickle, when loaded, leaves a folder."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


def changed_facts(r: Random, facts: dict[str, Any]) -> str:
    """Return the JSON of a taste with one fact changed or gone, or a text that is no taste's."""
    name = r.choice(sorted(facts))
    facts = {**facts, name: r.choice(_VALUES)}
    if r.random() < 0.1:
        del facts[name]
    text = json.dumps(facts)
    return r.choice(JSON_TEXTS) if r.random() < 0.1 else text
