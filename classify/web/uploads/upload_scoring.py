"""What is made of an upload.

It is its score, which is the command's to the last digit, or its embedding.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cache import EmbeddingStore, FileRecord, covers, open_stores
from classify.errors import ClassifyError
from classify.explanation.song_explainer import explain_heard
from classify.library.song_library import SongLibrary
from classify.web.problems import Problem
from embed import (
    ENCODERS,
    EncoderError,
    EncoderSpec,
    Outline,
    WorkerCrashed,
    coverage_windows,
    embed_together,
    encoder_name,
    encoder_status,
    is_compiled,
    is_own_model,
    prepare_encoders,
    probe_file,
    split_encoder,
    stored_spec,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cache import Entry
    from classify.explanation.explanation import Explanation
    from classify.taste.taste import Taste
    from classify.web.kept_process import Call
    from classify.web.settings import ServiceSettings
    from embed import AudioInfo, PreparedEncoder, PreparedEncoders

__all__ = ["UploadEmbedding", "UploadScore", "UploadScoring"]

_FRESH_S = 1.0  # for so long the library's usual coverage is taken as known


@dataclass(frozen=True, kw_only=True)
class UploadScore:
    """What a taste says of an upload; why, where that was asked for, or a note why not."""

    info: AudioInfo
    taste: Taste
    score: float
    verdict: str
    in_library: bool
    explanation: Explanation | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class UploadEmbedding:
    """An upload's embedding.

    Attributes
    ----------
    values : ndarray, shape (n_frames, dim), float16, or (dim_vector,), float32
        Frames in time order, or the song vector.
    starts_s : ndarray, shape (n_frames,), float32, or None
        Where each frame begins, in seconds; None for a song vector.
    """

    info: AudioInfo
    encoder: str
    fingerprint: str
    values: NDArray[np.float16] | NDArray[np.float32]
    starts_s: NDArray[np.float32] | None


class UploadScoring:
    """Knows what to ask of the kept process; its methods run in the thread that owns that.

    Parameters
    ----------
    settings : ServiceSettings
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self._root = settings.root
        # The guard has counted the bytes, and says in its own words that they are too many.
        self._limits = replace(settings.limits, max_bytes=math.inf)
        self._prepared: dict[str, PreparedEncoders] = {}
        self._coverage: tuple[str, float, dict[str, str | int]] = ("", 0.0, {})

    def score(self, call: Call, path: Path, taste: Taste, *, why: bool = False) -> UploadScore:
        """Score an upload; `why`: explain its score, too.

        Raises
        ------
        AudioError
            If it gives no usable audio, or more than the limits allow.
        TasteError, EncoderUnavailable
            If the taste's encoder can't be used; see `SongLibrary.prepared_for`.
        CacheError
            If the cache can't be read.
        Problem
            422 if its decoder crashed.
        """
        info = self._probe(call, path)
        library = SongLibrary.of_taste(taste, self._root)
        held, rows = library.vectors.matrix([info.digest])
        entries = self._entries(call, library, taste, info, held=bool(held)) if why else []
        if held:
            vector = rows[0]
        elif entries:
            vector = np.concatenate([one.vector for one in entries])
        else:
            vector = self._song_vector(call, library, taste, info)
        values = taste.score(vector[np.newaxis])
        (verdict,) = taste.verdicts(values)
        found = UploadScore(
            info=info, taste=taste, score=float(values[0]), verdict=verdict, in_library=bool(held)
        )
        return self._explained(found, path, library, entries) if why else found

    def _explained(
        self, found: UploadScore, path: Path, library: SongLibrary, entries: list[Entry]
    ) -> UploadScore:
        info = found.info
        song = FileRecord(
            path=str(path),  # a random one: the client's name for it is never used
            digest=info.digest,
            duration_s=info.duration_s,
            size_bytes=0,
            mtime_ns=0,
            artist=info.tags.artist,
            title=info.tags.title,
        )
        try:
            told = explain_heard(song, entries, taste=found.taste, library=library, root=self._root)
        except ClassifyError as error:  # it has a score all the same
            return replace(found, note=str(error))
        return replace(found, explanation=told)

    def embed(
        self, call: Call, path: Path, encoder: str, *, whole_song: bool, coverage: str
    ) -> UploadEmbedding:
        """Embed an upload.

        Parameters
        ----------
        encoder : str
            One that is ready; several joined by + for a song vector.
        whole_song : bool
            The song vector, not frames.
        coverage : str
            ``scan``, ``full`` or a number of windows.

        Raises
        ------
        AudioError, CacheError, Problem
            As `score`; 409 if the encoder is not ready here, 422 if there is none of that name.
        """
        prepared = self._ready(encoder)
        if len(prepared.parts) > 1 and not whole_song:
            raise Problem(
                422, f"{prepared.name} is several encoders, each with frames of its own; name one"
            )
        info = self._probe(call, path)
        entries = self._embed(
            call, info, [(part, self._n_windows(part, coverage)) for part in prepared.parts]
        )
        first = entries[0]
        return UploadEmbedding(
            info=info,
            encoder=prepared.name,
            fingerprint=prepared.fingerprint,
            values=np.concatenate([one.vector for one in entries]) if whole_song else first.frames,
            starts_s=None if whole_song else first.starts_s,
        )

    def _probe(self, call: Call, path: Path) -> AudioInfo:
        cpu_s = self._limits.probing_s(path.stat().st_size)
        try:
            return call(probe_file, str(path), self._limits, cpu_s=cpu_s)
        except WorkerCrashed as error:
            raise Problem(422, str(error)) from error

    def _song_vector(
        self, call: Call, library: SongLibrary, taste: Taste, info: AudioInfo
    ) -> NDArray[np.float32]:
        """Embed as `SongLibrary.embed_missing` would.

        This embeds at the usual coverage, and only what is missing.
        """
        prepared = library.prepared_for(taste)
        coverage = self._usual_coverage(library)
        vectors: list[NDArray[np.float32] | None] = []
        missing: list[tuple[PreparedEncoder, int]] = []
        for store, part in zip(library.vectors.stores, prepared.parts, strict=True):
            n_windows = self._n_windows(part, coverage[part.name])
            vectors.append(_vector_held(store, info.digest, n_windows))
            if vectors[-1] is None:
                missing.append((part, n_windows))
        heard = iter(self._embed(call, info, missing))
        return np.concatenate([next(heard).vector if one is None else one for one in vectors])

    def _entries(
        self, call: Call, library: SongLibrary, taste: Taste, info: AudioInfo, *, held: bool
    ) -> list[Entry]:
        """Return what each encoder makes of an upload; what is stored of it is not heard again."""
        stored = [store.get(info.digest) for store in library.vectors.stores]
        if held:
            return [entry for entry in stored if entry is not None]
        prepared = library.prepared_for(taste)
        coverage = self._usual_coverage(library)
        wanted = [(part, self._n_windows(part, coverage[part.name])) for part in prepared.parts]
        known = [
            entry if entry is not None and covers(entry.n_windows, n) else None
            for entry, (_, n) in zip(stored, wanted, strict=True)
        ]
        missing = [task for task, entry in zip(wanted, known, strict=True) if entry is None]
        heard = iter(self._embed(call, info, missing))
        return [next(heard) if entry is None else entry for entry in known]

    def _spec(self, part: PreparedEncoder) -> EncoderSpec:
        return stored_spec(part.name, part.fingerprint, root=self._root)

    def _n_windows(self, part: PreparedEncoder, coverage: str | int) -> int:
        return coverage_windows(coverage, scan_windows=self._spec(part).scan_windows)

    def _embed(
        self, call: Call, info: AudioInfo, tasks: list[tuple[PreparedEncoder, int]]
    ) -> list[Entry]:
        """Have an upload heard by several encoders; it is read once for all of them."""
        if not tasks:
            return []
        outlines = [Outline(spec=self._spec(part), info=info, n_windows=n) for part, n in tasks]
        cpu_s = sum(self._limits.embedding_s(info.duration_s, len(one.chosen)) for one in outlines)
        try:
            return call(embed_together, tasks, info, cpu_s=cpu_s)
        except WorkerCrashed as error:
            raise Problem(422, str(error)) from error
        except EncoderError:  # such as one whose compiled network was deleted
            self._prepared.clear()
            raise

    def _usual_coverage(self, library: SongLibrary) -> dict[str, str | int]:
        """Return the coverage of the library; to find out takes long where it is large."""
        fingerprint, looked, coverage = self._coverage
        if fingerprint != library.fingerprint or time.monotonic() - looked > _FRESH_S:
            coverage = library.coverage()
            self._coverage = (library.fingerprint, time.monotonic(), coverage)
        return coverage

    def _ready(self, encoder: str) -> PreparedEncoders:
        """Have encoders ready that are on this machine.

        Over HTTP nothing is fetched, and no model named.
        """
        if encoder not in self._prepared:
            self._require_ready(encoder)
            self._prepared[encoder] = prepare_encoders(encoder, root=self._root)
        return self._prepared[encoder]

    def _require_ready(self, encoder: str) -> None:
        used = {store.encoder: store.fingerprint for store in open_stores(self._root)}
        status = {one.name: one for one in encoder_status(self._root)}
        for name in split_encoder(encoder):
            if name in used and is_compiled(used[name], root=self._root):
                continue
            if name not in ENCODERS or is_own_model(name):
                known = ", ".join(sorted(_named() | used.keys()))
                raise Problem(422, f"there is no encoder {name!r:.80} here; there are {known}")
            if not status[name].ready:
                raise Problem(
                    409, f"the encoder {name} is not ready here: {status[name].how_to_get}"
                )
        try:
            encoder_name(encoder)
        except EncoderError as error:
            raise Problem(422, str(error)) from error


def _named() -> set[str]:
    return {key for key in ENCODERS if not is_own_model(key)}


def _vector_held(store: EmbeddingStore, digest: str, n_windows: int) -> NDArray[np.float32] | None:
    """Return what one of several encoders has of a recording.

    Return it only if that is as much as is asked for.
    """
    reader = store.reader([digest])
    if not covers(reader.held().get(digest), n_windows):
        return None
    vectors = reader.vectors_of([digest])[1]
    return np.asarray(vectors[0])
