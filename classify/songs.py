"""The songs of a cache as training and scoring see them: catalog and song vectors in one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from cache import WHOLE, Catalog, EmbeddingStore, Recording, list_stores
from classify.errors import TasteError
from classify.features import LabelledSongs
from classify.taste import Taste
from classify.vectors import SongVectors
from embed import (
    Failure,
    PreparedEncoders,
    Progress,
    embed_library,
    encoder_name,
    find_audio,
    is_compiled,
    prepare_encoders,
)

__all__ = ["DEMO_PACKAGE", "Paths", "SongLibrary", "Tell", "same_encoder"]

Paths = Sequence[str | os.PathLike[str]]
Tell = Callable[[Progress], None]

DEMO_PACKAGE = "immich_memories_music"
_DEMO_PART = f"{os.sep}{DEMO_PACKAGE}{os.sep}tracks{os.sep}"
# What taggers write where they don't know the artist; such songs have nothing in common.
_NOBODY = frozenset({"various artists", "various", "unknown artist", "unknown", "<unknown>", "va"})
_LONG_S = 60.0


class SongLibrary:
    """One cache and one encoder, or several that go together.

    Parameters
    ----------
    root : path or URI
    vectors : SongVectors
        What they have embedded.
    """

    def __init__(self, root: str | Path, vectors: SongVectors) -> None:
        self.root = root
        self.vectors = vectors
        self._catalog = Catalog(root)

    @classmethod
    def of_encoders(cls, prepared: PreparedEncoders, root: str | Path) -> SongLibrary:
        """Open the songs that encoders have embedded."""
        return cls(root, SongVectors.of_encoders(prepared, root))

    @classmethod
    def of_taste(cls, taste: Taste, root: str | Path) -> SongLibrary:
        """Open the songs that a taste can score.

        Raises
        ------
        TasteError
            If the taste names no encoder, or the cache has its fingerprint in another width.
        """
        return cls(root, SongVectors.of_taste(taste, root))

    @property
    def encoder(self) -> str:
        """The encoders' names, joined by +."""
        return self.vectors.encoder

    @property
    def blocks(self) -> tuple[int, ...]:
        """How many numbers of a song vector each encoder makes."""
        return self.vectors.blocks

    def rows(self, paths: Paths) -> list[Recording]:
        """Return the catalog's rows of the audio files among `paths` that have a vector."""
        files = find_audio(paths).files
        known = self._catalog.lookup(files)
        held = self.vectors.held()
        return [known[path] for path in files if path in known and known[path].digest in held]

    def all_rows(self) -> list[Recording]:
        """Return the rows of all songs that have a vector; the demo's only where there are no others."""
        return self._rows_in(self.vectors.held())

    def _rows_in(self, held: Mapping[str, int]) -> list[Recording]:
        rows = [row for row in self._catalog.load().values() if row.digest in held]
        return [row for row in rows if _DEMO_PART not in row.path] or rows

    def paths_of(self, digests: Iterable[str]) -> list[str]:
        """Return a path of each recording, or its digest where no file is known."""
        known = {row.digest: row.path for row in self._catalog.load().values() if row.digest}
        return [known.get(digest, digest) for digest in digests]

    def digests(self, paths: Paths) -> list[str]:
        """Return the recordings of `paths`, each once."""
        return list(dict.fromkeys(row.digest for row in self.rows(paths) if row.digest))

    def songs(self, digests: Iterable[str]) -> LabelledSongs:
        """Read song vectors, with the groups that tags tell."""
        names, vectors = self.vectors.matrix(list(digests))
        groups = self._groups()
        return LabelledSongs(
            digests=tuple(names), vectors=vectors, groups=tuple(groups.get(name, name) for name in names)
        )

    def coverage(self) -> dict[str, str | int]:
        """Return the coverage that most of each encoder's songs have, so that new ones get the same.

        The standard deviation over few windows is smaller than over many, so vectors of different coverage
        should not be mixed more than need be.

        Returns
        -------
        dict of str to str or int
            By encoder; ``scan`` where it has embedded nothing from which this could be told.
        """
        return {store.encoder: self._usual_coverage(store) for store in self.vectors.stores}

    def _usual_coverage(self, store: EmbeddingStore) -> str | int:
        held = store.held()
        counts: Counter[int] = Counter()
        for row in self._rows_in(held):
            n_windows = held[row.digest or ""]
            # A short song is covered wholly by a scan too, so it does not tell what was asked for.
            if n_windows != WHOLE or (row.duration_s or 0) > _LONG_S:
                counts[n_windows] += 1
        if not counts:
            return "scan"
        usual = counts.most_common(1)[0][0]
        return "full" if usual == WHOLE else usual

    def embed_missing(
        self, paths: Paths, workers: int | None = None, progress: Tell | None = None
    ) -> tuple[Failure, ...]:
        """Embed what has no vector yet, at the coverage of the rest; leave what has one as it is."""
        found = find_audio(paths)
        known = self._catalog.lookup(found.files)
        held = self.vectors.held()
        missing = [path for path in found.files if _current_digest(known.get(path)) not in held]
        if not missing:
            return found.failures
        report = embed_library(
            missing,
            root=self.root,
            encoder=self.encoder,
            coverage=self.coverage(),
            workers=workers,
            progress=progress,
        )
        return (*found.failures, *report.failed)

    def require_encoder_of(self, taste: Taste, paths: Paths) -> None:
        """Refuse to embed for a taste where that is not what the user asked for.

        Raises
        ------
        TasteError
            If most songs are embedded with another encoder only: to embed a library anew is the user's
            decision. If the taste names a model of its own (``hub:``) that is not in use here: a model is a
            program, and a taste may come from a stranger. If its encoder has changed since, or makes
            song vectors of another width.
        """
        found = find_audio(paths)
        known = self._catalog.lookup(found.files)
        held = self.vectors.held()
        current = [_current_digest(known.get(path)) for path in found.files]
        if all(digest in held for digest in current):
            return
        digests = {digest for digest in current if digest}
        self._refuse_foreign(digests - held.keys(), n_held=len(digests & held.keys()))
        self._refuse_strange_models()
        prepared = prepare_encoders(taste.encoder, root=self.root)
        taste.require(encoder=prepared.name, fingerprint=prepared.fingerprint)
        widths = tuple(2 * part.dim for part in prepared.parts)
        if widths != self.blocks:
            raise TasteError(
                f"the taste is for song vectors of {' + '.join(map(str, self.blocks))} numbers, but "
                f"{prepared.name} makes {' + '.join(map(str, widths))}: this is no taste of ours, train one "
                "again"
            )

    def _refuse_foreign(self, missing: set[str], *, n_held: int) -> None:
        """Refuse where more songs have a vector of another encoder only than have one of this one.

        A few may lack it because this encoder failed on them; they must not stop the rest.
        """
        ours = {store.encoder: store.fingerprint for store in self.vectors.stores}
        n_foreign: dict[str, int] = {}
        for other in list_stores(self.root) if missing else ():
            # An older version of our encoder is no other one, nor is the same model under another name.
            if ours.get(other.encoder) != other.fingerprint and (
                other.encoder in ours or other.fingerprint in ours.values()
            ):
                continue
            store = EmbeddingStore(
                self.root, encoder=other.encoder, fingerprint=other.fingerprint, dim=other.dim
            )
            n_songs = len(missing & store.held().keys())
            n_foreign[other.encoder] = max(n_songs, n_foreign.get(other.encoder, 0))
        name = max(n_foreign, key=n_foreign.__getitem__, default="")
        if name and n_foreign[name] > n_held:
            raise TasteError(
                f"{n_foreign[name]} of these songs are embedded with {name} and not with {self.encoder}, on "
                f"which the taste was trained: run 'sevensongs embed --encoder {self.encoder} PATH', "
                f"or train a taste with --encoder {name}"
            )

    def _refuse_strange_models(self) -> None:
        """Refuse models that nobody has used here under this name; a fingerprint alone is easily copied."""
        used = {(other.encoder, other.fingerprint) for other in list_stores(self.root)}
        for store in self.vectors.stores:
            in_use = (store.encoder, store.fingerprint) in used and is_compiled(
                store.fingerprint, root=self.root
            )
            if store.encoder.startswith("hub:") and not in_use:
                raise TasteError(
                    f"the taste needs the model {store.encoder}, which has not been used here; a model is a "
                    f"program, so if you trust it, run 'sevensongs embed --encoder {self.encoder} PATH' first"
                )

    def require_songs(self) -> None:
        """Refuse a cache without a song of this encoder.

        Raises
        ------
        TasteError
        """
        if not self.vectors.held():
            others = sorted({s.encoder for s in list_stores(self.root) if s.n_songs})
            instead = f", or train a taste with --encoder {others[0]}" if others else ""
            raise TasteError(
                f"the taste was trained on {self.encoder}, and no song in the cache is embedded with that: "
                f"run 'sevensongs embed --encoder {self.encoder} PATH'{instead}"
            )

    def _groups(self) -> dict[str, str]:
        """Name each recording's group: songs that share an artist or an album, however indirectly."""
        parent: dict[str, str] = {}

        def top(name: str) -> str:
            while parent.setdefault(name, name) != name:
                # Halve the path as we go, or a folder of 10,000 songs would be a chain of that length.
                parent[name] = parent[parent[name]]
                name = parent[name]
            return name

        digests = []
        for row in self._catalog.load().values():
            names = _tag_names(row)
            if row.digest and names:
                digests.append((row.digest, names[0]))
                for name in names[1:]:
                    parent[top(name)] = top(names[0])
        return {digest: top(name) for digest, name in digests}


def _tag_names(row: Recording) -> list[str]:
    """Name a song's artist and album; an album is one of a folder, or all 'Greatest Hits' were one."""
    artist, album = (row.artist or "").casefold(), (row.album or "").casefold()
    names = [f"artist:{artist}"] if artist and artist not in _NOBODY else []
    if album and artist not in _NOBODY:
        names.append(f"album:{album}:{os.path.dirname(row.path)}")
    return names


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


def same_encoder(name: str, taste: Taste) -> bool:
    """Whether the encoder that a user names, or the composite, is the one a taste was trained on."""
    return encoder_name(name) == taste.encoder
