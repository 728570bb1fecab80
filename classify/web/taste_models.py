"""The shapes of the service's answers about tastes, and about what new labels change."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from classify.web.models import Digest, Interval, LabelName, Share, Verdict

__all__ = [
    "Change",
    "Changed",
    "Changes",
    "EvaluationFound",
    "LabelGiven",
    "LabelsAsked",
    "Learnt",
    "Moved",
    "PlaylistName",
    "PlaylistPut",
    "PlaylistServerFound",
    "TasteInfo",
    "TasteList",
    "TrainAsked",
]


class TasteInfo(BaseModel):
    """A taste, or labels from which none has been learnt yet; `sentence` says how good it is."""

    name: str
    encoder: str
    colour: str = Field(description="As #rrggbb.")
    n_like: int
    n_dislike: int
    trained: bool
    threshold: Share | None
    unsure: Interval | None
    auc: Share | None
    auc_ci90: Interval | None
    note: str
    sentence: str
    created_at: str | None


class TasteList(BaseModel):
    """All tastes, the service's default first."""

    tastes: list[TasteInfo]
    removed: list[str] = Field(description="Names that can be restored, the last removed first.")


class TrainAsked(BaseModel):
    """How to learn."""

    model_config = ConfigDict(extra="forbid")
    head: Literal["auto", "kernel", "logistic", "dense"] = "auto"


class Moved(BaseModel):
    """A song that came into the first twenty that nobody has labelled, or left them."""

    id: Digest
    artist: str | None
    title: str | None
    name: str
    rank: int
    rank_before: int


class Changed(BaseModel):
    """A song that nobody has labelled and that has another verdict since the taste learnt again."""

    id: Digest
    artist: str | None
    title: str | None
    name: str
    verdict_before: Verdict
    verdict: Verdict
    score_before: Share
    score: Share


class Learnt(BaseModel):
    """What new labels changed."""

    taste: TasteInfo
    revision: int
    note: str
    n_changed: dict[Verdict, int]
    n_likely: int = Field(description="Songs that became likely.")
    n_moved: int = Field(
        description="Songs without a label that stand elsewhere among the first 100."
    )
    changed: list[Changed]
    entered: list[Moved]
    left: list[Moved]
    n_undo: int = Field(description="Steps that can be undone.")
    n_redo: int
    wall_s: float


class Change(Learnt):
    """What a label changed."""

    id: Digest
    label: LabelName | None


class LabelGiven(BaseModel):
    """A song and its label now; null where it was taken away."""

    id: Digest
    label: LabelName | None


class LabelsAsked(BaseModel):
    """Labels of several songs, which are learnt and undone as one step."""

    model_config = ConfigDict(extra="forbid")
    labels: list[LabelGiven] = Field(
        min_length=1, max_length=100, description="Of a song that is there twice the last counts."
    )


class Changes(Learnt):
    """What several labels changed."""

    labels: list[LabelGiven]


class EvaluationFound(BaseModel):
    """How good a taste is on songs that it has not seen.

    There is also all that `sevensongs evaluate` has.
    """

    model_config = ConfigDict(extra="allow")
    auc: Share
    auc_ci90: Interval
    p_value: Share | None
    verdict: str
    headline: str
    sentence: str
    truth: str = Field(description="What the demo knows of its own taste; empty for any other.")
    note: str
    n_like: int
    n_dislike: int
    n_unlabelled: int
    can_tell: bool
    comparisons: dict[str, Any]
    learning_curve: list[Any]


class PlaylistServerFound(BaseModel):
    """The music server that playlists can be saved to; null where none is connected."""

    server: str | None


class PlaylistName(BaseModel):
    """What a playlist on a music server is called."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(default="Seven Songs", min_length=1, max_length=100, pattern=r"\S")


class PlaylistPut(BaseModel):
    """A playlist on a music server as it is now."""

    server: str
    name: str
    n_songs: int
    n_missing: int = Field(description="Songs that the server surely has not.")
    missing: list[str] = Field(description="Paths of up to 20 of them, the best first.")
    replaced: bool
