"""Why a song has its score: `classify.explain`. Its moments, its tags, and what it resembles."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cache import WHOLE, FileRecord, default_root, require_cache
from classify.errors import ClassifyError, one_song_needed
from classify.explanation.explanation import Explanation
from classify.explanation.song_explainer import explain_heard
from classify.library.song_library import SongLibrary, Tell
from classify.taste.names import DEFAULT_TASTE
from classify.taste.taste import Taste
from embed import Paths, find_audio, path_list

if TYPE_CHECKING:
    pass

__all__ = ["explain"]


def explain(
    path: Paths,
    *,
    taste: str | os.PathLike[str] | Taste = DEFAULT_TASTE,
    whole: bool = False,
    root: str | Path | None = None,
    workers: int | None = None,
    progress: Tell | None = None,
) -> Explanation:
    """Explain why a song has its score.

    Parameters
    ----------
    path : path or iterable of path
        One audio file, or a list or folder of one. If it is not in the cache, it is embedded as the
        library is.
    taste : str, path or Taste
        A name, a file, or a taste.
    whole : bool
        Hear all of the song first. If not, the moments are those that were heard when it was
        embedded, such as the twelve of a scan: that takes a fifth of the time, and the score is the
        one in the list. A song that was heard whole is explained by all of it either way.
    root, workers, progress
        As for `classify.train`.

    Returns
    -------
    Explanation
        Its parts add up to the score.

    Raises
    ------
    ClassifyError
        If `path` is no single song that can be used.
    TasteError
        If there is no such taste, it can't be used here, or no other song is there to compare with.
    TypeError
        If something else than a path is given.
    EmbedError, CacheError

    Examples
    --------
    >>> from pathlib import Path
    >>> import classify
    >>> song = next(Path("music").glob("*acoustic*"))
    >>> told = classify.explain(song)
    >>> told.label, told.verdict
    ('like', 'like')
    """
    base = default_root() if root is None else root
    require_cache(base)
    loaded = taste if isinstance(taste, Taste) else Taste.load(taste, root=base)
    library = SongLibrary.of_taste(loaded, base)
    paths = path_list(path)
    scanned = _scanned(library, paths, loaded) if whole else None
    song = _one_song(library, paths, loaded, workers, progress, whole=whole)
    assert song.digest  # it has a vector
    entries = [entry for one in library.vectors.stores if (entry := one.get(song.digest))]
    found = explain_heard(song, entries, taste=loaded, library=library, root=base)
    if scanned is None:
        return found
    return replace(found, scanned_score=scanned[0], scanned_windows=scanned[1])


def _scanned(library: SongLibrary, paths: list[str], taste: Taste) -> tuple[float, int] | None:
    """Return the score of a song of which only some windows were heard, and how many.

    None where none or all of it was.
    """
    files = library.files(paths)
    at = files.at[:1]
    if len(files) != 1 or files.vectors.n_windows[at[0]] == WHOLE:
        return None
    (known,) = files.recordings()
    if not os.path.exists(known.path) or not known.is_still(os.stat(known.path)):
        return None  # that was another song
    score = taste.calibration(taste.decisions(files.vectors.matrix(at)))
    return float(score[0]), int(files.vectors.n_windows[at[0]])


def _one_song(
    library: SongLibrary,
    paths: list[str],
    taste: Taste,
    workers: int | None,
    progress: Tell | None,
    *,
    whole: bool,
) -> FileRecord:
    found, name = find_audio(paths), ", ".join(paths)
    if found.n_songs != 1:
        raise ClassifyError(one_song_needed(paths, found.n_songs, found.failures))
    failed = library.embed_missing(paths, workers, progress, taste=taste, whole=whole, picked=True)
    rows = library.rows(paths)
    if failed or not rows:
        why = failed[0].error if failed else "can't be read"
        raise ClassifyError(f"{name}: {why}")
    return rows[0]
