"""From open files to scores: `score_files`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from classify.library.library_files import LibraryFiles
from classify.scoring.ranking import Chosen, Once, Wanted, choose, decide_files, rank
from classify.scoring.scores import ScoredSong, Scores
from classify.taste.taste import Taste
from classify.taste.vectors import FloatArray

__all__ = ["labels_and_known", "likely_from", "listed", "score_files", "scores_of"]


def likely_from(taste: Taste) -> float:
    """Return the score from which a taste's verdict is `like`.

    Examples
    --------
    >>> from classify import Taste
    >>> from classify.scoring.file_scores import likely_from
    >>> 0.5 < likely_from(Taste.load("default")) < 1
    True
    """
    return max(taste.unsure[1], taste.threshold)  # as `Taste.verdicts`


def score_files(
    files: LibraryFiles,
    taste: Taste,
    root: str | Path,
    *,
    labels: Mapping[str, str] | None = None,
    top: int | None = None,
    min_score: float = 0.0,
    precision: float | None = None,
    labelled: bool = True,
    once: bool = False,
    only_there: bool = False,
    per_artist: int | None = None,
    without: Collection[str] = (),
) -> Scores:
    """Score files of an open library, best first; see `score`.

    Parameters
    ----------
    files : LibraryFiles
        With `precision`, labelled songs among them are passed over.
    taste : Taste
    root : path or URI
        The cache.
    labels : mapping of str to str, optional
        Digest to like or dislike; default: those that the taste was trained with.
    top, min_score, precision, labelled, once, per_artist, without
        Which are wanted.
    only_there : bool
        Pass over files that have gone.

    Raises
    ------
    CacheError
        If song vectors can't be read.
    """
    wanted = Wanted(
        top=top,
        min_score=min_score,
        precision=precision,
        labelled=labelled,
        once=once,
        only_there=only_there,
        per_artist=per_artist,
        without=without,
    )
    return scores_of(files, taste, root, labels, wanted)


def scores_of(
    files: LibraryFiles,
    taste: Taste,
    root: str | Path,
    given: Mapping[str, str] | None,
    wanted: Wanted,
) -> Scores:
    """Do as `score_files`, with all that is wanted in one."""
    labels, known = labels_and_known(taste, given, wanted)
    left = files.without(known) if known else files
    decisions = decide_files(taste, left, root)

    def begun() -> Once:
        return Once.beside(known, taste, files.vectors)

    found, _ = listed(left, decisions, taste, labels, wanted, begun)
    return replace(found, n_scored=len(left), n_labelled=len(files) - len(left))


def labels_and_known(
    taste: Taste, given: Mapping[str, str] | None, wanted: Wanted
) -> tuple[Mapping[str, str], list[str]]:
    """Return the labels, and the recordings that are not to be listed."""
    learnt = dict.fromkeys(taste.dislikes, "dislike") | dict.fromkeys(taste.likes, "like")
    labels = learnt if given is None else given
    # What is known for certain must not make up for what is not; nor must what the taste has learnt
    # by heart, should its label be gone since.
    is_known = wanted.precision is not None or not wanted.labelled
    return labels, [*(labels if is_known else ()), *(learnt if is_known else ()), *wanted.without]


def listed(
    files: LibraryFiles,
    decisions: FloatArray,
    taste: Taste,
    labels: Mapping[str, str],
    wanted: Wanted,
    begun: Callable[[], Once],
) -> tuple[Scores, bool]:
    """List files that were decided on; and tell whether more of them would change nothing."""
    # By the decisions, not by the scores: at either end those differ less than a float can tell.
    values = taste.calibration(decisions)
    order = rank(decisions, files.paths_at)

    def chosen_by(some: Wanted) -> Chosen:
        return choose(files, order, values, some, begun() if wanted.once else None)

    chosen = chosen_by(wanted)
    anything = replace(wanted, top=1, min_score=0.0, precision=None, per_artist=None)
    first = chosen if len(chosen.at) else chosen_by(anything)
    found = Scores(
        taste=taste,
        songs=_scored(files, taste, labels, chosen.at, values[chosen.at]),
        failed=(),
        n_scored=len(files),
        best=float(values[first.at[0]]) if len(first.at) else None,
    )
    return found, chosen.is_complete and first.is_complete


def _scored(
    files: LibraryFiles,
    taste: Taste,
    labels: Mapping[str, str],
    which: NDArray[np.intp],
    values: FloatArray,
) -> tuple[ScoredSong, ...]:
    rows = files.recordings(which)
    return tuple(
        ScoredSong(
            path=row.path,
            score=value,
            verdict=verdict,
            duration_s=row.duration_s,
            artist=row.artist,
            title=row.title,
            album=row.album,
            label=labels.get(row.digest or ""),
            digest=row.digest or "",  # there is one where there is a vector
        )
        for row, value, verdict in zip(rows, values.tolist(), taste.verdicts(values), strict=True)
    )
