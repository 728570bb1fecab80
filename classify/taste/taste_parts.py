"""What a taste is made of, checked; as facts of JSON and arrays, and back from a stranger's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from numpy.typing import NDArray

from classify.errors import TasteError
from classify.taste.calibration import THRESHOLD, Calibration
from classify.taste.familiarity import MAX_KNOWN, Familiarity
from classify.taste.layers import ACTIVATIONS, Activation, Layer, check_layers
from classify.taste.song_space import MAX_AXES, SongSpace
from classify.taste.vectors import SongTransform

__all__ = ["TasteParts", "array_names", "arrays_of", "facts_of", "parts_from"]

_Parts = TypeVar("_Parts", bound="TasteParts")

_MAX_LAYERS = 16
_MAX_BLOCKS = 16
_MAX_INTEGER = 2**63
_MAX_NAME = 500
_DIGEST = re.compile(r"[0-9A-Za-z]{1,64}")
_ARRAYS = frozenset({"mean", "scale", "basis", "offset", "known"})


@dataclass(frozen=True, kw_only=True, eq=False)
class TasteParts:
    """The parts of a `classify.taste.taste.Taste`, which documents them and adds what they do.

    Raises
    ------
    TasteError
        If the parts do not fit together or a number is out of its domain.
    """

    encoder: str
    fingerprint: str
    head: str
    space: SongSpace
    familiarity: Familiarity
    layers: tuple[Layer, ...]
    activation: Activation
    calibration: Calibration
    likes: tuple[str, ...]
    dislikes: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = ()
    threshold: float = THRESHOLD
    unsure: tuple[float, float] = (THRESHOLD, THRESHOLD)
    auc: float | None = None
    auc_ci90: tuple[float, float] | None = None
    note: str = ""
    seed: int = 0
    created_at: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    pool: tuple[str, ...] | None = None
    learnt_from: str = ""
    n_library: int = 0

    def __post_init__(self) -> None:
        check_layers(self.space.n_axes, self.layers)
        if self.activation not in ACTIVATIONS:
            raise TasteError(
                f"activation {self.activation!r:.40} is unknown, there are "
                f"{', '.join(ACTIVATIONS)}: train the taste again"
            )
        known_name = self.encoder.isprintable() and len(self.encoder) <= _MAX_NAME
        if not known_name or not 0 <= self.seed < 2**63:
            raise TasteError(
                f"encoder {self.encoder!r:.80} or seed {self.seed} can't be: a name of up to "
                f"{_MAX_NAME} characters and a number from 0 to 2**63 are needed; train the taste "
                "again"
            )
        low, high = self.unsure
        if not (0 < self.threshold < 1 and 0 <= low <= self.threshold <= high <= 1):
            raise TasteError(
                f"threshold {self.threshold} with the unsure band {self.unsure}; 0 <= low <= "
                "threshold <= high <= 1 is needed: train the taste again"
            )
        figures = [] if self.auc is None else [self.auc]
        if not all(0 <= figure <= 1 for figure in (*figures, *(self.auc_ci90 or ()))):
            raise TasteError(
                f"AUC {self.auc} with the interval {self.auc_ci90} is not within 0 and 1: "
                "train the taste again"
            )


def facts_of(parts: TasteParts) -> dict[str, Any]:
    """Return all of a taste that is no array, as JSON has it."""
    return {
        "encoder": parts.encoder,
        "fingerprint": parts.fingerprint,
        "head": parts.head,
        "activation": parts.activation,
        "blocks": parts.space.blocks,
        "familiar_within": parts.familiarity.limit,
        "calibration": {"a": parts.calibration.a, "b": parts.calibration.b},
        "likes": parts.likes,
        "dislikes": parts.dislikes,
        "unlabelled": parts.unlabelled,
        "threshold": parts.threshold,
        "unsure": parts.unsure,
        "auc": parts.auc,
        "auc_ci90": parts.auc_ci90,
        "note": parts.note,
        "seed": parts.seed,
        "created_at": parts.created_at,
        "versions": dict(parts.versions),
        "pool": parts.pool,
        "learnt_from": parts.learnt_from,
        "n_library": parts.n_library,
        "n_layers": len(parts.layers),
    }


def arrays_of(parts: TasteParts) -> dict[str, NDArray[Any]]:
    """Return the arrays of a taste by name; float32 but for the layers, which are float64."""
    arrays: dict[str, NDArray[Any]] = {
        "mean": parts.space.standard.mean,
        "scale": parts.space.standard.scale,
        "basis": parts.space.basis,
        "offset": parts.space.offset,
        "known": parts.familiarity.known,
    }
    for number, (weights, bias) in enumerate(parts.layers):
        arrays[f"weights_{number}"] = weights
        arrays[f"bias_{number}"] = bias
    return arrays


def array_names(facts: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the arrays that belong to facts.

    Raises
    ------
    ValueError, TypeError, KeyError
        If the facts do not say how many layers there are, or too many.
    """
    n_layers = _integer(facts["n_layers"])
    if not 1 <= n_layers <= _MAX_LAYERS:
        raise ValueError(f"{n_layers} layers, the limit is {_MAX_LAYERS}")
    return _ARRAYS | {f"{n}_{i}" for n in ("weights", "bias") for i in range(n_layers)}


