"""Which encoder is meant where none is named, and what ``best`` and ``fast`` stand for.

Chosen by measurement (tests/benchmarks/README.md). The default is chosen here and nowhere else; the
command calls it ``default``, since its help imports nothing of `embed`.
"""

from __future__ import annotations

__all__ = ["BEST_ENCODER", "DEFAULT_ENCODER", "ENCODER_CHOICES", "FAST_ENCODER"]

FAST_ENCODER = "musicnn"
"""The quickest; a single encoder."""
BEST_ENCODER = "aisfx+mtt-vgg+musicnn"
"""The most accurate, whatever it takes."""
DEFAULT_ENCODER = FAST_ENCODER
"""What an encoder's name is where none is given."""
ENCODER_CHOICES = {"best": BEST_ENCODER, "default": DEFAULT_ENCODER, "fast": FAST_ENCODER}
