"""Songs as another program tells of them, and what it says of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

__all__ = ["Download", "Said", "SourceReading", "SourceSong"]

Said = Mapping[str, float | str]
"""What a program says of a song: ``{"rating": 4}``; what is not said is not there."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceSong:
    """A song as another program knows it; whatever is not known is None.

    Attributes
    ----------
    key : str
        Names the song in its source, and the next time the same.
    path : str or None
        Of its file, as the other program writes it.
    size_bytes : int or None
    duration_s : float or None
    artist, title, album : str or None
    musicbrainz_id : str or None
        Of the recording.
    said : mapping
        What the program says of it.
    """

    key: str
    path: str | None = None
    size_bytes: int | None = None
    duration_s: float | None = None
    artist: str | None = None
    title: str | None = None
    album: str | None = None
    musicbrainz_id: str | None = None
    said: Said = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How people know the song."""
        return " - ".join(filter(None, (self.artist, self.title))) or self.path or self.key


Download = Callable[[SourceSong, BinaryIO, int], None]
"""Writes the file of a song, which may be so many bytes long; raises ServerError."""


@dataclass(frozen=True, kw_only=True)
class SourceReading:
    """What a source tells.

    Attributes
    ----------
    name : str
        Names the source in the file of labels, without a password.
    songs : tuple of SourceSong
    fields : tuple of str
        Of what `said` may tell, for ``--like`` and ``--dislike``; empty where all that is there is
        liked.
    like, dislike : tuple of str
        What counts where nobody says so; see `opinions`.
    download : callable or None
        How to get a song's file, where the source gives it.
    """

    name: str
    songs: tuple[SourceSong, ...]
    fields: tuple[str, ...] = ()
    like: tuple[str, ...] = ("all",)
    dislike: tuple[str, ...] = ()
    download: Download | None = None
