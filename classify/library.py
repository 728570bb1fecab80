"""From paths to songs: embed what is missing, read vectors from the cache, train, score, evaluate.

This is what the command calls; from Python, `classify.train`, `classify.score` and `classify.evaluate`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cache import Catalog, EmbeddingStore, Recording, default_root, list_stores
from classify.errors import LabelError, TasteError
from classify.evaluation import Evaluation, evaluate_taste
from classify.examples import MIN_LIKES, sample_unlabelled
from classify.features import LabelledSongs
from classify.fit import fit_taste
from classify.taste import Taste
from classify.tastes import DEFAULT_TASTE, taste_path
from embed import EmbedReport, Failure, Progress, embed_library, encoder_spec, find_audio, prepare_encoder

__all__ = ["ScoredSong", "Scores", "Trained", "evaluate", "score", "train"]

Paths = Sequence[str | os.PathLike[str]]
Tell = Callable[[Progress], None]

# What taggers write where they don't know the artist; such songs have nothing in common.
_NOBODY = frozenset({"various artists", "various", "unknown artist", "unknown", "<unknown>", "va"})


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What `train` made.

    Attributes
    ----------
    failed : tuple of Failure
        Likes, dislikes or unlabelled songs that could not be used.
    fit_s, wall_s : float
        Seconds of learning, and of everything.
    """

    taste: Taste
    path: Path
    failed: tuple[Failure, ...]
    fit_s: float
    wall_s: float


