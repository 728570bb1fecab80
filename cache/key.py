"""Names for recordings and encoders: the two halves of the key of every cached embedding."""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "DIGEST_BYTES",
    "FINGERPRINT_CHARS",
    "audio_hash",
    "encoder_fingerprint",
    "is_digest",
    "is_fingerprint",
]

DIGEST_BYTES = 16  # 128 bits: two of a billion recordings collide with probability 1e-21
FINGERPRINT_CHARS = 16
_DIGEST = re.compile(r"[0-9a-f]{32}")
_FINGERPRINT = re.compile(r"[0-9a-f]{16}")


def audio_hash(*, codec: str, rate_hz: int, n_channels: int) -> hashlib.blake2b:
    """Start the digest of one recording's encoded audio.

    Feed it the payload of every audio packet in order; `hexdigest()` is then the recording's
    name. Tags, pictures, the container and the file's name are never fed, so retagging or
    moving a file keeps its name. Where one packet ends and the next begins does not matter,
    because demuxers cut the same stream differently.

    Parameters
    ----------
    codec : str
        Name of the codec, such as ``"mp3"``. In the header because the same bytes sound
        different under another codec.
    rate_hz : int
        Sample rate of the stream in hertz, positive; for raw codecs the bytes do not hold it.
    n_channels : int
        Channels of the stream, positive.

    Returns
    -------
    hashlib.blake2b
        A running hash of 16 bytes that has been fed the versioned header.

    Raises
    ------
    ValueError
        If `codec` is empty or holds a NUL, or `rate_hz` or `n_channels` is below 1.

    Examples
    --------
    >>> from cache import audio_hash
    >>> hashed = audio_hash(codec="mp3", rate_hz=44100, n_channels=2)
    >>> hashed.update(b"the payload of a packet")
    >>> len(hashed.hexdigest())
    32
    """
    if not codec or "\0" in codec:
        raise ValueError(f"codec is {codec!r}; it must be a name without NUL")
    if rate_hz < 1:
        raise ValueError(f"rate_hz is {rate_hz} Hz; it must be at least 1 Hz")
    if n_channels < 1:
        raise ValueError(f"n_channels is {n_channels}; it must be at least 1")
    # NUL ends each field, so no two headers run into one another; the 1 is the version of the
    # digest itself, to be raised if what is fed ever changes.
    header = f"sevensongs audio 1\0{codec}\0{rate_hz:d}\0{n_channels:d}\0"
    return hashlib.blake2b(header.encode(), digest_size=DIGEST_BYTES)


def encoder_fingerprint(params: Mapping[str, str | int | float | bool | None]) -> str:
    """Name an encoder by everything that moves its numbers.

    Parameters
    ----------
    params : mapping of str to JSON scalar
        Weights digest, front-end parameters, hop, stored resolution, front-end version.
        The order does not matter; ``1`` and ``1.0`` are different.

    Returns
    -------
    str
        16 lowercase hex characters of the SHA-256 of the canonical JSON.

    Raises
    ------
    ValueError
        If `params` is empty, or a float is not finite.
    TypeError
        If a key is not a string or a value is not a JSON scalar.

    Examples
    --------
    >>> from cache import encoder_fingerprint
    >>> encoder_fingerprint({"weights": "0f3a", "hop_s": 0.5})
    '38b2745fe88a84fc'
    """
    if not params:
        raise ValueError("params is empty; an encoder is named by at least its weights")
    for name, value in params.items():
        if not isinstance(name, str):
            raise TypeError(f"the parameter {name!r} is named by a {type(name).__name__}, not str")
        if value is not None and not isinstance(value, str | int | float | bool):
            raise TypeError(
                f"the parameter {name} is a {type(value).__name__}; "
                "it must be a str, int, float, bool or None"
            )
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"the parameter {name} is {value}; it must be finite")
    # Sorted keys and no spaces make the text, and so the fingerprint, the same everywhere.
    canonical = json.dumps(dict(params), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:FINGERPRINT_CHARS]


def is_digest(text: str) -> bool:
    """Tell whether `text` is a recording's digest: 32 lowercase hex characters.

    Examples
    --------
    >>> from cache import is_digest
    >>> is_digest("c05bcc54c1b191e3676e7b49ff4f8eeb"), is_digest("song.mp3")
    (True, False)
    """
    return _DIGEST.fullmatch(text) is not None


def is_fingerprint(text: str) -> bool:
    """Tell whether `text` is an encoder's fingerprint: 16 lowercase hex characters.

    Examples
    --------
    >>> from cache import is_fingerprint
    >>> is_fingerprint("38b2745fe88a84fc"), is_fingerprint("musicnn")
    (True, False)
    """
    return _FINGERPRINT.fullmatch(text) is not None
