"""The YAMNet encoder: Google's MobileNet on AudioSet, from TF Hub.

Source: https://www.kaggle.com/models/google/yamnet (model card); input and patch geometry from its
parameters: 16 kHz, 25 ms STFT windows every 10 ms, patches of 96 frames (0.96 s) every 48 (0.48 s).
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np

from embed.networks import hub
from embed.networks.network import Network, Weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["HANDLE", "N_PARTS", "STEP_SAMPLES", "WINDOW_SAMPLES", "build", "tag_scores"]

HANDLE = "https://tfhub.dev/google/yamnet/1"
N_PARTS = 6  # patches of one stored frame, so that it covers about 3 s
_PATCH_SAMPLES = 15600  # 96 STFT frames: 95 hops of 160 and a window of 400
_HOP_SAMPLES = 7680  # 0.48 s
STEP_SAMPLES = N_PARTS * _HOP_SAMPLES
WINDOW_SAMPLES = (N_PARTS - 1) * _HOP_SAMPLES + _PATCH_SAMPLES
_N_CLASSES = 521
_DIM = 1024


def build(weights: Weights) -> Network:
    """Build the network: a window of 54000 samples to the embeddings (6, 1024) of its patches."""
    network = hub.build(weights, window_samples=WINDOW_SAMPLES, n_parts=N_PARTS)
    layer = hub.last_layer(weights, (_DIM, _N_CLASSES))
    tags = _class_names(weights) if layer else ()
    return Network(
        function=network.function,
        input_shape=network.input_shape,
        constants=layer,
        tags=tags,
        keep=network.keep,
    )


def tag_scores(
    embeddings: NDArray[np.float32], constants: Mapping[str, NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Compute the AudioSet classes' scores (n_frames, 521) in [0, 1]: the network's last layer."""
    logits = embeddings @ constants["tags_w"] + constants["tags_b"]
    return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)


def _class_names(weights: Weights) -> tuple[str, ...]:
    path = weights.path / "assets" / "yamnet_class_map.csv"
    if not path.is_file():
        return ()
    with path.open(newline="", encoding="utf-8") as stream:
        names = tuple(row["display_name"] for row in csv.DictReader(stream))
    return names if len(names) == _N_CLASSES else ()
