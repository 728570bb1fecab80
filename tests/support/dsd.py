"""DSD files (Sony's DSF, Philips' DFF), of which Debian has no encoder.

Each bit is one with a probability that follows the sound: much noise, which the filter that makes
samples of it takes away for the most part.
"""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

__all__ = ["write_dff", "write_dsf"]

_RATE_HZ = 64 * 44100
_BLOCK_BYTES = 4096
_SECONDS = 8


def _bits(wav: Path) -> NDArray[np.uint8]:
    """Return eight seconds of a file at 44.1 kHz as bits, mono."""
    with av.open(str(wav)) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
    whole = np.concatenate(frames, axis=1).astype(np.float64) / 2**15
    pcm = whole[0, 9 * 88200 : (9 + _SECONDS) * 88200 : 2]
    rng = np.random.default_rng(0)
    ones: NDArray[np.bool_] = rng.random((len(pcm), 64)) < (1 + pcm[:, np.newaxis]) / 2
    return ones.ravel().view(np.uint8)


def write_dsf(wav: Path, out: Path) -> None:
    """Write a DSF file (Sony, DSF File Format Specification 1.01)."""
    bits = _bits(wav)
    content = np.packbits(bits, bitorder="little").tobytes()
    content += b"\x69" * (-len(content) % _BLOCK_BYTES)
    form = struct.pack("<6IQ2I", 1, 0, 1, 1, _RATE_HZ, 1, len(bits), _BLOCK_BYTES, 0)
    rest = b"fmt " + struct.pack("<Q", 12 + len(form)) + form
    rest += b"data" + struct.pack("<Q", 12 + len(content)) + content
    out.write_bytes(b"DSD " + struct.pack("<3Q", 28, 28 + len(rest), 0) + rest)


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack(">Q", len(content)) + content + b"\0" * (len(content) % 2)


def write_dff(wav: Path, out: Path) -> None:
    """Write a DSDIFF file (Philips, DSDIFF 1.5)."""
    properties = b"SND " + _chunk(b"FS  ", struct.pack(">I", _RATE_HZ))
    properties += _chunk(b"CHNL", struct.pack(">H", 1) + b"C   ")
    properties += _chunk(b"CMPR", b"DSD \x0enot compressed")
    body = b"DSD " + _chunk(b"FVER", struct.pack(">I", 0x01050000)) + _chunk(b"PROP", properties)
    body += _chunk(b"DSD ", np.packbits(_bits(wav)).tobytes())
    out.write_bytes(_chunk(b"FRM8", body))
