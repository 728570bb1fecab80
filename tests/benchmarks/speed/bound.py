"""What no embedding can beat on this machine.

It is the processor time of decoding and of the network, each alone.

A process of its own with one thread: `python speed/bound.py CACHE`. For each JSON line that it
reads it measures one of the two, and answers with a line of figures.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed import encoder_spec, load_encoder, probe, read_spans
from embed.encoders.encoder import Encoder
from embed.encoders.windows import NativeCut, choose_windows

__all__ = ["decode", "network", "serve"]

_AT_ONCE = 16  # windows that the network gets together, as a worker's does
# so that it takes a second or two: what is shorter says little on a machine that others use too
_TIMES = 8


def decode(encoder: str, paths: list[str], n_windows: int) -> dict[str, Any]:
    """Decode windows of files to mono at the encoder's rate; 0 for all of them.

    What comes before, finding and checking packets, is not counted.
    """
    grid = encoder_spec(encoder).grid
    seconds, windows = {}, 0
    for path in paths:
        info = probe(path)
        cut = NativeCut(grid=grid, native_hz=info.rate_hz, n_native=info.n_samples)
        chosen = choose_windows(grid.count(cut.n_samples), n_windows)
        spans = cut.spans(chosen)
        started = time.process_time()
        for i, span, samples in zip(chosen, spans, read_spans(info, spans), strict=True):
            cut.resample(i, span, samples)
        seconds[Path(path).name] = time.process_time() - started
        windows += len(chosen)
    return {"cpu_s": sum(seconds.values()), "n_windows": windows, "by_file": seconds}


def network(encoder: Encoder, windows: NDArray[np.float32]) -> dict[str, Any]:
    """Embed ready windows: front end and network."""
    started = time.process_time()
    for _ in range(_TIMES):
        for first in range(0, len(windows), _AT_ONCE):
            encoder.embed_windows(windows[first : first + _AT_ONCE])
    return {"cpu_s": time.process_time() - started, "n_windows": _TIMES * len(windows)}


def _some_windows(encoder: Encoder, path: str, n_windows: int) -> NDArray[np.float32]:
    info, grid = probe(path), encoder.spec.grid
    cut = NativeCut(grid=grid, native_hz=info.rate_hz, n_native=info.n_samples)
    chosen = choose_windows(grid.count(cut.n_samples), n_windows)
    spans = cut.spans(chosen)
    return np.stack(
        [cut.resample(*one) for one in zip(chosen, spans, read_spans(info, spans), strict=True)]
    )


def serve(cache: str) -> None:
    """Measure what each line asks for: `decode` or `network`, and of what."""
    encoders: dict[str, tuple[Encoder, NDArray[np.float32]]] = {}
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        asked = json.loads(line)
        name, paths = asked["encoder"], asked["paths"]
        if asked["what"] == "decode":
            answer = decode(name, paths, asked["n_windows"])
        else:
            if name not in encoders:
                encoder = load_encoder(name, root=cache)
                encoders[name] = encoder, _some_windows(encoder, paths[0], asked["n_windows"])
                network(*encoders[name])  # the first time takes longer
            answer = network(*encoders[name])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
