"""The cached song vectors of an encoder, for work of one's own: `embed.open_embeddings`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cache import Catalog, EmbeddingStore, VectorReader, default_root, open_stores
from embed.encoders.composite import encoder_names
from embed.encoders.preparing import encoders_folder, last_fingerprint
from embed.encoders.registry import encoder_spec
from embed.errors import EmbedError, EncoderUnavailable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Embeddings", "open_embeddings"]


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Embeddings:
    """The songs that an encoder has embedded, one in each row.

    Attributes
    ----------
    encoder, fingerprint : str
        Of several encoders, joined by +.
    digests : tuple of str
        Names of the recordings, sorted, each once.
    paths : tuple of str or None
        A file of each, one that is there if there is any; None where no file is known.
    matrix : ndarray, shape (n_songs, dim), float32
        Song vectors: mean and standard deviation of each song's embeddings, so that `dim` is twice
        an embedding's; those of several encoders stand side by side. Not standardised.
    """

    encoder: str
    fingerprint: str
    digests: tuple[str, ...]
    paths: tuple[str | None, ...]
    matrix: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.digests)

    def __repr__(self) -> str:
        return f"<Embeddings of {self.encoder}: {len(self)} songs, matrix {self.matrix.shape}>"


def open_embeddings(encoder: str = "default", *, root: str | Path | None = None) -> Embeddings:
    """Read the song vectors that are cached of an encoder, with the songs' names and files.

    Nothing is embedded, compiled or downloaded. The demo's songs are among them where it has run.

    Parameters
    ----------
    encoder : str
        See `embed.ENCODERS`; several joined by + give the songs that all of them have embedded.
    root : path or URI, optional
        The cache; default: this user's.

    Returns
    -------
    Embeddings

    Raises
    ------
    EncoderError
        If there is no such encoder.
    EmbedError
        If no song is embedded with it; the message has the remedy.
    CacheError
        If the cache can't be read.

    Examples
    --------
    >>> import embed
    >>> songs = embed.open_embeddings("musicnn")
    >>> len(songs.digests), len(songs.paths), songs.matrix.shape, songs.matrix.dtype
    (28, 28, (28, 848), dtype('float32'))
    """
    base = default_root() if root is None else root
    there = open_stores(base)
    stores = [_store_of(name, there, base) for name in encoder_names(encoder)]
    reader = VectorReader.side_by_side(store.reader() for store in stores)
    if not len(reader):
        raise _nothing_embedded("+".join(store.encoder for store in stores), there, base)
    digests = tuple(sorted(reader.digests.to_pylist()))
    paths = Catalog(base).files().paths_of(digests)
    return Embeddings(
        encoder="+".join(store.encoder for store in stores),
        fingerprint="+".join(store.fingerprint for store in stores),
        digests=digests,
        paths=tuple(paths.get(digest) for digest in digests),
        matrix=reader.vectors_of(digests)[1],
    )


def _store_of(name: str, there: Iterable[EmbeddingStore], root: str | Path) -> EmbeddingStore:
    """Return what an encoder has embedded; of its versions, what the one in use has."""
    stores = {store.fingerprint: store for store in there if store.encoder == name}
    if not stores:
        raise _nothing_embedded(name, there, root)
    return stores.get(_fingerprint_in_use(name, root), next(reversed(stores.values())))


def _fingerprint_in_use(name: str, root: str | Path) -> str:
    try:
        spec = encoder_spec(name)
        return spec.fingerprint(spec.locate())
    except EncoderUnavailable:
        return last_fingerprint(encoders_folder(root), name)


def _nothing_embedded(name: str, there: Iterable[EmbeddingStore], root: str | Path) -> EmbedError:
    others = ", ".join(sorted({store.encoder for store in there}))
    instead = f"; there are embeddings of {others}" if others else ""
    return EmbedError(
        f"no song in the cache at {root} is embedded with {name}{instead}: run 'sevensongs embed "
        f"--encoder {name} PATH'"
    )
