"""The songs of a cache as training and scoring see them: catalog and song vectors in one."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import numpy as np

from cache import (
    WHOLE,
    Catalog,
    CatalogFiles,
    EmbeddingStore,
    FileRecord,
    StoredObject,
    is_large,
    is_there,
    list_stores,
    open_stores,
)
from classify.errors import TasteError
from classify.learning.examples import LabelledSongs
from classify.learning.sampling import sample_unlabelled
from classify.library.artist_groups import Groups
from classify.library.library_files import DEMO_PACKAGE, LibraryFiles, one_there
from classify.library.song_vectors import SongVectors
from classify.taste.taste import Taste
from embed import (
    EncoderError,
    Failure,
    PreparedEncoders,
    encoder_name,
    find_audio,
    first_windows,
    is_compiled,
    is_own_model,
    prepare_encoders,
    stored_spec,
)

if TYPE_CHECKING:
    from embed import Progress

__all__ = ["DEMO_PACKAGE", "SongLibrary", "Tell", "same_encoder"]

Tell = Callable[["Progress"], None]

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
        self.catalog = Catalog(root)

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
    def fingerprint(self) -> str:
        """The encoders' fingerprints, joined by + as the names are."""
        return "+".join(store.fingerprint for store in self.vectors.stores)

    @property
    def blocks(self) -> tuple[int, ...]:
        """How many numbers of a song vector each encoder makes."""
        return self.vectors.blocks

    def files(self, paths: Sequence[str] | None = None) -> LibraryFiles:
        """Open the audio files that have a vector, in columns.

        Parameters
        ----------
        paths : sequence of path, optional
            Which; default: all, the demo's only where there are no others.

        Raises
        ------
        CacheError
            If the cache can't be read.
        """
        if paths is not None:
            files = self.catalog.files(find_audio(paths).paths)
            return LibraryFiles.of(files, self.vectors.open(files.digests))
        return LibraryFiles.of(self.catalog_files(), self.vectors.open()).without_demo()

    def n_recordings(self) -> int:
        """Count the recordings that have a vector, the demo's only where there are no others."""
        return self.files().n_recordings

    def sampled(self, *, exclude: Collection[str] = (), seed: int = 0) -> tuple[str, ...]:
        """Choose unlabelled songs of all; see `sample_unlabelled`."""
        return sample_unlabelled(self.files().digests, exclude=exclude, seed=seed)

    def n_gone(self, *, without: Sequence[str] = ()) -> tuple[int, int]:
        """Count the recordings but some, and those that have gone; see `LibraryFiles.n_gone`."""
        return self.files().without(without).n_gone()

    def n_lacking(self, files: LibraryFiles | None = None) -> int:
        """Count the songs that are there and are embedded for other encoders only, or for a part.

        Parameters
        ----------
        files : LibraryFiles, optional
            Of the whole library, where `files` has returned them already.

        Raises
        ------
        CacheError
            If the cache can't be read.
        """
        return self.n_lacking_of((self.files() if files is None else files).left_out())

    def n_lacking_of(self, others: Mapping[str, str]) -> int:
        """Count the songs that are there and that some other encoder has embedded.

        Parameters
        ----------
        others : mapping of str to str
            Recordings without a vector of this encoder, each with a path.
        """
        held: set[str] = set()
        for store in open_stores(self.root) if others else ():
            held |= store.held(list(others)).keys()
        return sum(is_there(others[digest]) for digest in held)

    @property
    def is_large(self) -> bool:
        """Whether the library has too many songs for columns in memory; see `cache.is_large`."""
        return is_large(self.vectors.stores, self.catalog)

    def catalog_files(self) -> CatalogFiles:
        """Open all files that are known, in columns, also those without a vector."""
        return self.catalog.files()

    def files_with(self, digests: Iterable[str]) -> CatalogFiles:
        """Open the files of some recordings, and perhaps others."""
        return self.catalog.files_with(digests)

    def rows(self, paths: Sequence[str]) -> list[FileRecord]:
        """Return the catalog's rows of the audio files among `paths` that have a vector."""
        return self.files(paths).recordings()

    def paths_of(self, digests: Iterable[str]) -> dict[str, str]:
        """Return a path of each recording of which a file is known; see `CatalogFiles.paths_of`."""
        wanted = list(digests)
        return self.files_with(wanted).paths_of(wanted)

    def files_of(self, digests: Sequence[str]) -> list[FileRecord]:
        """Return all files of some recordings, in the order in which they came."""
        return self.files_with(digests).files_of(digests)

    def file_of(self, digest: str) -> FileRecord | None:
        """Return a file of a recording, one that is there if there is any.

        Return None where no file is known.
        """
        return one_there(self.files_of([digest]))

    def digests(self, paths: Sequence[str]) -> list[str]:
        """Return the recordings of `paths`, each once."""
        return self.files(paths).digests

    def songs(self, digests: Iterable[str]) -> LabelledSongs:
        """Read song vectors, with the groups that tags tell."""
        names, vectors = self.vectors.matrix(list(digests))
        groups = self._groups_of(names)
        return LabelledSongs(
            digests=tuple(names),
            vectors=vectors,
            groups=tuple(groups.get(name, name) for name in names),
        )

    def _groups_of(self, digests: Sequence[str]) -> dict[str, str]:
        return Groups(self.catalog_files()).of(digests)

    def coverage(self) -> dict[str, str | int]:
        """Return the coverage that most of each encoder's songs have.

        New songs get the same, as vectors of fewer windows than a scan's are less sure. Where most
        have had a first look only, the rest of a scan is due.

        Returns
        -------
        dict of str to str or int
            By encoder; ``scan`` where it has embedded nothing from which this could be told.
        """
        return {store.encoder: self._usual_coverage(store) for store in self.vectors.stores}

    def _usual_coverage(self, store: EmbeddingStore) -> str | int:
        files = LibraryFiles.of(self.catalog.files(), store.reader()).without_demo()
        n_windows = files.vectors.n_windows[files.at]
        if WHOLE in n_windows:
            # A short song is covered wholly by a scan too, so it does not tell what was asked for.
            long = (
                np.nan_to_num(files.column("duration_s").to_numpy(zero_copy_only=False)) > _LONG_S
            )
            n_windows = n_windows[long | (n_windows != WHOLE)]
        values, first, counts = np.unique(n_windows, return_index=True, return_counts=True)
        if not len(values):
            return "scan"
        usual = int(values[np.lexsort((first, -counts))[0]])  # of two, the one that came first
        if usual == WHOLE:
            return "full"
        return "scan" if self._is_first_look(store, usual) else usual

    def _is_first_look(self, store: EmbeddingStore, n_windows: int) -> bool:
        """Whether so many windows are what a scan has heard that was interrupted early."""
        try:
            spec = stored_spec(store.encoder, store.fingerprint, root=self.root)
        except EncoderError:
            return False  # a model that is not there now
        return n_windows == first_windows(spec)

    def embed_missing(
        self,
        paths: Sequence[str],
        workers: int | None = None,
        progress: Tell | None = None,
        *,
        taste: Taste | None = None,
        whole: bool = False,
        picked: bool = False,
    ) -> tuple[Failure, ...]:
        """Embed what has no vector yet, at the coverage of the rest; leave what has one as it is.

        Parameters
        ----------
        paths, workers, progress
            See `classify.score`.
        taste : Taste, optional
            What it is done for.
        whole : bool
            Hear all of each song instead, also of those that have a vector of less.
        picked : bool
            That they are a few songs somebody picked, and no library that would be embedded anew.

        Raises
        ------
        TasteError
            If to embed for this taste is not what the user asked for: if most songs are embedded
            with another encoder only, as to embed a library anew is the user's decision; if the
            taste names a model of its own (``hub:``, ``onnx:``, ``tflite:``) that is not in use
            here, as a model is a program, and a taste may come from a stranger; if its encoder has
            changed since, or makes song vectors of another width.
        """
        found = find_audio(paths)
        known, objects = self.catalog.lookup(found.paths), found.objects.by_address()
        current = {
            path: _current_digest(known.get(path), objects.get(path)) for path in found.paths
        }
        held = self.vectors.held([digest for digest in current.values() if digest])
        missing = [path for path in current if not _is_held(held, current[path], whole)]
        if not missing:
            return found.failures
        if taste is not None:
            if not picked:
                digests = {digest for digest in current.values() if digest}
                self._refuse_foreign(digests - held.keys(), n_held=len(digests & held.keys()))
            self.prepared_for(taste)
        from embed import embed_library  # a song that is cached needs no decoder

        report = embed_library(
            missing,
            root=self.root,
            encoder=self.encoder,
            coverage="full" if whole else self.coverage(),
            first_look=False,  # whoever asked waits for all of them
            workers=workers,
            progress=progress,
        )
        return (*found.failures, *report.failed)

    def prepared_for(self, taste: Taste) -> PreparedEncoders:
        """Have the encoders of a taste ready, to embed what it shall score.

        Raises
        ------
        TasteError
            If it names a model of its own that is not in use here, its encoder has changed since,
            or makes song vectors of another width.
        EncoderUnavailable
            If an encoder's weights can't be had.
        """
        self._refuse_strange_models()
        prepared = prepare_encoders(taste.encoder, root=self.root)
        taste.require(encoder=prepared.name, fingerprint=prepared.fingerprint)
        widths = tuple(2 * part.dim for part in prepared.parts)
        if widths != self.blocks:
            raise TasteError(
                f"the taste is for song vectors of {' + '.join(map(str, self.blocks))} numbers, "
                f"but {prepared.name} makes {' + '.join(map(str, widths))}: this is no taste of "
                "ours, train one again"
            )
        return prepared

    def _refuse_foreign(self, missing: set[str], *, n_held: int) -> None:
        """Refuse where more songs have a vector of another encoder only than have one of this one.

        A few may lack it because this encoder failed on them; they must not stop the rest.
        """
        ours = {store.encoder: store.fingerprint for store in self.vectors.stores}
        n_foreign: dict[str, int] = {}
        for other in open_stores(self.root) if missing else ():
            # An older version of our encoder is no other one, nor is the same model under another
            # name.
            if ours.get(other.encoder) != other.fingerprint and (
                other.encoder in ours or other.fingerprint in ours.values()
            ):
                continue
            n_songs = len(other.held(sorted(missing)))
            n_foreign[other.encoder] = max(n_songs, n_foreign.get(other.encoder, 0))
        name = max(n_foreign, key=n_foreign.__getitem__, default="")
        if name and n_foreign[name] > n_held:
            raise TasteError(
                f"{n_foreign[name]} of these songs are embedded with {name} and not with "
                f"{self.encoder}, on which the taste was trained: run 'sevensongs embed --encoder "
                f"{quote(self.encoder)} PATH', or train a taste with --encoder {name}"
            )

    def _refuse_strange_models(self) -> None:
        """Refuse models that nobody has used here under this name.

        A fingerprint alone is easily copied.
        """
        used = {(other.encoder, other.fingerprint) for other in open_stores(self.root)}
        for store in self.vectors.stores:
            in_use = (store.encoder, store.fingerprint) in used and is_compiled(
                store.fingerprint, root=self.root
            )
            if is_own_model(store.encoder) and not in_use:
                raise TasteError(
                    f"the taste needs the model {store.encoder}, which has not been used here; a "
                    "model is a program, so if you trust it, run 'sevensongs embed --encoder "
                    f"{quote(self.encoder)} PATH' first"
                )

    def require_songs(self) -> None:
        """Refuse a cache without a song of this encoder.

        Raises
        ------
        TasteError
        """
        if not len(self.vectors.open()):
            others = sorted({s.encoder for s in list_stores(self.root) if s.n_songs})
            instead = f", or train a taste with --encoder {others[0]}" if others else ""
            raise TasteError(
                f"the taste was trained on {self.encoder}, and no song in the cache is embedded "
                f"with that: run 'sevensongs embed --encoder {quote(self.encoder)} PATH'{instead}"
            )


def _is_held(held: Mapping[str, int], digest: str | None, whole: bool) -> bool:
    return digest is not None and digest in held and not (whole and held[digest] != WHOLE)


def _current_digest(row: FileRecord | None, stored: StoredObject | None) -> str | None:
    """Return the digest of a catalog row whose file, or object, has not changed since."""
    if row is None or row.digest is None:
        return None
    try:
        status = os.stat(row.path) if stored is None else stored.state
    except OSError:
        return None
    return row.digest if row.is_still(status) else None


def same_encoder(name: str, taste: Taste) -> bool:
    """Whether a taste was trained on the encoder that a user names.

    That may be the composite.
    """
    return encoder_name(name) == taste.encoder
