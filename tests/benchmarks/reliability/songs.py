"""Libraries for the reliability benchmarks.

They are short excerpts of real music, and what a cache holds of them.
"""

from __future__ import annotations

import os
import shutil
import wave
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from speed.library import add_songs, song_path
from speed.rows import COMMAND

from cache import Catalog, EmbeddingStore, verify_cache
from classify.demo import demo_tracks
from embed import PreparedEncoder, Span, prepare_encoder, probe, read_spans

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ENCODER", "EXCERPT_S", "Library", "Soundness"]

ENCODER = "musicnn"
EXCERPT_S = 3.2
"""Of every song: one window of musicnn, so that a song costs some 20 ms."""
_RATE_HZ = 16000
_N_TRACKS = 4
_STRIDE = 7919  # samples; a prime, so that the places differ until a track has no more


@dataclass(frozen=True, kw_only=True)
class Soundness:
    """What a cache lacks, and what it has wrong.

    Attributes
    ----------
    lost : int
        Files that are not there with an embedding of their own.
    wrong : int
        Embeddings that are damaged, that differ from the right ones, or that belong to no file.
    twice : int
        Recordings that a reader is given more than once.
    """

    lost: int
    wrong: int
    twice: int


@dataclass(kw_only=True)
class Library:
    """A cache and a folder of songs, of which there may come more.

    Attributes
    ----------
    root : Path
        The cache.
    folder : Path
        The songs.
    paths : list of str
        Of all songs, in the order in which they came.
    excerpt_s : float
        How long they are.
    """

    root: Path
    folder: Path
    paths: list[str] = field(default_factory=list)
    excerpt_s: float = EXCERPT_S

    @classmethod
    def make(cls, work: Path, name: str, n_songs: int = 0) -> Library:
        """Make a cache in `work`/`name`, and its songs; the encoder is compiled once, in `work`."""
        base = work / name
        shutil.rmtree(base, ignore_errors=True)
        prepare_encoder(ENCODER, root=work)
        library = cls(root=base / "cache", folder=base / "music")
        shutil.copytree(work / "encoders", library.root / "encoders")
        library.folder.mkdir()
        library.add(n_songs)
        return library

    def add(self, n_songs: int) -> None:
        """Add songs: excerpts of the demo's tracks, each at a place of its own."""
        for number in range(len(self.paths), len(self.paths) + n_songs):
            path = self.folder / f"{number:05}.wav"
            with wave.open(str(path), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(_RATE_HZ)
                file.writeframes(_excerpt(number, self.excerpt_s).tobytes())
            self.paths.append(str(path))

    def add_synthetic(self, n_songs: int) -> None:
        """Add songs without music.

        They are only for `score`, which keeps its decisions of a large library alone.
        """
        first = len(self.paths)
        add_songs(self.root, self.folder, first, n_songs, n_songs)
        self.paths += [
            str(song_path(self.folder, number)) for number in range(first, first + n_songs)
        ]

    def command(self, *arguments: str | Path) -> list[str]:
        """Return the command on this cache."""
        return [*COMMAND, "--cache", str(self.root), *map(str, arguments)]

    @cached_property
    def prepared(self) -> PreparedEncoder:
        """The encoder, compiled."""
        return prepare_encoder(ENCODER, root=self.root)

    @property
    def store(self) -> EmbeddingStore:
        """The embeddings."""
        prepared = self.prepared
        return EmbeddingStore(
            self.root, encoder=prepared.name, fingerprint=prepared.fingerprint, dim=prepared.dim
        )

    @property
    def catalog(self) -> Catalog:
        """The files."""
        return Catalog(self.root)

    def embedded(self) -> set[str]:
        """Return the digests of which the store has an embedding."""
        return set(self.store.held())

    def known(self) -> set[str]:
        """Return the songs that the catalog knows and the store has."""
        held = self.embedded()
        return {path for path, row in self.catalog.load().items() if row.digest in held}

    def check(self, reference: Library | None = None) -> Soundness:
        """Compare the cache with what it should hold.

        Compare its vectors with those of another cache.
        """
        rows = self.catalog.load()
        digests = {path: rows[path].digest for path in self.paths if path in rows}
        names, vectors = self.store.matrix()
        wrong = sum(len(store.damaged) for store in verify_cache(self.root))
        wrong += len(set(names) - set(digests.values()))
        if reference is not None:
            right = dict(zip(*reference.store.matrix(), strict=True))
            here = dict(zip(names, vectors, strict=True))
            wrong += sum(
                not np.array_equal(here[name], right[name]) for name in here.keys() & right.keys()
            )
        there = set(names)
        lost = sum(digests.get(path) not in there for path in self.paths)
        lost += len(digests) - len(set(digests.values()))  # every song is another recording
        return Soundness(lost=lost, wrong=wrong, twice=len(names) - len(there))


def _excerpt(number: int, seconds: float) -> NDArray[np.int16]:
    """Cut an excerpt: no two begin at one place of one track, or one of them would look lost."""
    tracks = _tracks()
    track = tracks[number % len(tracks)]
    n_samples = round(seconds * _RATE_HZ)
    start = number // len(tracks) * _STRIDE % (len(track) - n_samples)
    return track[start : start + n_samples]


@cache
def _tracks() -> list[NDArray[np.int16]]:
    """Decode a few of the demo's tracks, 30 s each, once."""
    import soxr

    tracks = []
    for path in demo_tracks()[:_N_TRACKS]:
        info = probe(os.fspath(path))
        (samples,) = read_spans(info, [Span(start=0, stop=info.n_samples)])
        at_rate = soxr.resample(samples, info.rate_hz, _RATE_HZ)
        tracks.append((np.clip(at_rate, -1, 1) * 32767).astype("<i2"))
    return tracks
