"""From a card's TOML, and what the model file says of itself, to a `Card`."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from embed.errors import EncoderError, EncoderUnavailable
from embed.model_files.card import Card, FrontEndFile, Input, LogMel, ModelTags, Output
from embed.model_files.known_shapes import known_shape
from embed.model_files.layouts import choose_layout
from embed.model_files.onnx_file import onnx_outline
from embed.model_files.outline import ModelOutline, Tensor
from embed.model_files.tflite_file import tflite_outline

__all__ = ["EXAMPLE_CARD", "OUTLINES", "card_path", "read_card"]

_MAX_CARD_BYTES = 64 * 1024
OUTLINES: Mapping[str, Callable[[Path], ModelOutline]] = {
    "onnx": onnx_outline,
    "tflite": tflite_outline,
}
EXAMPLE_CARD = """\
sample_rate = 16000      # Hz
window_samples = 15712   # what the network hears at a time; window_s says it in seconds
hop_samples = 7680       # to the next; left out: they follow one another
credit = "who made it"
licence = "Apache-2.0"

[log_mel]                # left out where the network reads the waveform
n_fft = 512
window = 400
hop = 160
mels = 64
fmin = 125
fmax = 7500
mel = "htk"              # or slaney
norm = "none"            # or slaney
power = 1                # of the magnitude; or 2
log = "ln"               # or log10, db, none
floor = 0.001

[output]
name = "embeddings"      # left out where there is one output
"""
_KEYS = {
    "sample_rate",
    "window_samples",
    "window_s",
    "hop_samples",
    "hop_s",
    "parts",
    "level_power",
    "scan_windows",
    "credit",
    "licence",
    "input",
    "log_mel",
    "front_end",
    "output",
    "tags",
}
_Section = TypeVar("_Section", LogMel, FrontEndFile, Output, ModelTags)


def card_path(model: Path) -> Path:
    """Return where the card of a model file is."""
    return model.with_name(f"{model.name}.toml")


def read_card(kind: str, model: Path) -> Card:
    """Read the card of a model file; no runtime is imported.

    Parameters
    ----------
    kind : {'onnx', 'tflite'}
    model : path
        The model file. Its card is beside it, with ``.toml`` after the file's whole name.

    Returns
    -------
    Card
        What the card leaves out is taken from the file's names and shapes, where they tell.

    Raises
    ------
    EncoderUnavailable
        If the model file or its card can't be read.
    EncoderError
        If the file is no model, the card is wrong, or something is told by neither; where there is
        no card, with an example as a note.
    """
    outline = OUTLINES[kind](model)
    path = card_path(model)
    try:
        with path.open("rb") as stream:
            text = stream.read(_MAX_CARD_BYTES + 1)
    except FileNotFoundError:
        return _card_of_shapes(model, outline)
    except OSError as error:
        raise EncoderUnavailable(f"The card {path} can't be read ({error.strerror}).") from error
    try:
        if len(text) > _MAX_CARD_BYTES:
            raise ValueError(f"it has more than {_MAX_CARD_BYTES} bytes")
        return _card(tomllib.loads(text.decode("utf-8")), outline)
    except (ValueError, RecursionError) as error:  # of TOML and of UTF-8 too
        raise EncoderError(
            f"The card {path} is wrong: {error or 'it is nested too deep'}."
        ) from error


def _card_of_shapes(model: Path, outline: ModelOutline) -> Card:
    """Tell by shapes what network a file has."""
    found = known_shape(outline)
    if found is None:
        error = EncoderError(
            f"{model} has no card, and its shapes are of no network that is known here: it reads "
            f"{_told(outline.inputs)} and gives {_told(outline.outputs)}. Write "
            f"{card_path(model)}, such as this one; embed/README.md has all that it may say."
        )
        error.add_note(EXAMPLE_CARD)
        raise error
    known, output = found
    told = f"{model} has no card; its shapes are {known.what}, and it is taken for that"
    try:
        return _card({**known.card, "output": {"name": output}}, outline, told=told)
    except ValueError as error:
        raise EncoderError(
            f"{model} has no card; its shapes are {known.what}, but {error}. Write "
            f"{card_path(model)}."
        ) from error


def _card(said: Mapping[str, Any], outline: ModelOutline, *, told: str = "") -> Card:
    """Make a card of what was said; a ValueError where something is wrong or missing."""
    _refuse_unknown(said, _KEYS, "")
    if len(outline.inputs) != 1:
        raise ValueError(
            f"the network reads {_told(outline.inputs)}; one with a single input is needed"
        )
    (tensor,) = outline.inputs
    log_mel = _section(LogMel, said, "log_mel", renamed={"mel": "scale_kind"})
    front_end = _section(FrontEndFile, said, "front_end")
    rate_hz = _number(said, "sample_rate", int)
    if rate_hz is None:
        raise ValueError("sample_rate is missing")
    window = _samples(said, "window", rate_hz)
    given = _table(said, "input")
    _refuse_unknown(given, {"layout", "gain", "scale", "zero_point"}, "input")
    layout, window = choose_layout(
        tensor, log_mel, window, given=given.get("layout"), has_front_end=front_end is not None
    )
    hop = _samples(said, "hop", rate_hz) or window
    outputs = _outputs(said, outline)
    tags = _section(ModelTags, said, "tags")
    if tags is not None and tags.output not in ("", *(one.name for one in outputs)):
        raise ValueError(f"[tags] output is {tags.output!r:.80}, which is not in [output]")
    if tags is not None and tags.output == "" and len(outputs) > 1:
        raise ValueError("[tags] output is missing: it says which of the outputs is the tags")
    return Card(
        rate_hz=rate_hz,
        window_samples=window,
        hop_samples=hop,
        parts=_number(said, "parts", int) or Card.usual_parts(rate_hz, hop),
        input=_input(given, tensor, layout),
        outputs=outputs,
        log_mel=log_mel,
        front_end=front_end,
        tags=tags,
        **_of_the_whole(said),
        told=(told,) if told else (),
    )


def _of_the_whole(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a card says of level, scans and its makers."""
    values = {
        "level_power": _number(said, "level_power", float),
        "scan_windows": _number(said, "scan_windows", int),
        **{name: _text(said, name) for name in ("credit", "licence")},
    }
    return {name: value for name, value in values.items() if value is not None}


