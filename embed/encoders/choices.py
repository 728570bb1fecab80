"""Which encoder is meant where none is named, and what ``best`` and ``fast`` stand for.

Chosen by measurement (tests/benchmarks/README.md). The default is chosen here and nowhere else; the
command and the functions call it ``default``. It imports nothing of ours, so that the command can
name the default before it does anything.
"""

from __future__ import annotations

import os

__all__ = [
    "BEST_ENCODER",
    "DEFAULT_ENCODER",
    "ENCODER_VARIABLE",
    "FAST_ENCODER",
    "chosen_encoder",
    "default_encoder",
]

FAST_ENCODER = "musicnn"
"""The quickest; a single encoder."""
BEST_ENCODER = "aisfx+mtt-vgg+musicnn"
"""The most accurate, whatever it takes."""
DEFAULT_ENCODER = "aisfx+musicnn"
"""The most accurate that embeds 250 songs a minute on two cores."""
ENCODER_VARIABLE = "SEVENSONGS_ENCODER"
"""The environment's variable that names another default."""


def default_encoder() -> str:
    """Return the encoder that is meant where none is named.

    Returns
    -------
    str
        What the environment's `SEVENSONGS_ENCODER` says, else `DEFAULT_ENCODER`; not checked.
        Joined by + it may name several, ``best`` and ``fast`` among them.

    Examples
    --------
    >>> from embed import default_encoder
    >>> default_encoder().endswith("musicnn")
    True
    """
    named = os.environ.get(ENCODER_VARIABLE, "").strip()
    return chosen_encoder(named) if named not in ("", "default") else DEFAULT_ENCODER


def chosen_encoder(name: str) -> str:
    """Return what ``best``, ``default`` and ``fast`` stand for, or the name itself.

    Examples
    --------
    >>> from embed import chosen_encoder
    >>> chosen_encoder("best")
    'aisfx+mtt-vgg+musicnn'
    """
    if name == "default":
        return default_encoder()
    return {"best": BEST_ENCODER, "fast": FAST_ENCODER}.get(name, name)
