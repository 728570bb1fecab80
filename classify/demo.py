"""A tour on the music of the wheel `immich-memories-music`: embed 28 tracks, like 7, score 21.

The tracks are generated music (the wheel says so), 15 of them acoustic, 13 electronic; their file
names tell which. The listener of the demo likes every second acoustic one.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cache import default_root
from classify.errors import ClassifyError
from classify.labels.training import train
from classify.learning.metrics import roc_auc
from classify.library.library_files import LibraryFiles
from classify.library.song_library import DEMO_PACKAGE, SongLibrary, Tell
from classify.scoring.file_scores import score_files
from classify.scoring.scores import ScoredSong
from classify.scoring.scoring import score
from classify.taste.taste import Taste
from embed import FAST_ENCODER, embed_library

__all__ = [
    "DEMO_TASTE",
    "DemoResult",
    "demo_story",
    "demo_tracks",
    "demo_truth",
    "is_liked",
    "run_demo",
]

DEMO_TASTE = "demo"
_N_TRACKS = 28
_N_LIKES = 7


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """What the demo found out.

    Attributes
    ----------
    likes : tuple of str
        Paths of the songs it learnt from.
    songs : tuple of ScoredSong
        The unseen ones, best first.
    n_right : int
        How many are on the right side of the taste's threshold.
    auc_unseen : float
        How often an acoustic song scores above an electronic one.
    folder : Path
        Where the music is.
    """

    embedded: int
    likes: tuple[str, ...]
    songs: tuple[ScoredSong, ...]
    n_right: int
    auc_unseen: float
    folder: Path
    wall_s: float


def demo_tracks() -> list[str]:
    """Find the demo's music in the installed wheel.

    Raises
    ------
    ClassifyError
        If the wheel is missing or not the one that the demo knows.
    """
    remedy = "install it: pip install immich-memories-music==0.1.0 (16 MB; uv does it by itself)"
    spec = importlib.util.find_spec(DEMO_PACKAGE)
    if spec is None or spec.origin is None:
        raise ClassifyError(f"the demo's music is not installed; {remedy}")
    tracks = sorted(str(path) for path in (Path(spec.origin).parent / "tracks").rglob("*.opus"))
    if len(tracks) != _N_TRACKS:
        raise ClassifyError(
            f"the demo's music has {len(tracks)} tracks, {_N_TRACKS} are expected; {remedy}"
        )
    return tracks


def is_liked(path: str) -> bool:
    """Whether the demo's listener would like a track: the acoustic ones."""
    return "acoustic" in Path(path).name


def run_demo(*, root: str | Path | None = None, progress: Tell | None = None) -> DemoResult:
    """Embed the demo's tracks, learn from 7 acoustic ones, score the 21 others; keep the taste.

    Raises
    ------
    ClassifyError, EmbedError, CacheError
    """
    started = time.monotonic()
    tracks = demo_tracks()
    report = embed_library(tracks, root=root, encoder=FAST_ENCODER, progress=progress)
    if report.failed:
        first = report.failed[0]
        raise ClassifyError(f"the demo's track {first.path} {first.error}")
    likes = [path for path in tracks if is_liked(path)][::2][:_N_LIKES]
    unseen = [path for path in tracks if path not in likes]
    trained = train(likes, unlabelled=unseen, encoder=FAST_ENCODER, taste=DEMO_TASTE, root=root)
    songs = score(unseen, taste=trained.taste, root=root).songs
    truth = np.array([is_liked(song.path) for song in songs])
    values = np.array([song.score for song in songs])
    return DemoResult(
        embedded=report.embedded,
        likes=tuple(likes),
        songs=songs,
        n_right=_n_right(songs, trained.taste),
        auc_unseen=roc_auc(truth, values),
        folder=Path(os.path.commonpath(tracks)),
        wall_s=time.monotonic() - started,
    )


def _n_right(songs: Sequence[ScoredSong], taste: Taste) -> int:
    """Count the songs on the right side of the taste's threshold."""
    return sum((song.score >= taste.threshold) == is_liked(song.path) for song in songs)


def demo_truth(name: str, *, root: str | Path | None = None) -> str:
    """Say what the demo knows of its own taste and no evaluation can know.

    Parameters
    ----------
    name : str
        Of a taste.
    root : path or URI, optional
        The cache.

    Returns
    -------
    str
        "" for any other taste, or where songs of the demo have gone.

    Raises
    ------
    ClassifyError, CacheError
        If the taste or the cache can't be read.

    Examples
    --------
    >>> from classify.demo import demo_truth
    >>> demo_truth("default")
    ''
    """
    if name != DEMO_TASTE:
        return ""
    base = default_root() if root is None else root
    taste = Taste.load(name, root=base)
    library = SongLibrary.of_taste(taste, base)
    files = LibraryFiles.of(library.catalog_files(), library.vectors.open()).only_demo()
    labelled = {*taste.likes, *taste.dislikes}
    if len(files.digests) != _N_TRACKS or not labelled <= set(files.digests):
        return ""  # it has been taught other songs since
    songs = score_files(files, taste, base, labelled=False, once=True).songs
    n_liked = sum(is_liked(song.path) for song in songs)
    return (
        f"The demo knows the truth: of its {len(songs)} songs without a label "
        f"{_n_right(songs, taste)} are on the right side. The figures above are of likes held out, "
        f"and take all {len(songs)} for not liked, although {n_liked} of them are like the likes."
    )


def demo_story(result: DemoResult) -> str:
    """Tell what the demo did, and what to do next."""
    from classify.output.formats import render
    from classify.output.verdict_words import verdict_word

    rows = [
        {
            "score": song.score,
            "verdict": verdict_word(song.verdict),
            "track": Path(song.path).stem,
            "in truth": "liked" if is_liked(song.path) else "not liked",
        }
        for song in result.songs
    ]
    likes = "".join(f"  {Path(path).stem}\n" for path in result.likes)
    return (
        "The music: 28 generated tracks of the package immich-memories-music, "
        "15 acoustic, 13 electronic.\n"
        f"The listener likes {len(result.likes)} acoustic ones:\n{likes}"
        f"What Seven Songs makes of the {len(rows)} others, whose kind it was not told:\n\n"
        f"{render(rows, 'table')}\n"
        f"{result.n_right} of {len(rows)} on the right side; AUC {result.auc_unseen:.3f} "
        f"({result.wall_s:.0f} s, {result.embedded} embedded now).\n"
        f"That is held against the truth, which only a demo knows. It is kept as the taste "
        f"{DEMO_TASTE!r};\n`sevensongs evaluate --taste {DEMO_TASTE}` tells how good it seems from "
        "its labels alone.\n"
        "Now with your own music (with uv, put `uv run` before each):\n"
        "  sevensongs embed ~/Music\n"
        "  sevensongs train --like SONG --like SONG ...   (about seven songs that you like)\n"
        "  sevensongs score --top 50\n"
    )
