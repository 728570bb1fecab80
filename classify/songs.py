"""The songs of a cache as training and scoring see them: catalog and one encoder's store in one."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from cache import WHOLE, Catalog, EmbeddingStore, Recording, list_stores
from classify.errors import TasteError
from classify.features import LabelledSongs
from classify.taste import Taste
from embed import (
    Failure,
    Progress,
    embed_library,
    encoder_spec,
    find_audio,
    is_compiled,
    prepare_encoder,
)

__all__ = ["DEMO_PACKAGE", "Paths", "SongLibrary", "Tell", "same_encoder"]

Paths = Sequence[str | os.PathLike[str]]
Tell = Callable[[Progress], None]

DEMO_PACKAGE = "immich_memories_music"
_DEMO_PART = f"{os.sep}{DEMO_PACKAGE}{os.sep}tracks{os.sep}"
# What taggers write where they don't know the artist; such songs have nothing in common.
_NOBODY = frozenset({"various artists", "various", "unknown artist", "unknown", "<unknown>", "va"})
_LONG_S = 60.0
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")


class SongLibrary:
    """One cache and one encoder.

    Parameters
    ----------
    root : path or URI
    encoder, fingerprint : str
    dim : int
        Width of an embedding; a song vector is twice as wide.
    """

    def __init__(self, root: str | Path, *, encoder: str, fingerprint: str, dim: int) -> None:
        self.root = root
        self.encoder = encoder
        self.fingerprint = fingerprint
        self.store = EmbeddingStore(root, encoder=encoder, fingerprint=fingerprint, dim=dim)
        self._catalog = Catalog(root)

    @classmethod
    def of_taste(cls, taste: Taste, root: str | Path) -> SongLibrary:
        """Open the songs that a taste can score.

        Raises
        ------
        TasteError
            If the taste names no encoder, or the cache has its fingerprint in another width.
        """
        if not taste.encoder or not _FINGERPRINT.fullmatch(taste.fingerprint) or taste.dim % 2:
            raise TasteError(
                f"the taste is for {taste.encoder!r:.80} ({taste.fingerprint!r:.40}) with song vectors of "
                f"{taste.dim} numbers; a name, 16 hex digits and an even number are needed: train one again"
            )
        for info in list_stores(root):
            if info.fingerprint == taste.fingerprint and 2 * info.dim != taste.dim:
                raise TasteError(
                    f"the taste is for song vectors of {taste.dim} numbers, but {info.encoder} "
                    f"({info.fingerprint}) makes {2 * info.dim}: this is no taste of ours, train one again"
                )
        return cls(root, encoder=taste.encoder, fingerprint=taste.fingerprint, dim=taste.dim // 2)

    def rows(self, paths: Paths) -> list[Recording]:
        """Return the catalog's rows of the audio files among `paths` that have a digest."""
        files = find_audio(paths).files
        known = self._catalog.lookup(files)
        return [known[path] for path in files if path in known and known[path].digest]

    def all_rows(self) -> list[Recording]:
        """Return the catalog's rows of this encoder's songs; the demo's only where there are no others."""
        held = self.store.held()
        rows = [row for row in self._catalog.load().values() if row.digest in held]
        return [row for row in rows if _DEMO_PART not in row.path] or rows

    def digests(self, paths: Paths) -> list[str]:
        """Return the recordings of `paths`, each once."""
        return list(dict.fromkeys(row.digest for row in self.rows(paths) if row.digest))

    def songs(self, digests: Iterable[str]) -> LabelledSongs:
        """Read song vectors, with the groups that tags tell."""
        names, vectors = self.store.matrix(list(digests))
        groups = self._groups()
        return LabelledSongs(
            digests=tuple(names), vectors=vectors, groups=tuple(groups.get(name, name) for name in names)
        )

    def coverage(self) -> str | int:
        """Return the coverage that most of this encoder's songs have, so that new ones get the same.

        The standard deviation over few windows is smaller than over many, so vectors of different coverage
        should not be mixed more than need be.
        """
        held = self.store.held()
        counts: Counter[int] = Counter()
        for row in self.all_rows():
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
        held = self.store.held()
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
            If songs are embedded with another encoder only: to embed a library anew is the user's
            decision. If the taste names a model of its own (``hub:``) that is not in use here: a model is a
            program, and a taste may come from a stranger. If its encoder has changed since.
        """
        found = find_audio(paths)
        known = self._catalog.lookup(found.files)
        held = self.store.held()
        current = {path: _current_digest(known.get(path)) for path in found.files}
        missing = {path: digest for path, digest in current.items() if digest not in held}
        if not missing:
            return
        self._refuse_foreign({digest for digest in missing.values() if digest})
        if taste.encoder.startswith("hub:") and not is_compiled(taste.fingerprint, root=self.root):
            raise TasteError(
                f"the taste needs the model {taste.encoder}, which has not been used here; a model is a "
                f"program, so if you trust it, run 'sevensongs embed --encoder {taste.encoder} PATH' first"
            )
        prepared = prepare_encoder(taste.encoder, root=self.root)
        taste.require(encoder=prepared.name, fingerprint=prepared.fingerprint)

    def _refuse_foreign(self, digests: set[str]) -> None:
        for other in list_stores(self.root):
            if other.fingerprint == self.fingerprint or other.encoder == self.encoder or not digests:
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

    def require_songs(self) -> None:
        """Refuse a cache without a song of this encoder.

        Raises
        ------
        TasteError
        """
        if not self.store.held():
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
    """Whether an encoder that a user names is the one a taste was trained on."""
    return encoder_spec(name).name == taste.encoder
