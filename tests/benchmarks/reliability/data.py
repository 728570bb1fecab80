"""Read thousands of hostile tastes, playlists and names; count what was believed.

See README.md here.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from fuzz.hostile_lists import Playground, judge_list
from fuzz.hostile_names import judge_rows, make_rows, make_songs, round_trip
from fuzz.hostile_tastes import DAMAGED, FORGED, judge, make_hostile

from classify import Taste

__all__ = ["rows"]

SEED = 5
_FORMATS = Path(__file__).resolve().parents[2] / "formats"
_TASTE = max(_FORMATS.glob("taste-*.npz"), key=lambda path: int(path.stem.partition("-")[2]))
Trial = Callable[[Random], bool]
"""One try: whether all went as it must."""


def rows(n: int, work: Path) -> Iterator[dict[str, Any]]:
    """Try everything `n` times each.

    Parameters
    ----------
    n : int
        Hostile files of each kind; there are twelve kinds.
    work : Path
        A folder; its folder `data` is made.

    Yields
    ------
    dict
        Of each kind: `fault`, `n`, `survived` (tries that ended in the right answer or a named
        refusal), `lost` (lists and outputs of which a song was not found again), `wrong` (tastes
        taken for what they are not, answers that are no numbers, entries that were opened, pickles
        that ran) and `seconds`.
    """
    sound, content = Taste.load(_TASTE), _TASTE.read_bytes()
    work = work / "data"
    work.mkdir()
    mark = work / "mark"
    for kind in (*DAMAGED, *FORGED):
        trial = partial(
            _taste, kind=kind, content=content, sound=sound, path=work / "t.npz", mark=mark
        )
        yield _row(f"taste: {kind}", n, trial, lost=False)
    ground = Playground.make(work / "ground")
    yield _row("playlist or CSV: hostile entries", n, partial(judge_list, ground=ground), lost=True)
    yield _row("output: hostile names and tags", n, partial(_names, work=work), lost=True)


def _taste(r: Random, *, kind: str, content: bytes, sound: Taste, path: Path, mark: Path) -> bool:
    verdict = judge(path, make_hostile(r, kind, content, mark), sound)
    # A forger may write a sound taste of other numbers; that is no damage, and scores as it says.
    believed = verdict == "other" and kind not in ("other arrays", "other metadata")
    return not believed and not mark.exists()


def _names(r: Random, *, work: Path) -> bool:
    folder = work / "songs"
    folder.mkdir()
    try:
        table = make_rows(r, make_songs(r, folder))
        judge_rows(table)
        return round_trip(table, work)
    finally:
        shutil.rmtree(folder)


def _row(fault: str, n: int, trial: Trial, *, lost: bool) -> dict[str, Any]:
    """Try `n` times from seeds of their own; a failure in judging is an answer that is wrong."""
    started, n_bad, n_wrong = time.monotonic(), 0, 0
    for number in range(n):
        try:
            n_bad += not trial(Random(f"{SEED} {fault} {number}"))
        except AssertionError:
            n_wrong += 1
    return {
        "kind": "data",
        "fault": fault,
        "n": n,
        "survived": n - n_bad - n_wrong,
        "lost": n_bad if lost else 0,
        "wrong": n_wrong + (0 if lost else n_bad),
        "seed": SEED,
        "seconds": round(time.monotonic() - started, 1),
    }
