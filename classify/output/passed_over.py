"""What a search of folders passed over, in words: nothing is left out in silence."""

from __future__ import annotations

from collections import Counter
from os.path import basename

from classify.output.formats import counted
from embed import PassedOver

__all__ = ["passed_over_words"]

_MOST_KINDS = 6


def passed_over_words(passed_over: PassedOver) -> list[str]:
    """Tell what was passed over, in one sentence each; nothing of nothing.

    Examples
    --------
    >>> from classify.output.passed_over import passed_over_words
    >>> from embed import PassedOver
    >>> passed_over_words(PassedOver(folders=["/music/#recycle"]))
    ['1 folder of the system was passed over (1 #recycle); name it to have it searched']
    >>> passed_over_words(PassedOver(kinds={".mid": 7, ".dts": 5}))
    ['12 files of other kinds were passed over (7 .mid, 5 .dts)']
    """
    said = []
    if passed_over.kinds:
        n = sum(passed_over.kinds.values())
        kinds = Counter({name or "of none": n for name, n in passed_over.kinds.items()})
        said.append(
            f"{counted(n, 'file')} of {'another kind was' if n == 1 else 'other kinds were'} "
            f"passed over ({_most(kinds)})"
        )
    if passed_over.folders:
        n, names = len(passed_over.folders), Counter(map(basename, passed_over.folders))
        said.append(
            f"{counted(n, 'folder')} of the system {'was' if n == 1 else 'were'} passed over "
            f"({_most(names)}); name {'it' if n == 1 else 'one'} to have it searched"
        )
    return said


def _most(counts: Counter[str]) -> str:
    """List the most frequent of them, as in "7 .mid, 5 .dts"."""
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    left = sum(n for _, n in ranked[_MOST_KINDS:])
    shown = [f"{n} {name}" for name, n in ranked[:_MOST_KINDS]]
    return ", ".join([*shown, *([f"{left} others"] if left else [])])
