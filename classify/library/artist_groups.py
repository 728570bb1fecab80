"""Which songs belong together: those that share an artist or an album, however indirectly.

Also how many of one artist a list may have.

Each artist of a song counts, and the album's artist. "Various Artists" is none, and neither an
artist nor an album of theirs joins songs.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cache import CatalogFiles, FileRecord, places

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FewPerArtist", "Groups", "album_of"]


def _folded(name: str) -> str:
    """Write a name in the one way in which it is compared."""
    return unicodedata.normalize("NFKC", name).casefold()


# What taggers write where there are many artists, or where they don't know them.
# fmt: off
_NOBODY = frozenset(map(_folded, {
    "various artists", "various artist", "various", "va", "v.a.", "v/a", "v. a.", "compilation",
    "unknown artist", "unknown", "<unknown>", "[unknown]", "artist unknown", "no artist", "n/a",
    "verschiedene interpreten", "verschiedene künstler", "verschiedene", "diverse interpreten",
    "diverse künstler", "diverse", "unbekannter interpret", "unbekannter künstler", "unbekannt",
    "artistes divers", "divers artistes", "divers", "multi-interprètes", "artistes variés",
    "artiste inconnu", "inconnu",
    "varios artistas", "varios", "artistas varios", "varios intérpretes", "artista desconocido",
    "desconocido", "vários artistas", "vários", "vários intérpretes", "artista desconhecido",
    "artisti vari", "vari artisti", "vari", "aa.vv.", "aavv", "aa. vv.", "artista sconosciuto",
    "diverse artiesten", "diversen", "verschillende artiesten", "onbekende artiest",
    "diverse artister", "blandade artister", "diverse kunstnere", "okänd artist", "ukjent artist",
    "ukendt kunstner", "eri esittäjiä", "tuntematon esittäjä",
    "różni wykonawcy", "różni artyści", "nieznany wykonawca", "różni", "různí interpreti",
    "různí umělci", "neznámý interpret", "válogatás", "különböző előadók", "ismeretlen előadó",
    "разные исполнители", "разные", "сборник", "неизвестный исполнитель", "неизвестен",
    "різні виконавці", "διάφοροι καλλιτέχνες",
    "çeşitli sanatçılar", "bilinmeyen sanatçı",  # noqa: RUF001  Turkish
    "διάφοροι", "ヴァリアス・アーティスト", "オムニバス", "不明なアーティスト", "群星", "华语群星",
    "众艺人", "未知艺术家", "未知歌手", "佚名", "여러 아티스트", "알 수 없는 아티스트",
}))
# fmt: on
_SEVERAL = "; "  # parts artists in the catalog
_GUESTS = re.compile(r"\s+[(\[]?(?:feat\.?|ft\.?|featuring)\s+", re.IGNORECASE)


class Groups:
    """The groups of a library; what is the same for every recording is found out once.

    Parameters
    ----------
    files : CatalogFiles
        The whole library, as songs may hang together by way of others.

    Raises
    ------
    CacheError
        If the catalog can't be read.
    """

    def __init__(self, files: CatalogFiles) -> None:
        self._digests = files.digests
        self._names: list[list[str]] = []
        self._top: dict[str, str] = {}
        if not len(files):
            return
        first, self._which = _distinct_tags(files)
        names = ("artist", "artists", "album_artist", "album")
        columns = [column.to_pylist() for column in files.columns(names, first).values()]
        self._names = [
            _tag_names(_each(artist, artists), _parted(of_album), album, os.fsdecode(path))
            if digest
            else []
            for digest, path, artist, artists, of_album, album in zip(
                files.digests.take(first).to_pylist(),
                files.paths.take(first).to_pylist(),
                *columns,
                strict=True,
            )
        ]
        self._top = _joined(self._names)

    def of(self, digests: Sequence[str]) -> dict[str, str]:
        """Name the groups of some recordings.

        Returns
        -------
        dict of str to str
            Digest to the name of its group; without the recordings of which tags tell nothing.
        """
        if not self._names:
            return {}
        wanted = np.flatnonzero(places(self._digests, digests) >= 0)
        # The latest file of a recording counts, as the last one assigned.
        return {
            digest: self._top[self._names[at][0]]
            for digest, at in zip(
                self._digests.take(wanted).to_pylist(), self._which[wanted].tolist(), strict=True
            )
            if self._names[at]
        }


class FewPerArtist:
    """Tells whether a list has room for another song of an artist.

    Guests do not count. Of "Various Artists", and where nobody is named, any number may come.

    Parameters
    ----------
    most : int
        Songs of one artist.

    Examples
    --------
    >>> from classify.library.artist_groups import FewPerArtist
    >>> few = FewPerArtist(1)
    >>> few.takes("Ann"), few.takes("ANN feat. Bob"), few.takes("Bob; Cid")
    (True, False, True)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: Counter[str] = Counter()

    def takes(self, artist: str | None) -> bool:
        """Whether there is room for a song by an artist, or several; then it is counted."""
        names = {_GUESTS.split(_folded(one))[0].strip() for one in _parted(artist)}
        names -= _NOBODY | {""}
        if any(self._counts[name] >= self._most for name in names):
            return False
        self._counts.update(names)
        return True


