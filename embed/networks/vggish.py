"""The VGGish encoder: Google's VGG on YouTube audio, from TF Hub.

Source: https://www.kaggle.com/models/google/vggish (model card): 16 kHz, 25 ms STFT windows every
10 ms, examples of 96 frames (0.96 s) without overlap, 128 numbers each.
"""

from __future__ import annotations

from embed.networks import hub
from embed.networks.network import Network, Weights

__all__ = ["HANDLE", "N_PARTS", "STEP_SAMPLES", "WINDOW_SAMPLES", "build"]

HANDLE = "https://tfhub.dev/google/vggish/1"
N_PARTS = 3  # examples of one stored frame, so that it covers about 3 s
STEP_SAMPLES = N_PARTS * 15360
WINDOW_SAMPLES = STEP_SAMPLES - 160 + 400  # the last of its STFT frames is 400 samples long


def build(weights: Weights) -> Network:
    """Build the network: a window of 46320 samples to the embeddings (3, 128) of its examples."""
    return hub.build(weights, window_samples=WINDOW_SAMPLES, n_parts=N_PARTS)
