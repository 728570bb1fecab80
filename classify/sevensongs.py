"""Seven Songs from Python: `embed` turns music into embeddings, `classify` learns a taste.

The build installs this file as the package `sevensongs` (see pyproject.toml).

Examples
--------
>>> import sevensongs
>>> sevensongs.embed.embed_library("music").found
28
>>> sevensongs.classify.score("music", top=1)[0].verdict
'like'
"""

from typing import Any

import classify
import embed

__all__ = ["__version__", "classify", "embed"]

__version__: str


def __getattr__(name: str) -> Any:
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version  # takes longer to import than all the rest

    return version("sevensongs")
