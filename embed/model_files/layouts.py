"""Which axis of a network's input is what, and how long a window is, by its shape."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from embed.model_files.card import LAYOUT_AXES, LogMel
from embed.model_files.outline import Tensor

__all__ = ["choose_layout"]

Layout = tuple[str, ...]
_LEAST_SAMPLES = 16


def choose_layout(
    tensor: Tensor, log_mel: LogMel | None, window: int, *, given: Any, has_front_end: bool
) -> tuple[Layout, int]:
    """Return what each axis of an input is, and the window's length in samples.

    Parameters
    ----------
    tensor : Tensor
        The network's input.
    log_mel : LogMel or None
    window : int
        The window's length; 0 where the card does not say it.
    given : list of str or None
        The card's layout.
    has_front_end : bool
        Whether another network is before this one, which gives frames of bands.

    Raises
    ------
    ValueError
        If the shape does not tell, or does not go with the window.
    """
    rank = len(tensor.shape)
    is_mel = log_mel is not None or has_front_end
    if given is None:
        candidates = _usual_layouts(rank, is_mel=is_mel)
    elif isinstance(given, list) and all(isinstance(one, str) for one in given):
        candidates = [tuple(given)]
    else:
        raise ValueError(f"[input] layout must be a list of {', '.join(LAYOUT_AXES)}")
    if given is not None:
        _check_given(candidates[0], tensor, is_mel=is_mel)
    length = window
    if log_mel is not None and window:
        length = log_mel.n_frames(window)
    fitting = [
        one for one in candidates if _fits(one, tensor, log_mel, 0 if has_front_end else length)
    ]
    if len(fitting) != 1:
        raise ValueError(_wrong(tensor, log_mel, length, fitting, given=given is not None))
    (layout,) = fitting
    return layout, window or _window_of(layout, tensor, log_mel, has_front_end=has_front_end)


def _usual_layouts(rank: int, *, is_mel: bool) -> list[Layout]:
    """List the layouts that networks have: the batch, if any, is first."""
    axes = (
        {1: (), 2: (), 3: ("batch",), 4: ("batch", "channel")}
        if is_mel
        else {1: (), 2: ("batch",), 3: ("batch", "channel")}
    )
    if rank not in axes:
        return []
    inner = [*axes[rank][1:], "time", *(["mel"] if is_mel else [])]
    found = [(*axes[rank][:1], *order) for order in permutations(inner)]
    return [one for one in found if not is_mel or abs(one.index("time") - one.index("mel")) == 1]


def _check_given(layout: Layout, tensor: Tensor, *, is_mel: bool) -> None:
    if len(layout) != len(tensor.shape):
        raise ValueError(
            f"[input] layout has {len(layout)} axes, and {tensor.told} has {len(tensor.shape)}"
        )
    if ("mel" in layout) != is_mel:
        what = "there is a front end" if is_mel else "there is no front end"
        raise ValueError(f"[input] layout is {', '.join(layout)}, and {what}")


def _fits(layout: Layout, tensor: Tensor, log_mel: LogMel | None, length: int) -> bool:
    """Whether lengths that the file fixes are those of a layout; a `length` of 0 is not known."""
    for axis, n in zip(layout, tensor.shape, strict=True):
        if n is None:
            continue
        if axis == "mel" and log_mel is not None and n != log_mel.mels:
            return False
        if axis == "time" and length and n != length:
            return False
        if axis == "time" and "mel" not in layout and n < _LEAST_SAMPLES:
            return False
        if axis == "channel" and n > 8:
            return False
    return True


def _window_of(
    layout: Layout, tensor: Tensor, log_mel: LogMel | None, *, has_front_end: bool
) -> int:
    n = tensor.shape[layout.index("time")]
    if n is None or has_front_end:
        raise ValueError(
            "window_samples (or window_s) is missing: the file does not tell how long the network "
            "listens"
        )
    return n if log_mel is None else log_mel.n_samples(n)


def _wrong(
    tensor: Tensor, log_mel: LogMel | None, length: int, fitting: list[Layout], *, given: bool
) -> str:
    reads = f"the network reads {tensor.told}"
    if len(fitting) > 1:
        ways = " or ".join(str(list(one)).replace("'", '"') for one in fitting)
        return f"[input] layout is missing: {reads}, which may be {ways}"
    if log_mel is None:
        what = f"a window of {length} samples" if length else "a waveform"
        return f"{reads}, which is not {what}"
    what = f"{length} STFT frames of {log_mel.mels} mel bands"
    if not length:
        what = f"STFT frames of {log_mel.mels} mel bands"
    times = [n for n in tensor.shape if n and n not in (1, log_mel.mels)]
    hint = ""
    if len(times) == 1 and log_mel.mels in tensor.shape:
        samples = log_mel.n_samples(times[0])
        hint = f"; window_samples = {samples} gives {times[0]} frames"
    return f"{reads}, which {'in this layout ' if given else ''}is not {what}{hint}"
