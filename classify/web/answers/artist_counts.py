"""The artists of the library, and how many songs are by each."""

from __future__ import annotations

from classify.web.live.song_columns import SongColumns, folded

__all__ = ["artist_counts"]


def artist_counts(columns: SongColumns) -> list[tuple[str, int]]:
    """Return every artist with the number of songs, most songs first; equal ones by name.

    Case and accents do not count; the spelling of most songs is told.
    """
    counted = columns.artists.drop_null().value_counts()
    names, numbers = counted.field("values"), counted.field("counts").to_pylist()
    found: dict[str, tuple[str, int]] = {}
    most: dict[str, int] = {}  # songs that have the spelling that is told
    for name, key, n in zip(names.to_pylist(), folded(names).to_pylist(), numbers, strict=True):
        spelling, total = found.get(key, (name, 0))
        if n > most.get(key, 0):
            spelling, most[key] = name, n
        found[key] = (spelling, total + n)
    return sorted(found.values(), key=lambda one: (-one[1], one[0]))
