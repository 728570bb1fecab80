"""Titles, artists and albums in the one form in which they are compared.

Case, width, accents and punctuation do not count. Guests ("feat."), editions ("2011 Remaster") and
versions ("live", "remix") are told apart from the title: an edition is the same song, a version is
another one.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass

__all__ = ["AlbumName", "ArtistNames", "TitleName", "album_name", "artist_names", "title_name"]
__all__ += ["plain_text"]

_MAX_CHARS = 1000  # of a name; what is longer is cut
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th"})
_APOSTROPHES = re.compile("['\u2018\u2019\u02bc`\u00b4]")
_GAPS = re.compile(r"[\W_]+")
_ACCENTS = re.compile("[\u0300-\u036f]")
_BRACKETS = re.compile(r"\s*[(\[{]([^()\[\]{}]*)[)\]}]")
_DASH = re.compile(r"\s+[-\u2013\u2014]\s+")
_GUESTS = re.compile(r"(?:^|[\s(\[])(?:feat|ft|featuring)(?:\.|\s)\s*", re.IGNORECASE)
_WITH = re.compile(r"\s*with\s+(?!.*\b(?:strings|orchestra|choir|intro|vocals?)\b)(.+)", re.I)
_PARTED = re.compile(
    r"\s*[;,/\u3001]\s*|\s+(?:&|\+|x|\u00d7|and|und|et|y|vs\.?|with)\s+", re.IGNORECASE
)
# What makes another recording of a song: the kind by the words that tell it.
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(rf"\b(?:{words})\b"))
    for kind, words in (
        ("live", r"live|concert|unplugged|concierto|en vivo|en directo|ao vivo|en public"),
        ("remix", r"remix|remixed|rmx|mix|dub|rework|reworked|bootleg|mashup|flip|vip|refix"),
        ("edit", r"edit|radio|single version|short|extended|long version|12 inch|7 inch"),
        ("clean", "^clean(?: album)?(?: version)?$"),
        ("demo", r"demo|rough|work tape|outtake|early take|rehearsal"),
        ("acoustic", r"acoustic|akustik|acustico|piano version|stripped|unplugged|orchestral"),
        ("instrumental", r"instrumental|karaoke|backing track|a cappella|acapella|minus one"),
        ("cover", r"cover|tribute|originally performed|in the style of|made famous"),
        ("take", r"take \d+|sessions?|alternate|alternative|alt|version \d+"),
        ("again", r"reprise|re recorded|rerecorded|re recording|taylors version|revisited|redux"),
        ("speed", r"sped up|slowed|nightcore|8d|reverb|speed up"),
        ("channels", r"mono|stereo|quadraphonic|5 1"),
        ("version", r"version|ver|arrangement"),
    )
)
# An edition is the same recording, sold again: one of these words and none of another kind.
_EDITION_WORD = re.compile(
    r"remaster(?:ed|ing|s)?|reissued?|deluxe|expanded|bonus|explicit|edition"
)
_EDITION_DETAIL = re.compile(
    r"special|limited|collectors?|super|anniversary|digital(?:ly)?|album|tracks?|contents?"
    r"|dis[ck]s?|\d*cds?|dvd|vinyl|box|set|release|digipak|exclusive|itunes|spotify"
    r"|japan(?:ese)?|uk|us|european|international|tour|years?|the|of|and"
    r"|\d{4}|\d+(?:st|nd|rd|th)"
)
_EDITION_PHRASES = frozenset(
    (
        "album version", "lp version", "original mix", "single", "ep", "ost",
        "original soundtrack", "original motion picture soundtrack",
        "official audio", "official video",
    )
)  # fmt: skip
_ALBUM_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("live", re.compile(r"\blive (?:at|in|from|on|album)\b|\blive$|\bunplugged\b|\bin concert\b")),
    ("remix", re.compile(r"\bremix(?:es|ed)?\b")),
    ("instrumental", re.compile(r"\bkaraoke\b|\binstrumentals?\b")),
    ("cover", re.compile(r"\btribute to\b|\bin the style of\b")),
    ("demo", re.compile(r"\bdemos\b")),
    ("acoustic", re.compile(r"\bacoustic\b")),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class TitleName:
    """A title, taken apart.

    Attributes
    ----------
    core : str
        The title without the rest; never empty where the title has a letter, digit or sign.
    kinds : frozenset of str
        Of what kinds a version it is: ``live``, ``remix``, ``edit``, ...
    version, edition : str
        The words that tell these, sorted.
    guests : frozenset of str
        Artists that the title names.
    """

    core: str
    kinds: frozenset[str] = frozenset()
    version: str = ""
    edition: str = ""
    guests: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class ArtistNames:
    """Who plays a song: its artists, and those who are guests."""

    main: frozenset[str]
    guests: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True, slots=True)
class AlbumName:
    """An album without its edition, and what kinds of versions it is made of."""

    core: str
    kinds: frozenset[str] = frozenset()
    edition: str = ""


@functools.lru_cache(maxsize=65_536)
def plain_text(text: str) -> str:
    """Return text without case, width, accents and punctuation, words parted by one space.

    Examples
    --------
    >>> from classify.sources.song_names import plain_text
    >>> plain_text("Beyonc\u00e9's  DON\u2019T & more")
    'beyonces dont and more'
    """
    text = text[:_MAX_CHARS]
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
        text = unicodedata.normalize("NFC", _ACCENTS.sub("", text))
    text = text.casefold().translate(_LETTERS).replace("&", " and ")
    bare = _GAPS.sub(" ", _APOSTROPHES.sub("", text)).strip()
    return bare or " ".join(text.split())  # a title may be of signs alone


@functools.lru_cache(maxsize=65_536)
def title_name(title: str) -> TitleName:
    """Take a title apart.

    Examples
    --------
    >>> from classify.sources.song_names import title_name
    >>> title_name("Song (feat. Ann) [2011 Remaster]").core
    'song'
    >>> sorted(title_name("Song - Live at Wembley").kinds)
    ['live']
    >>> title_name("(What's the Story) Morning Glory").core
    'whats the story morning glory'
    """
    title = title[:_MAX_CHARS]
    if title.isalnum():  # one word
        return TitleName(core=plain_text(title))
    guests: set[str] = set()
    notes: list[str] = []

    def named(text: str) -> None:
        guests.update(_parted(text))
        if _kinds_of(plain_text(text)):  # "feat. Bob Remix"
            notes.append(plain_text(text))

    def note(found: re.Match[str]) -> str:
        inside = found[1].strip()
        if _is_guests(inside):
            named(_guests_of(inside))
            return ""
        if _is_note(inside):
            notes.append(plain_text(inside))
            return ""
        return found[0]

    parts = _DASH.split(_BRACKETS.sub(note, title))
    while len(parts) > 1 and _is_note(parts[-1]):
        notes.append(plain_text(parts.pop()))
    rest, *others = _GUESTS.split(" - ".join(parts), maxsplit=1)
    for text in others:
        named(text)
    core = plain_text(rest)
    if not core.strip():  # of brackets alone
        return TitleName(core=plain_text(title))
    editions = [text for text in notes if _is_edition(text)]
    versions = [text for text in notes if not _is_edition(text)]
    return TitleName(
        core=core,
        kinds=frozenset(kind for text in versions for kind in _kinds_of(text)),
        version=" ".join(sorted(versions)),
        edition=" ".join(sorted(editions)),
        guests=frozenset(guests),
    )


@functools.lru_cache(maxsize=65_536)
def artist_names(artist: str) -> ArtistNames:
    """Tell apart the artists of a song.

    Examples
    --------
    >>> from classify.sources.song_names import artist_names
    >>> sorted(artist_names("Ann & The Band feat. Cid").main)
    ['ann', 'band']
    """
    main, *guests = _GUESTS.split(artist[:_MAX_CHARS], maxsplit=1)
    named = frozenset(_parted(guests[0])) if guests else frozenset()
    return ArtistNames(main=frozenset(_parted(main)) - named or named, guests=named)


@functools.lru_cache(maxsize=65_536)
def album_name(album: str) -> AlbumName:
    """Take an album's name apart.

    Examples
    --------
    >>> from classify.sources.song_names import album_name
    >>> album_name("Blue (Deluxe Edition)").core
    'blue'
    """
    editions: list[str] = []
    kinds: set[str] = set()

    def is_edition(text: str) -> bool:
        plain = plain_text(text)
        if _is_edition(plain):
            editions.append(plain)
            return True
        kinds.update(_kinds_of(plain))
        return False

    album = album[:_MAX_CHARS]
    parts = _DASH.split(_BRACKETS.sub(lambda one: "" if is_edition(one[1]) else one[0], album))
    while len(parts) > 1 and is_edition(parts[-1]):
        parts.pop()
    core = plain_text(" ".join(parts))
    whole = plain_text(album)
    kinds.update(kind for kind, words in _ALBUM_KINDS if words.search(whole))
    return AlbumName(core=core or whole, kinds=frozenset(kinds), edition=" ".join(sorted(editions)))


def _is_edition(plain: str) -> bool:
    """Whether a note tells an edition, and nothing of another version: not "special dance mix"."""
    if plain in _EDITION_PHRASES:
        return True
    words = {*plain.replace("re master", "remaster").replace("re issue", "reissue").split()}
    told = {word for word in words if _EDITION_WORD.fullmatch(word)}
    others = words - told
    if told - {"edition"}:  # "deluxe version"; but a special version is another recording
        others.discard("version")
    is_told = bool(told) or ("anniversary" in words and len(words) > 1)
    return is_told and all(map(_EDITION_DETAIL.fullmatch, others))


def _is_note(text: str) -> bool:
    """Whether a part of a title tells an edition or a version, and not more of the title."""
    plain = plain_text(text)
    return _is_edition(plain) or bool(_kinds_of(plain))


def _kinds_of(plain: str) -> list[str]:
    return [kind for kind, words in _KINDS if words.search(plain)]


def _is_guests(text: str) -> bool:
    return bool(_GUESTS.match(text) or _WITH.fullmatch(text))


def _guests_of(text: str) -> str:
    found = _WITH.fullmatch(text)
    return found[1] if found else _GUESTS.split(text, maxsplit=1)[-1]


def _parted(artists: str) -> list[str]:
    names = (plain_text(name) for name in _PARTED.split(artists.strip(" )]")))
    bare = (name.removeprefix("the ").removesuffix(" the") for name in names)
    return [name for name in bare if name and name != "the"]
