"""The shapes of the service's answers about songs and tastes, as its OpenAPI document has them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "ArtistCount",
    "ArtistList",
    "Detail",
    "Digest",
    "ExplanationFound",
    "Interval",
    "InvalidPart",
    "LabelAsked",
    "LabelName",
    "ListedSong",
    "LoudnessOfSong",
    "MapFound",
    "Moments",
    "Neighbour",
    "OutlineFound",
    "PassageFound",
    "ProblemDocument",
    "Resembled",
    "ScoreOfSong",
    "Share",
    "Song",
    "SongPage",
    "SongTag",
    "Suggested",
    "SuggestionList",
    "TagAccountFound",
    "TagCount",
    "TagList",
    "TagShareFound",
    "Verdict",
    "VerdictCounts",
]

LabelName = Literal["like", "dislike"]
Verdict = Literal["like", "unsure", "dislike"]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Share = Annotated[float, Field(ge=0, le=1)]
# No tuple: of its `prefixItems` few makers of clients know anything.
Interval = Annotated[list[Share], Field(min_length=2, max_length=2, description="From, to.")]


class ProblemDocument(BaseModel):
    """What is wrong, and what to do (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[InvalidPart] | None = None


class InvalidPart(BaseModel):
    """A part of a request that the schema refuses."""

    where: list[str]
    what: str


class SongTag(BaseModel):
    """A tag that tells something of a song; both on one scale for all songs and tags."""

    tag: str
    score: Share = Field(description="As the encoder hears it in the song.")
    usual: Share = Field(description="What is usual in the library.")


class Song(BaseModel):
    """A recording, whose ranks count from 1 over the whole library.

    What a taste decides is null without one.
    """

    id: Digest
    rank: int | None
    rank_before: int | None
    score: Share | None
    verdict: Verdict | None
    label: LabelName | None
    artist: str | None
    title: str | None
    album: str | None
    name: str
    path: str
    duration_s: float | None
    tags: list[SongTag] = Field(
        description="Up to six that it has more of than the library, the most telling first."
    )


class ListedSong(Song):
    """A song of a list; the last two where the list is of songs like another one."""

    similarity: float | None = Field(default=None, description="A cosine.")
    moved: float | None = Field(
        default=None,
        description="How much more of the tag it has, in standard deviations of the library.",
    )


class VerdictCounts(BaseModel):
    """How many songs of a list have each verdict; people read likely, unsure and unlikely."""

    like: int
    unsure: int
    dislike: int


class SongPage(BaseModel):
    """Some songs of a sorted list; `matched` are in the list, `total` in the library.

    `groups` counts those in the list; it is null without a taste. The order is that of
    `order_revision`: the one that was asked for, where it is still known.
    """

    taste: str
    revision: int
    order_revision: int
    total: int
    matched: int
    groups: VerdictCounts | None
    offset: int
    songs: list[ListedSong]


class ScoreOfSong(BaseModel):
    """A cached song's score."""

    id: Digest
    score: Share
    verdict: Verdict
    threshold: Share
    unsure: Interval
    label: LabelName | None


class LoudnessOfSong(BaseModel):
    """How loud a song is, by EBU R 128 of stretches from all over it."""

    id: Digest
    loudness_lufs: float | None = Field(description="Null for silence.")
    gain_db: float = Field(
        le=0, description="What brings it to -18 LUFS; 0 where it is quieter, as louder may clip."
    )


class LabelAsked(BaseModel):
    """A label."""

    model_config = ConfigDict(extra="forbid")
    label: LabelName


class Suggested(BaseModel):
    """A song from whose label the taste would learn much, and why."""

    song: Song
    unknown: Share
    reason: str
    why: str


class SuggestionList(BaseModel):
    """Songs to label next, the one that teaches most first."""

    taste: str
    n_unlabelled: int
    songs: list[Suggested]


class Neighbour(BaseModel):
    """A song that sounds like another one; the similarity is a cosine."""

    similarity: float
    song: Song


class Resembled(BaseModel):
    """A moment of the song and one of a labelled song that sounds most like it."""

    id: Digest | None
    at_s: float
    other_at_s: float
    similarity: float
    path: str
    artist: str | None
    title: str | None


class PassageFound(BaseModel):
    """A passage that carried the score."""

    start_s: float
    end_s: float
    points: float
    score: Share


class TagShareFound(BaseModel):
    """A tag, and what it adds to the score."""

    tag: str
    points: float
    song: float
    usual: float


class TagAccountFound(BaseModel):
    """The score told in tags."""

    tags: list[TagShareFound]
    not_told: float
    r2: float


class ExplanationFound(BaseModel):
    """Why a song has its score.

    `classify.explanation.explanation.Explanation` says what each part means.
    """

    artist: str | None
    title: str | None
    duration_s: float
    label: LabelName | None
    score: Share
    verdict: Verdict
    threshold: Share
    unsure: Interval
    n_like: int
    n_dislike: int
    start_score: float
    variety: float
    unfamiliar: float
    n_windows: int = Field(description="How many were heard; 0: all of the song.")
    starts_s: list[float]
    scores: list[Share]
    points: list[float]
    sections_s: list[float]
    passages: list[PassageFound]
    tags: TagAccountFound | None
    like: Resembled | None
    dislike: Resembled | None
    scanned_score: Share | None = Field(
        default=None, description="Before all of the song was heard; null where it had been."
    )
    scanned_windows: int | None = None


class Detail(BaseModel):
    """A song with its neighbours; `explanation` is there where it has been asked for before."""

    song: Song
    explanation: ExplanationFound | None
    neighbours: list[Neighbour]


class Moments(BaseModel):
    """Why a song has its score; `note` says why there are no reasons, if so."""

    song: Song
    explanation: ExplanationFound | None
    note: str


class OutlineFound(BaseModel):
    """How a song goes, by the windows that are stored of it; nothing of it is heard for that."""

    id: Digest
    duration_s: float
    starts_s: list[float]
    values: list[Share] = Field(
        description="Of each window, by `by`: its score, as if all of the song sounded so; or how "
        "much it sounds like the whole song."
    )
    by: Literal["score", "typical"] = Field(description="'typical': nothing is learnt yet.")
    best_s: float = Field(description="Where the best 20 s begin.")
    best_end_s: float


class MapFound(BaseModel):
    """Where all songs lie, in the order of their list, the best first; arrays in base64."""

    taste: str
    revision: int
    method: Literal["PCA", "UMAP", "none"]
    shown: Share | None = Field(description="Of a PCA: how much two axes tell.")
    n: int
    ids: str = Field(description="The songs' ids, 16 bytes each.")
    places: str = Field(description="x and y from -1 to 1: two float16, little-endian, each.")
    labels: str = Field(description="int8 each: 1 like, -1 dislike, 0 none.")
    scores: str | None = Field(description="uint8 each: 255 is 1; null without a taste.")
    verdicts: str | None = Field(description="int8 each: 1 like, 0 unsure, -1 dislike.")


class ArtistCount(BaseModel):
    """An artist, and how many songs of the library are by them."""

    artist: str
    n_songs: int


class ArtistList(BaseModel):
    """The artists with most songs; `n_artists` counts all, however they are spelt."""

    n_artists: int
    artists: list[ArtistCount]


class TagCount(BaseModel):
    """A tag, and how many songs of the library it tells something of."""

    tag: str
    n_songs: int


class TagList(BaseModel):
    """The encoder's tags, the most frequent first."""

    tags: list[TagCount]