@dataclass(frozen=True, kw_only=True)
class ScoredSong:
    """A song and its score, a calibrated probability in [0, 1]."""

    path: str
    score: float
    verdict: str
    duration_s: float | None
    artist: str | None
    title: str | None


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Songs, best first, and the files that failed."""

    taste: Taste
    songs: tuple[ScoredSong, ...]
    failed: tuple[Failure, ...]


def train(
    likes: Paths,
    *,
    dislikes: Paths = (),
    unlabelled: Paths | None = None,
    encoder: str = "musicnn",
    head: str = "logistic",
    taste: str = DEFAULT_TASTE,
    root: str | Path | None = None,
    workers: int | None = None,
    progress: Tell | None = None,
) -> Trained:
    """Learn a taste from songs and save it.

    Parameters
    ----------
    likes, dislikes : sequence of path
        Files, folders, playlists, CSVs. Songs that are not in the cache are embedded.
    unlabelled : sequence of path, optional
        The rest of the library, as weak negatives; default: all that is cached, empty: none.
    encoder, head : str
    taste : str
        A name, or a file.
    root : path or URI, optional
        The cache.
    workers : int, optional
        Processes for embedding.
    progress : callable, optional
        Told how far the embedding is.

    Returns
    -------
    Trained

    Raises
    ------
    LabelError
        With fewer than 2 likes that can be used, nothing to tell them from, or a song on both sides.
    EmbedError, CacheError, TasteError
    """
    started = time.monotonic()
    path = taste_path(taste, root=root)
    base = default_root() if root is None else root
    named = [*likes, *dislikes, *(unlabelled or ())]
    report = embed_library(named, root=base, encoder=encoder, workers=workers, progress=progress)
    library = _Library(base, report.encoder, report.fingerprint)
    liked, disliked = library.digests(likes), library.digests(dislikes)
    pool = library.store.held() if unlabelled is None else library.digests(unlabelled)
    rest = list(sample_unlabelled(pool, exclude={*liked, *disliked}))
    _check_likes(liked, report)
    fit_started = time.monotonic()
    fitted = fit_taste(
        likes=library.songs(liked),
        dislikes=library.songs(disliked) if disliked else None,
        unlabelled=library.songs(rest) if rest else None,
        encoder=report.encoder,
        fingerprint=report.fingerprint,
        head=head,
    )
    fit_s = time.monotonic() - fit_started
    fitted.save(path)
    return Trained(
        taste=fitted,
        path=path,
        failed=report.failed,
        fit_s=fit_s,
        wall_s=time.monotonic() - started,
    )


def score(
    paths: Paths = (),
    *,
    taste: str | Taste = DEFAULT_TASTE,
    encoder: str | None = None,
    top: int | None = None,
    min_score: float = 0.0,
    root: str | Path | None = None,
    workers: int | None = None,
    progress: Tell | None = None,
) -> Scores:
    """Score songs, best first.

    Parameters
    ----------
    paths : sequence of path
        What to score; new songs are embedded. Empty: the whole cached library, without files that have
        gone.
    taste : str or Taste
        A name, a file, or a taste.
    encoder : str, optional
        Refuse a taste of any other; default: whatever the taste was trained on.
    top : int, optional
        At most so many songs.
    min_score : float
        Only songs that score at least this.
    root, workers, progress
        As for `train`.

    Raises
    ------
    TasteError
        If there is no such taste, or the songs are embedded with another encoder than it knows.
    EmbedError, CacheError
    """
    base = default_root() if root is None else root
    loaded = taste if isinstance(taste, Taste) else Taste.load(taste_path(taste, root=base))
    _require_encoder(loaded, encoder, base)
    library = _Library(base, loaded.encoder, loaded.fingerprint, dim=loaded.dim // 2)
    failed: tuple[Failure, ...] = ()
    if paths:
        failed = library.embed_missing(paths, loaded, workers, progress)
        rows = library.rows(paths)
    else:
        rows = library.all_rows()
    songs = _rank(library, loaded, rows)
    chosen: list[ScoredSong] = []
    for song in songs:
        if song.score < min_score or (top is not None and len(chosen) >= top):
            break
        if paths or os.path.exists(song.path):
            chosen.append(song)
    return Scores(taste=loaded, songs=tuple(chosen), failed=failed)


def evaluate(*, taste: str | Taste = DEFAULT_TASTE, root: str | Path | None = None) -> Evaluation:
    """Tell how good a taste is on songs that it has not seen; see `evaluate_taste`.

    Raises
    ------
    TasteError
        If there is no such taste, or its songs have gone from the cache.
    LabelError
        If there are too few songs to hold any out.
    CacheError
    """
    base = default_root() if root is None else root
    loaded = taste if isinstance(taste, Taste) else Taste.load(taste_path(taste, root=base))
    library = _Library(base, loaded.encoder, loaded.fingerprint, dim=loaded.dim // 2)
    held = library.store.held()
    missing = [digest for digest in (*loaded.likes, *loaded.dislikes) if digest not in held]
    if missing:
        raise TasteError(
            f"{len(missing)} of the taste's {loaded.n_like + loaded.n_dislike} labelled songs are not "
            f"in the cache at {base}; embed them again, or name the right cache with --cache"
        )
    return evaluate_taste(
        likes=library.songs(loaded.likes),
        dislikes=library.songs(loaded.dislikes) if loaded.dislikes else None,
        unlabelled=library.songs(loaded.unlabelled) if loaded.unlabelled else None,
        head=loaded.head,
        seed=loaded.seed,
    )


class _Library:
    """The catalog and one encoder's store, read together."""

    def __init__(self, root: str | Path, encoder: str, fingerprint: str, *, dim: int | None = None) -> None:
        self.root = root
        self.encoder = encoder
        if dim is None:
            dim = next(s.dim for s in list_stores(root) if s.fingerprint == fingerprint)
        self.store = EmbeddingStore(root, encoder=encoder, fingerprint=fingerprint, dim=dim)
        self._catalog = Catalog(root)

    def rows(self, paths: Paths) -> list[Recording]:
        """Return the catalog's rows of the audio files among `paths` that have a digest."""
        files = find_audio(paths).files
        known = self._catalog.lookup(files)
        return [known[path] for path in files if path in known and known[path].digest]

    def all_rows(self) -> list[Recording]:
        """Return the catalog's rows of this encoder's songs."""
        held = self.store.held()
        if not held:
            others = sorted({s.encoder for s in list_stores(self.root) if s.n_songs})
            instead = f", or train a taste with --encoder {others[0]}" if others else ""
            raise TasteError(
                f"the taste was trained on {self.encoder}, and no song in the cache is embedded with that: "
                f"run 'sevensongs embed --encoder {self.encoder} PATH'{instead}"
            )
        return [row for row in self._catalog.load().values() if row.digest in held]

    def digests(self, paths: Paths) -> list[str]:
        """Return the recordings of `paths`, each once."""
        return list(dict.fromkeys(row.digest for row in self.rows(paths) if row.digest))

    def songs(self, digests: Iterable[str]) -> LabelledSongs:
        """Read song vectors, with the groups that tags tell."""
        names, vectors = self.store.matrix(list(digests))
        groups = self._groups()
        return LabelledSongs(
            digests=tuple(names),
            vectors=vectors,
            groups=tuple(groups.get(name, name) for name in names),
        )

    def embed_missing(
        self, paths: Paths, taste: Taste, workers: int | None, progress: Tell | None
    ) -> tuple[Failure, ...]:
        """Embed new songs with the taste's encoder; refuse what is embedded with another one only."""
        found = find_audio(paths)
        known = self._catalog.lookup(found.files)
        held = self.store.held()
        missing = {path: _current_digest(known.get(path)) for path in found.files}
        missing = {path: digest for path, digest in missing.items() if digest not in held}
        if not missing:
            return found.failures
        self._refuse_foreign({digest for digest in missing.values() if digest})
        prepared = prepare_encoder(taste.encoder, root=self.root)
        taste.require(encoder=prepared.name, fingerprint=prepared.fingerprint)
        report = embed_library(
            list(missing), root=self.root, encoder=taste.encoder, workers=workers, progress=progress
        )
        return (*found.failures, *report.failed)

    def _refuse_foreign(self, digests: set[str]) -> None:
        """Refuse songs that another encoder has embedded: to embed a library anew is the user's decision."""
        for other in list_stores(self.root):
            if other.fingerprint == self.store.fingerprint or not digests:
                continue
            store = EmbeddingStore(
                self.root, encoder=other.encoder, fingerprint=other.fingerprint, dim=other.dim
            )
            foreign = len(digests & store.held().keys())
            if foreign:
                raise TasteError(
                    f"{foreign} of these songs are embedded with {other.encoder} only, and the taste was "
                    f"trained on {self.encoder}: run 'sevensongs embed --encoder {self.encoder} PATH', "
                    f"or train a taste with --encoder {other.encoder}"
                )

    def _groups(self) -> dict[str, str]:
        """Name each recording's group: its artist, else its album; songs without either stand alone."""
        groups: dict[str, str] = {}
        for row in self._catalog.load().values():
            artist = (row.artist or "").casefold()
            if row.digest and artist and artist not in _NOBODY:
                groups[row.digest] = f"artist:{artist}"
            elif row.digest and row.album:
                groups[row.digest] = f"album:{row.album.casefold()}"
        return groups


