"""How good a taste of the cache is: `classify.evaluate`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cache import default_root, require_cache
from classify.errors import TasteError
from classify.library.song_library import SongLibrary
from classify.taste.names import DEFAULT_TASTE
from classify.taste.taste import Taste

if TYPE_CHECKING:
    from classify.evaluation.evaluation import Evaluation

__all__ = ["evaluate"]


def evaluate(
    *,
    taste: str | os.PathLike[str] | Taste = DEFAULT_TASTE,
    root: str | Path | None = None,
) -> Evaluation:
    """Tell how good a taste is on songs that it has not seen; see `evaluate_taste`.

    Raises
    ------
    TasteError
        If there is no such taste, or its songs have gone from the cache.
    LabelError
        If there are too few songs to hold any out.
    CacheError

    Examples
    --------
    >>> import classify
    >>> found = classify.evaluate()
    >>> found.n_like, found.auc > 0.9
    (15, True)
    """
    from classify.evaluation.evaluation import evaluate_taste  # the service starts without it

    base = default_root() if root is None else root
    require_cache(base)
    loaded = taste if isinstance(taste, Taste) else Taste.load(taste, root=base)
    library = SongLibrary.of_taste(loaded, base)
    labelled = [*loaded.likes, *loaded.dislikes]
    held = library.vectors.held(labelled)
    missing = [digest for digest in labelled if digest not in held]
    if missing:
        raise TasteError(
            f"{len(missing)} of the taste's {loaded.n_like + loaded.n_dislike} labelled songs are "
            f"not in the cache at {base}; embed them again, or name the right cache with --cache"
        )
    return evaluate_taste(
        likes=library.songs(loaded.likes),
        dislikes=library.songs(loaded.dislikes) if loaded.dislikes else None,
        unlabelled=library.songs(loaded.unlabelled) if loaded.unlabelled else None,
        head=loaded.head,
        space=loaded.space,
        blocks=library.blocks,
        seed=loaded.seed,
    )