def _input(given: Mapping[str, Any], tensor: Tensor, layout: tuple[str, ...]) -> Input:
    scale, zero_point = _quantisation(tensor, given, "input")
    gain = _number(given, "gain", float)
    return Input(
        layout=layout, gain=1.0 if gain is None else gain, scale=scale, zero_point=zero_point
    )


def _quantisation(tensor: Tensor, given: Mapping[str, Any], where: str) -> tuple[float, int]:
    """Return scale and zero point of an input or output: the card's, else the file's own."""
    scale, zero_point = _number(given, "scale", float), _number(given, "zero_point", int)
    if tensor.dtype.startswith("float"):
        if scale or zero_point:
            raise ValueError(f"[{where}] scale is for integers; {tensor.told} are floats")
        return 0.0, 0
    if tensor.dtype == "other":
        raise ValueError(f"{tensor.told} are no numbers that can be read")
    if scale is None and not tensor.scale:
        raise ValueError(
            f"[{where}] scale and zero_point are missing: {tensor.told} are integers, and the file "
            "does not tell what they stand for"
        )
    if scale is None:
        return tensor.scale, tensor.zero_point
    if scale <= 0:
        raise ValueError(f"[{where}] scale is {scale}; it must be above 0")
    return scale, zero_point or 0


def _outputs(said: Mapping[str, Any], outline: ModelOutline) -> tuple[Output, ...]:
    given = said.get("output", {})
    sections = given if isinstance(given, list) else [given]
    if not all(isinstance(one, dict) for one in sections) or not sections:
        raise ValueError("[output] must be a table, or [[output]] several")
    return tuple(_output(one, outline) for one in sections)


def _output(given: Mapping[str, Any], outline: ModelOutline) -> Output:
    """Read one output of the embedding; its name may be left out where there is one."""
    there = {one.name: one for one in outline.outputs}
    name = _text(given, "name")
    if name is None and len(there) == 1:
        name = next(iter(there))
    if name not in there:
        wrong = "name is missing" if name is None else f"name is {name!r:.80}"
        raise ValueError(
            f"[output] {wrong}: it says which is the embedding, of {_told(outline.outputs)}"
        )
    scale, zero_point = _quantisation(there[name], given, "output")
    values = {**given, "name": name, "scale": scale, "zero_point": zero_point}
    section = _section(Output, {"output": values}, "output")
    assert section is not None
    return section


def _section(
    kind: type[_Section],
    said: Mapping[str, Any],
    where: str,
    *,
    renamed: Mapping[str, str] | None = None,
) -> _Section | None:
    """Read a section into its dataclass, by the names and types of its fields."""
    if where not in said:
        return None
    other = renamed or {}
    given = _table(said, where)
    hints = get_type_hints(kind)
    keys = {name: name for name in hints if name not in other.values()} | dict(other)
    _refuse_unknown(given, keys.keys(), where)
    values = {
        keys[key]: _checked(value, hints[keys[key]], f"[{where}] {key}")
        for key, value in given.items()
    }
    missing = [f.name for f in fields(kind) if f.default is MISSING and f.name not in values]
    if missing:
        raise ValueError(f"[{where}] {missing[0]} is missing")
    try:
        return kind(**values)
    except ValueError as error:
        raise ValueError(f"[{where}] {error}") from error


def _checked(value: Any, wanted: Any, where: str) -> Any:
    if get_origin(wanted) is Literal:
        choices = get_args(wanted)
        if value not in choices:
            raise ValueError(f"{where} is {value!r:.80}; there are {', '.join(choices)}")
        return value
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not wanted or value != value or value in (float("inf"), -float("inf")):
        name = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
        raise ValueError(f"{where} is {value!r:.80}; it must be {name[wanted]}")
    return value


def _table(said: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    given = said.get(where, {})
    if not isinstance(given, dict):
        raise ValueError(f"[{where}] must be a table")
    return given


def _refuse_unknown(given: Mapping[str, Any], known: Collection[str], where: str) -> None:
    """Refuse keys that mean nothing: one that is spelt wrong must not go unseen."""
    unknown = sorted(given.keys() - set(known))
    if unknown:
        place = f"[{where}] " if where else ""
        raise ValueError(
            f"{place}{unknown[0]!r:.60} is unknown; there are {', '.join(sorted(known))}"
        )


def _number(said: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    return _checked(said[name], kind, name) if name in said else None


def _text(said: Mapping[str, Any], name: str) -> str | None:
    return str(_checked(said[name], str, name)) if name in said else None


def _samples(said: Mapping[str, Any], name: str, rate_hz: int) -> int:
    """Return a length that is said in samples or in seconds; 0 where it is not said."""
    samples, seconds = f"{name}_samples", f"{name}_s"
    if samples in said and seconds in said:
        raise ValueError(f"{samples} and {seconds} say the same; give one of them")
    length = _number(said, samples, int)
    if length is None:
        length_s = _number(said, seconds, float)
        length = None if length_s is None else round(length_s * rate_hz)
    if length is not None and length <= 0:
        raise ValueError(f"{samples if samples in said else seconds} must be above 0")
    return length or 0


def _told(tensors: tuple[Tensor, ...]) -> str:
    return "; ".join(one.told for one in tensors[:8])
