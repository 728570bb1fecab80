"""The mending of a damaged cache.

It keeps what is sound, embeds again what is lost, and says what can't be had back.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cache import (
    Catalog,
    EmbeddingStore,
    RepairedStore,
    Soundness,
    default_root,
    is_there,
    local_root,
    repair_catalog,
    repair_store,
    verify_cache,
    verify_catalog,
)
from classify.errors import TasteError
from classify.library.row_cache import damaged_rows
from embed import (
    ENCODERS,
    EmbedError,
    damaged_encoders,
    embed_library,
    prepare_encoder,
)

if TYPE_CHECKING:
    from embed import Failure, Progress

__all__ = ["Health", "Repair", "look_over", "repair_cache"]


@dataclass(frozen=True, kw_only=True)
class Health:
    """What a look at all of a cache found.

    Attributes
    ----------
    stores : tuple of Soundness
        One for each encoder.
    catalog : Soundness
    encoders, scores : tuple of str
        Compiled encoders and kept decisions that are damaged; they are not used, and made anew.
    tastes : tuple of str
        Why tastes can't be read.
    """

    stores: tuple[Soundness, ...]
    catalog: Soundness
    encoders: tuple[str, ...]
    scores: tuple[str, ...]
    tastes: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        datasets = (*self.stores, self.catalog)
        return all(one.is_sound for one in datasets) and not (
            self.encoders or self.scores or self.tastes
        )

    @property
    def words(self) -> list[str]:
        """What is wrong, a line each."""
        lines = []
        for one in (self.catalog, *self.stores):
            if one.error:
                lines.append(one.error)
            lines += [f"{one.uri}: {file}" for file in one.files]
            if one.damaged:
                lines.append(f"{one.uri}: {len(one.damaged)} damaged embeddings")
        lines += [
            f"{path}: a compiled encoder is damaged, or of another version"
            for path in self.encoders
        ]
        lines += [f"{path}: kept scores are damaged" for path in self.scores]
        return [*lines, *self.tastes]


@dataclass(frozen=True, kw_only=True)
class Repair:
    """What a repair did.

    Attributes
    ----------
    saved, embedded : int
        Embeddings of the damaged encoders that were sound, and that were made anew.
    failed : tuple of Failure
        Files that could not be looked at again.
    lost : int
        Embeddings that can't be made anew: their files are gone, or their encoder.
    kept : tuple of str
        Where files are that could not be read; nothing uses them.
    words : tuple of str
        What else there is to say.
    """

    saved: int
    embedded: int
    failed: tuple[Failure, ...]
    lost: int
    kept: tuple[str, ...]
    words: tuple[str, ...]


def look_over(root: str | Path | None = None) -> Health:
    """Read all of a cache and compare it with its checksums.

    Parameters
    ----------
    root : path or URI, optional
        The cache; default: this user's.

    Raises
    ------
    StoreFormatError
        If a newer program wrote it.
    CacheError
        If its folder can't be read.
    """
    from classify.taste.taste import Taste

    base = default_root() if root is None else root
    tastes = []
    # not macOS's ._default.npz
    for path in sorted((local_root(base) / "tastes").glob("[!.]*.npz")):
        try:
            Taste.load(path)
        except TasteError as error:
            tastes.append(str(error))
    return Health(
        stores=tuple(verify_cache(base)),
        catalog=verify_catalog(base),
        encoders=tuple(map(str, damaged_encoders(root=base))),
        scores=tuple(map(str, damaged_rows(base))),
        tastes=tuple(tastes),
    )


def repair_cache(
    health: Health,
    *,
    root: str | Path | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Repair:
    """Mend what a look has found.

    Meanwhile other processes that write to the cache wait, and readers may fail.

    Parameters
    ----------
    health : Health
        What `look_over` returned.
    root : path or URI, optional
        The cache; default: this user's.
    workers, progress
        As for `embed.embed_library`.

    Raises
    ------
    CacheError
        If it can't be written.
    """
    base = default_root() if root is None else root
    for path in (*health.encoders, *health.scores):
        if Path(path).is_dir():
            shutil.rmtree(path)
        else:
            Path(path).unlink(missing_ok=True)
    work = _Work(root=base, workers=workers, progress=progress)
    catalog = health.catalog
    if not catalog.is_sound:
        work.mend_catalog()
    for store in health.stores:
        if not store.is_sound:
            work.mend_store(store)
    work.look_again(health.stores)
    return Repair(
        saved=work.saved,
        embedded=work.embedded,
        failed=tuple(work.failed),
        lost=work.lost,
        kept=tuple(work.kept),
        words=tuple(work.words),
    )


class _Work:
    """A repair under way."""

    def __init__(
        self, *, root: str | Path, workers: int | None, progress: Callable[[Progress], None] | None
    ) -> None:
        self._root, self._workers, self._progress = root, workers, progress
        self._doubtful: list[str] = []
        self.saved = self.embedded = self.lost = 0
        self.failed: list[Failure] = []
        self.kept: list[str] = []
        self.words: list[str] = []

    def mend_catalog(self) -> None:
        done = repair_catalog(self._root)
        self.kept += [done.kept] if done.kept else []
        self._doubtful = [path for path in done.doubtful if is_there(path)]
        n_gone = len(done.doubtful) - len(self._doubtful)
        if done.unnamed or n_gone:
            some = f"{n_gone} files" if not done.unnamed else "some files"
            self.words.append(
                f"the paths and tags of {some} are lost: run 'sevensongs embed' on your music once "
                "more; what is embedded is not embedded again"
            )

    def mend_store(self, sound: Soundness) -> None:
        done = repair_store(self._root, sound.uri)
        self.saved += done.n_saved
        self.kept += [done.kept] if done.kept else []
        if done.store is None:
            done = replace(done, store=self._guess(sound.uri), unnamed=True)
        if done.store is None:
            self.words.append(
                f"nothing in {sound.uri} could be read: run 'sevensongs embed' on your music once "
                "more"
            )
            return
        name = done.store.encoder
        try:
            now = prepare_encoder(name, root=self._root).fingerprint
        except EmbedError as error:
            now = str(error)
        if now != done.store.fingerprint:
            self.lost += len(done.lost)
            self.words.append(
                f"{len(done.lost)} embeddings of an encoder {name} are lost that is not here any "
                f"more ({done.store.fingerprint})"
            )
            return
        for n_windows, digests in self._wanted(done).items():
            self._embed_again(done, n_windows, digests)

    def _guess(self, uri: str) -> EmbeddingStore | None:
        """Tell by a folder's name whose embeddings were in it, where nothing in it can be read."""
        for name in ENCODERS:
            if Path(uri).name.startswith(f"{name}-"):
                with suppress(EmbedError):
                    one = prepare_encoder(name, root=self._root)
                    store = EmbeddingStore(
                        self._root, encoder=name, fingerprint=one.fingerprint, dim=one.dim
                    )
                    if store.uri == uri:
                        return store
        return None

    def _wanted(self, done: RepairedStore) -> dict[int | str, list[str]]:
        """Sort what is to be embedded by how much of each recording was."""
        wanted: dict[int | str, list[str]] = {}
        for digest, n_windows in done.lost:
            wanted.setdefault(n_windows or "full", []).append(digest)
        if done.unnamed and done.store is not None:
            named = {digest for digest, _ in done.lost} | done.store.held().keys()
            files = Catalog(self._root).load().values()
            rest = {file.digest for file in files if file.digest and file.digest not in named}
            wanted.setdefault("scan", []).extend(sorted(rest))
        return wanted

    def _embed_again(
        self, done: RepairedStore, coverage: int | str, digests: Sequence[str]
    ) -> None:
        store = done.store
        assert store is not None
        known = Catalog(self._root).files_of(digests)
        paths = [file.path for file in known if is_there(file.path)]
        if paths:
            report = embed_library(
                paths,
                root=self._root,
                encoder=store.encoder,
                coverage=coverage,
                first_look=False,
                workers=self._workers,
                progress=self._progress,
            )
            self.embedded += report.embedded
            self.failed += report.failed
        # A damaged row may tell a name that never was; only recordings that some file had count.
        named = {file.digest for file in known if file.digest}
        self.lost += len(named - store.held(sorted(named)).keys())

    def look_again(self, stores: Sequence[Soundness]) -> None:
        """Read the files again of which only a damaged part of the catalog knew."""
        if not self._doubtful:
            return
        most = max(stores, key=lambda store: store.n_songs, default=None)
        try:
            report = embed_library(
                self._doubtful,
                root=self._root,
                encoder=(most.encoder if most else "") or "default",
                first_look=False,
                workers=self._workers,
                progress=self._progress,
            )
        except EmbedError as error:
            self.words.append(f"{len(self._doubtful)} files could not be looked at again: {error}")
            return
        self.embedded += report.embedded
        self.failed += report.failed