def _current_digest(row: Recording | None) -> str | None:
    """Return the digest of a catalog row whose file has not changed since."""
    if row is None or row.digest is None:
        return None
    try:
        status = os.stat(row.path)
    except OSError:
        return None
    unchanged = (row.size_bytes, row.mtime_ns) == (status.st_size, status.st_mtime_ns)
    return row.digest if unchanged else None


def _require_encoder(taste: Taste, encoder: str | None, root: str | Path) -> None:
    if encoder is not None and encoder_spec(encoder).name != taste.encoder:
        prepared = prepare_encoder(encoder, root=root)
        taste.require(encoder=prepared.name, fingerprint=prepared.fingerprint)


def _check_likes(liked: Sequence[str], report: EmbedReport) -> None:
    """Explain too few likes by what failed, where something did."""
    if len(liked) < MIN_LIKES and report.failed:
        first = report.failed[0]
        raise LabelError(
            f"{len(liked)} liked songs can be used, at least {MIN_LIKES} are needed; "
            f"{len(report.failed)} failed, the first: {first.path}: {first.error}"
        )


def _rank(library: _Library, taste: Taste, rows: Sequence[Recording]) -> list[ScoredSong]:
    """Score recordings, best first; songs of equal score in the order of their paths."""
    names, vectors = library.store.matrix(sorted({row.digest for row in rows if row.digest}))
    if not names:
        return []
    values = taste.score(vectors)
    verdicts = dict(zip(names, taste.verdicts(values), strict=True))
    scores = dict(zip(names, values.tolist(), strict=True))
    songs = [
        ScoredSong(
            path=row.path,
            score=scores[row.digest],
            verdict=verdicts[row.digest],
            duration_s=row.duration_s,
            artist=row.artist,
            title=row.title,
        )
        for row in rows
        if row.digest in scores
    ]
    return sorted(songs, key=lambda song: (-song.score, song.path))