def album_of(recording: FileRecord) -> str | None:
    """Name a song's album, as its tags and its folder tell; None where they don't."""
    if not recording.album or _folded(recording.artist or "") in _NOBODY:
        return None
    return _album_name(recording.album, recording.path)


def _distinct_tags(files: CatalogFiles) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tell which files are the first with their artists, album and folder.

    Tell also whose each file's are.

    An album has some ten songs, so there is an order of magnitude less to look at one by one.
    """
    import pyarrow.compute as pc

    # A backslash in a name makes a folder of its own here; the names of the groups are none the
    # worse.
    folders = pc.replace_substring_regex(files.paths, pattern=rb"[^/\\]*$", replacement=b"")
    codes = np.zeros(len(files), np.int64)
    # A file that failed joins nothing, so it is not one of those that did not.
    failed = files.digests.is_null()
    tags = files.columns(("artist", "artists", "album_artist", "album"))
    tags["artists"] = pc.binary_join(tags["artists"], "\n")  # lists have no dictionary
    for values in (*tags.values(), folders, failed):
        more = _codes(values)
        # Numbered anew each time, so that the product never overflows.
        _, codes = np.unique(codes * (int(more.max()) + 1) + more, return_inverse=True)
    _, first, which = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(first)  # in the order of the files
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return first[order], place[which]


def _codes(values: pa.Array) -> NDArray[np.int64]:
    """Give each distinct value a number, null too."""
    encoded = values.dictionary_encode(null_encoding="encode")
    codes: NDArray[np.int64] = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def _joined(names: Sequence[Sequence[str]]) -> dict[str, str]:
    """Join names that stand together, however indirectly; each then has one that stands for all."""
    parent: dict[str, str] = {}

    def top(name: str) -> str:
        while parent.setdefault(name, name) != name:
            # Halve the path as we go, or a folder of 10,000 songs would be a chain of that length.
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for together in names:
        for name in together[1:]:
            parent[top(name)] = top(together[0])
    return {name: top(name) for together in names for name in together}


def _tag_names(
    artists: Sequence[str], of_album: Sequence[str], album: str | None, path: str
) -> list[str]:
    """Name a song's artists, its album's, and its album.

    An album is one of a folder, or else all 'Greatest Hits' would be one.
    """
    known, of_album = list(map(_folded, artists)), list(map(_folded, of_album))
    everyone = [name for each in (*known, *of_album) for name in _GUESTS.split(each)]
    names = [f"artist:{name.strip(' )]')}" for name in everyone if name not in _NOBODY]
    # Songs of a compilation have nothing in common, nor have those of which nobody knows the artist
    if album and not _NOBODY.intersection(of_album or known):
        names.append(_album_name(album, path))
    return list(dict.fromkeys(names))


def _each(artist: str | None, artists: Sequence[str] | None) -> list[str]:
    """Return each artist; one that is told apart from the credit may lack the guests in it."""
    known = list(artists or ())
    return known if len(known) > 1 else [*known, *_parted(artist)]


def _parted(artists: str | None) -> list[str]:
    return artists.split(_SEVERAL) if artists else []


def _album_name(album: str, path: str) -> str:
    return f"album:{_folded(album)}:{os.path.dirname(path)}"
