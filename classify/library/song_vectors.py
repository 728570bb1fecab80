"""Song vectors of one encoder, or of several side by side, as if one store held them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from cache import EmbeddingStore, VectorReader, is_fingerprint, open_stores
from classify.errors import TasteError
from classify.taste.taste import Taste
from classify.taste.vectors import Vectors
from embed import ENCODERS, MAX_PARTS, PreparedEncoders, split_encoder

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["SongVectors"]


class SongVectors:
    """The cached song vectors of an encoder.

    Those of several encoders, such as ``musicnn+yamnet``, stand one beside the other.

    Parameters
    ----------
    stores : sequence of EmbeddingStore
        One for each encoder, at least one, in the order in which their vectors stand in a song's.
    """

    def __init__(self, stores: Sequence[EmbeddingStore]) -> None:
        self.stores = tuple(stores)

    @classmethod
    def of_encoders(cls, prepared: PreparedEncoders, root: str | Path) -> SongVectors:
        """Open what encoders have embedded."""
        return cls(
            [
                EmbeddingStore(root, encoder=part.name, fingerprint=part.fingerprint, dim=part.dim)
                for part in prepared.parts
            ]
        )

    @classmethod
    def of_taste(cls, taste: Taste, root: str | Path) -> SongVectors:
        """Open the song vectors that a taste can score; the taste may come from a stranger.

        Raises
        ------
        TasteError
            If the taste's encoder and fingerprint are none of ours, or the cache has its
            fingerprints in other widths.
        """
        names, fingerprints = split_encoder(taste.encoder), taste.fingerprint.split("+")
        if (
            # such as `musicnn+yamnet`, never the other way round
            names != tuple(sorted(set(names)))
            or not all(names)
            or not len(names) == len(fingerprints) <= MAX_PARTS
            or not all(map(is_fingerprint, fingerprints))
            or taste.dim % 2
        ):
            raise TasteError(
                f"the taste is for {taste.encoder!r:.80} ({taste.fingerprint!r:.80}) with song "
                f"vectors of {taste.dim} numbers; a name, 16 hex digits and an even number are "
                "needed, or sorted names and as many 16 hex digits, joined by +: train one again"
            )
        parts = list(zip(names, fingerprints, strict=True))
        return cls(
            [
                EmbeddingStore(root, encoder=name, fingerprint=fingerprint, dim=dim)
                for (name, fingerprint), dim in zip(parts, _dims(taste, parts, root), strict=True)
            ]
        )

    @property
    def encoder(self) -> str:
        """The encoders' names, joined by +."""
        return "+".join(store.encoder for store in self.stores)

    @property
    def fingerprint(self) -> str:
        """Their fingerprints, joined by +."""
        return "+".join(store.fingerprint for store in self.stores)

    @property
    def blocks(self) -> tuple[int, ...]:
        """How many numbers of a song vector each encoder makes.

        They are the mean and the deviation of its embeddings.
        """
        return tuple(2 * store.dim for store in self.stores)

    def open(self, digests: Sequence[str] | pa.Array | None = None) -> VectorReader:
        """Open what every encoder has embedded by now, in columns and blocks.

        Parameters
        ----------
        digests : sequence of str or pyarrow.StringArray, optional
            Only these recordings, which of a large library is faster; default: all.

        Raises
        ------
        CacheError
            If a store can't be read.
        """
        return VectorReader.side_by_side(store.reader(digests) for store in self.stores)

    def held(self, digests: Sequence[str] | None = None) -> dict[str, int]:
        """Return the recordings that every encoder has embedded, each with its poorest coverage.

        See `VectorReader.held`.
        """
        return self.open(digests).held(digests)

    def matrix(self, digests: Sequence[str]) -> tuple[list[str], Vectors]:
        """Read song vectors, shape (n, sum(blocks)), float32; see `VectorReader.vectors_of`."""
        return self.open(digests).vectors_of(digests)


def _dims(taste: Taste, parts: Sequence[tuple[str, str]], root: str | Path) -> list[int]:
    """Tell how wide each encoder's embeddings are, as a taste knows only the sum of it all."""
    stores = open_stores(root)
    of_fingerprint = {store.fingerprint: store.dim for store in stores}
    dims = [of_fingerprint.get(fingerprint) for _, fingerprint in parts]
    # What is not stored yet: the table knows its width, and the last one must fill the rest.
    for i, (name, _) in enumerate(parts):
        if dims[i] is None and dims.count(None) > 1 and name in ENCODERS:
            dims[i] = ENCODERS[name].dim
    if dims.count(None) > 1:
        unknown = " and ".join(
            name for (name, _), dim in zip(parts, dims, strict=True) if dim is None
        )
        raise TasteError(
            f"the taste needs {unknown}, which have not been used here; a model is a program, so "
            f"if you trust them, run 'sevensongs embed --encoder {quote(taste.encoder)} PATH' first"
        )
    rest = taste.dim // 2 - sum(dim for dim in dims if dim is not None)
    if (rest < 1) if None in dims else (rest != 0):
        known = ", ".join(
            f"{name} ({fingerprint}) makes {2 * dim}"
            for (name, fingerprint), dim in zip(parts, dims, strict=True)
            if dim is not None
        )
        raise TasteError(
            f"the taste is for song vectors of {taste.dim} numbers, but {known}: this is no taste "
            "of ours, train one again"
        )
    return [rest if dim is None else dim for dim in dims]