def parts_from(
    facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], kind: type[_Parts]
) -> _Parts:
    """Make a taste of facts and arrays, trusting neither.

    Parameters
    ----------
    facts, arrays : mapping
        As `facts_of` and `arrays_of` return them.
    kind : type
        `TasteParts` or a subclass.

    Raises
    ------
    ClassifyError, ValueError, TypeError, KeyError
        If something is missing, of another type or out of its domain.
    """
    layers: list[Layer] = [
        (arrays[f"weights_{number}"], arrays[f"bias_{number}"])
        for number in range(_integer(facts["n_layers"]))
    ]
    calibration = facts["calibration"]
    interval = facts["auc_ci90"]
    likes, dislikes = _digests(facts["likes"]), _digests(facts["dislikes"])
    return kind(
        encoder=_text(facts["encoder"]),
        fingerprint=_text(facts["fingerprint"]),
        head=_text(facts["head"]),
        space=_space(arrays, facts),
        familiarity=_familiarity(arrays["known"], facts, len(likes) + len(dislikes)),
        layers=tuple(layers),
        activation=_activation(facts["activation"]),
        calibration=Calibration(a=_number(calibration["a"]), b=_number(calibration["b"])),
        likes=likes,
        dislikes=dislikes,
        unlabelled=_digests(facts["unlabelled"]),
        threshold=_number(facts["threshold"]),
        unsure=_pair(facts["unsure"]),
        auc=None if facts["auc"] is None else _number(facts["auc"]),
        auc_ci90=None if interval is None else _pair(interval),
        note=_text(facts["note"]),
        seed=_integer(facts["seed"]),
        created_at=_text(facts["created_at"]),
        versions=_table(facts["versions"]),
        pool=None if facts.get("pool") is None else _digests(facts["pool"]),
        learnt_from=_text(facts.get("learnt_from", "")),
        n_library=_integer(facts.get("n_library", 0)),
    )


def _space(arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> SongSpace:
    blocks = facts["blocks"]
    if not isinstance(blocks, list) or len(blocks) > _MAX_BLOCKS:
        raise TypeError(f"{blocks!r:.40} where up to {_MAX_BLOCKS} widths are needed")
    if arrays["basis"].shape[-1:] > (MAX_AXES,):
        raise ValueError(f"{arrays['basis'].shape[-1]} axes, the limit is {MAX_AXES}")
    return SongSpace(
        standard=SongTransform(mean=arrays["mean"], scale=arrays["scale"]),
        blocks=tuple(_integer(width) for width in blocks),
        basis=arrays["basis"],
        offset=arrays["offset"],
    )


def _familiarity(known: NDArray[Any], facts: Mapping[str, Any], n_labels: int) -> Familiarity:
    most = max(MAX_KNOWN, n_labels)  # as `Familiarity.fit` keeps; memory and time grow with them
    if len(known) > most:
        raise ValueError(f"{len(known)} known songs, the limit is {most}")
    return Familiarity(known=known, limit=_number(facts["familiar_within"]))


def _activation(value: Any) -> Activation:
    if value == "exp":
        return "exp"
    if value == "relu":
        return "relu"
    raise TypeError(f"{value!r:.40} where an activation is needed")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} where text is needed")
    return value


def _digests(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r:.40} where a list is needed")
    for item in value:
        if not _DIGEST.fullmatch(_text(item)):
            raise ValueError(f"{item!r:.40} where the digest of a recording is needed")
    return tuple(value)


def _table(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!r:.40} where a table is needed")
    return {_text(name): _text(item) for name, item in value.items()}


def _integer(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r:.40} where a whole number is needed")
    if not -_MAX_INTEGER < value < _MAX_INTEGER:
        raise ValueError("a whole number of more than 64 bits")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise TypeError(f"{value!r:.40} where a number is needed")
    return float(value)


def _pair(value: Any) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise TypeError(f"{value!r:.40} where two numbers are needed")
    return _number(value[0]), _number(value[1])
