"""Several encoders under one name, ``musicnn+yamnet``: how they are named and made ready together.

Nothing is stored under such a name. Each part keeps its own embeddings under its own fingerprint,
so what `musicnn` has embedded serves ``musicnn+yamnet`` too; song vectors are put side by side when
they are read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from embed.encoders.choices import DEFAULT_ENCODER, chosen_encoder
from embed.encoders.preparing import PreparedEncoder, prepare_encoder
from embed.encoders.registry import ENCODERS, OWN_KINDS, full_name, is_own_model
from embed.errors import EncoderError

__all__ = [
    "MAX_PARTS",
    "PreparedEncoders",
    "encoder_name",
    "encoder_names",
    "prepare_encoders",
    "split_encoder",
]

MAX_PARTS = 4
"""Each further encoder costs its time on every song, and adds less than the one before."""


@dataclass(frozen=True, kw_only=True)
class PreparedEncoders:
    """One encoder or several, ready for work, in the order in which their song vectors stand.

    Raises
    ------
    EncoderError
        If two parts compute the same, as two copies of one model do.
    """

    parts: tuple[PreparedEncoder, ...]

    def __post_init__(self) -> None:
        first: dict[str, str] = {}
        for part in self.parts:
            other = first.setdefault(part.fingerprint, part.name)
            if other != part.name:
                raise EncoderError(
                    f"{other} and {part.name} are the same encoder ({part.fingerprint}) under two "
                    "names, and twice the same tells no more: name one of them"
                )

    @property
    def name(self) -> str:
        """The parts' names, joined by +."""
        return "+".join(part.name for part in self.parts)

    @property
    def fingerprint(self) -> str:
        """The parts' fingerprints, joined by +."""
        return "+".join(part.fingerprint for part in self.parts)


def split_encoder(name: str) -> tuple[str, ...]:
    """Split a name at the + between encoders; what the parts are is not looked at.

    Parameters
    ----------
    name : str
        Such as ``musicnn``, ``musicnn+yamnet`` or ``hub:/models/c+++musicnn``. Paths and handles
        may hold a + of their own: a ``hub:``, ``onnx:`` or ``tflite:`` part ends only where a whole
        encoder's name, or one of these, follows.

    Returns
    -------
    tuple of str
        At least one, in the order given; some may be empty or unknown.

    Examples
    --------
    >>> from embed import split_encoder
    >>> split_encoder("musicnn+hub:/models/c++")
    ('musicnn', 'hub:/models/c++')
    """
    known = "|".join(re.escape(key) for key in ENCODERS if not is_own_model(key))
    own = "|".join(OWN_KINDS)
    after_model = re.compile(rf"\+(?=(?:{known})(?:\+|\Z)|(?:{own}):)")
    parts = []
    rest: str | None = name
    while rest is not None:
        if rest.startswith(tuple(f"{kind}:" for kind in OWN_KINDS)):
            part, *others = after_model.split(rest, maxsplit=1)
        else:
            part, *others = rest.split("+", maxsplit=1)
        parts.append(part)
        rest = others[0] if others else None
    return tuple(parts)


def encoder_names(name: str) -> tuple[str, ...]:
    """Return the encoders that a name stands for, sorted: ``b+a`` is ``a+b``.

    Parameters
    ----------
    name : str
        A key of `ENCODERS`, ``hub:<handle or folder>``, ``onnx:<file>``, ``tflite:<file>``, or up
        to four of these joined by +. ``best``, ``default`` and ``fast`` stand for what
        `chosen_encoder` says.

    Raises
    ------
    EncoderError
        If a part is unknown or named twice, there are more than four, or a model's folder reads as
        several.
    """
    given = [part for choice in split_encoder(name) for part in _meant(choice)]
    if len(given) > MAX_PARTS:
        raise EncoderError(
            f"{name!r:.200} names {len(given)} encoders; up to {MAX_PARTS} go together"
        )
    names = tuple(sorted(full_name(part) for part in given))
    twice = {one for one in names if names.count(one) > 1}
    if twice:
        raise EncoderError(f"{name!r:.200} names {min(twice)} twice; name each encoder once")
    if split_encoder("+".join(names)) != names:
        raise EncoderError(
            f"{name!r:.200} leads to a path that ends like a second encoder's name; rename the "
            "folder or file"
        )
    return names


def _meant(choice: str) -> list[str]:
    """Return the encoders that a part of a name stands for."""
    parts = split_encoder(chosen_encoder(choice))
    if choice != "default":
        return [*parts]
    # The environment may name several, by what they stand for; `default` there is ours.
    named = (DEFAULT_ENCODER if one == "default" else chosen_encoder(one) for one in parts)
    return [part for one in named for part in split_encoder(one)]


def encoder_name(name: str) -> str:
    """Return the one name that tastes and reports use for what a user calls `name`.

    Raises
    ------
    EncoderError
        See `encoder_names`.

    Examples
    --------
    >>> from embed import encoder_name
    >>> encoder_name("yamnet+musicnn")
    'musicnn+yamnet'
    """
    return "+".join(encoder_names(name))


def prepare_encoders(name: str, *, root: str | Path | None = None) -> PreparedEncoders:
    """Have one encoder or several compiled; see `embed.prepare_encoder`.

    Parameters
    ----------
    name : str
        See `encoder_names`.
    root : path, optional
        The cache.

    Raises
    ------
    EncoderError
        If the name is wrong, or two parts are the same model.
    EncoderUnavailable
        If the weights of a part can't be had.

    Examples
    --------
    >>> from embed import prepare_encoders
    >>> [part.dim for part in prepare_encoders("musicnn").parts]
    [424]
    """
    return PreparedEncoders(
        parts=tuple(prepare_encoder(one, root=root) for one in encoder_names(name))
    )
