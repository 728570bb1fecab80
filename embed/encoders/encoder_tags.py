"""The tags of a compiled encoder from embeddings alone.

Nothing is compiled, and the encoder's network is not opened.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from embed.encoders.manifest import read_manifest
from embed.encoders.preparing import encoders_folder
from embed.encoders.registry import ENCODERS
from embed.encoders.runtime import read_constants

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from embed.encoders.registry import EncoderSpec

__all__ = ["OwnTags"]


@dataclass(frozen=True, kw_only=True, eq=False)
class OwnTags:
    """What `Encoder.tags` and `Encoder.tag_scores` are, at a tenth of the price.

    Attributes
    ----------
    names : tuple of str
    """

    names: tuple[str, ...]
    _spec: EncoderSpec
    _constants: Mapping[str, NDArray[np.float32]]

    @classmethod
    def of(cls, name: str, fingerprint: str, *, root: str | Path | None = None) -> OwnTags | None:
        """Open the tags of an encoder.

        Parameters
        ----------
        name : str
            See `encoder_spec`; a ``hub:`` model has no tags that are known.
        fingerprint : str
            Of its embeddings.
        root : path or URI, optional
            The cache.

        Returns
        -------
        OwnTags or None
            None where it has no tags, or is not compiled for this cache.

        Raises
        ------
        EncoderError
            If what is compiled is damaged.
        """
        spec = ENCODERS.get(name.partition(":")[0])
        if spec is None or spec.tag_scores is None:
            return None
        folder = encoders_folder(root) / fingerprint
        manifest = read_manifest(folder)
        if manifest is None or not manifest.tags:
            return None
        return cls(names=manifest.tags, _spec=spec, _constants=read_constants(folder))

    def scores(self, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score the tags for embeddings, shape (n, dim): (n, n_tags), in [0, 1]."""
        assert self._spec.tag_scores is not None
        return self._spec.tag_scores(np.asarray(embeddings, dtype=np.float32), self._constants)
