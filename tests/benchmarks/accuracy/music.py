"""The collection: real songs, embedded by one encoder or several."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from accuracy.tasks import Collection
from cache import Catalog, default_root
from classify.library.song_library import SongLibrary
from embed import (
    DEFAULT_ENCODER,
    EmbedError,
    EncoderUnavailable,
    embed_library,
    prepare_encoders,
)

__all__ = ["DEFAULT_ENCODER", "DEFAULT_ENCODERS", "load_collections", "read_collection", "say"]

DEFAULT_ENCODERS = (
    DEFAULT_ENCODER,
    "musicnn",
    "mtt-musicnn",
    "msd-vgg",
    "mtt-vgg",
    "aisfx",
    "yamnet",
    "vggish",
    "msd-vgg+mtt-vgg",
    "msd-vgg+musicnn",
    "mtt-vgg+musicnn",
    "musicnn+yamnet",
    "msd-vgg+mtt-vgg+musicnn",
    "aisfx+mtt-vgg+musicnn",
)
MIN_DURATION_S = 30.0


def say(text: str) -> None:
    """Tell the person who waits."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def load_collections(
    music: Path, encoders: Sequence[str], root: Path | None, *, must: bool
) -> list[Collection]:
    """Embed what is missing; return one collection for each encoder.

    Encoders that are not on this machine are left out with their reason, unless they `must` be
    there.
    """
    base = root or Path(default_root())
    collections: list[Collection] = []
    missing: set[str] = set()
    for name in encoders:
        parts = sorted(name.split("+"))
        if missing.intersection(parts):
            continue
        try:
            collections.append(_collection(music, parts, base))
        except EncoderUnavailable as error:
            if must:
                raise
            missing.update(parts if len(parts) == 1 else ())
            say(f"without {name}: {error}")
    digests = {collection.digests for collection in collections}
    if len(digests) > 1:
        raise SystemExit(
            f"the encoders hold {sorted(map(len, digests))} songs; all must hear the same: embed "
            "again"
        )
    return collections


def _collection(music: Path, parts: Sequence[str], base: Path) -> Collection:
    """Embed the music and read it as `train` does: a composite's vectors side by side."""
    name = "+".join(parts)
    report = embed_library([music], root=base, encoder=name, retry_failed=True)
    say(
        f"{name}: {report.embedded} songs embedded, {report.cached} were there, "
        f"{report.wall_s:.0f} s"
    )
    for failure in report.failed:
        say(f"{name}: {failure.path}: {failure.error}")
    return read_collection(base, name, _tastes(music, base))


def read_collection(base: Path, name: str, tastes: Mapping[str, str]) -> Collection:
    """Read the songs of a cache.

    Parameters
    ----------
    base : Path
        The cache.
    name : str
        An encoder, or several joined by +.
    tastes : mapping of str to str
        The taste of each song, by digest.

    Raises
    ------
    EmbedError
        If a song is not embedded.
    """
    library = SongLibrary.of_encoders(prepare_encoders(name, root=base), base)
    songs = library.songs(sorted(tastes))
    if songs.digests != tuple(sorted(tastes)):
        raise EmbedError(f"{name} holds {len(songs)} of {len(tastes)} songs; see the reasons above")
    return Collection(
        encoder=library.encoder,
        fingerprint=library.fingerprint,
        blocks=library.blocks if "+" in library.encoder else (),
        digests=songs.digests,
        tastes=np.array([tastes[digest] for digest in songs.digests]),
        vectors=np.asarray(songs.vectors),
    )


def _tastes(music: Path, base: Path) -> dict[str, str]:
    """Return the folder of each song that is long enough, by digest."""
    rows = [
        row
        for row in Catalog(base).load().values()
        if Path(row.path).is_relative_to(music.absolute())
    ]
    return {
        row.digest: Path(row.path).parent.name
        for row in sorted(rows, key=lambda row: row.path)
        if row.digest and (row.duration_s or 0) >= MIN_DURATION_S
    }
