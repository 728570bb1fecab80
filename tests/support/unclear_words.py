"""What people did not understand, or what a song's own row contradicted."""

from __future__ import annotations

__all__ = ["UNCLEAR"]

UNCLEAR = (
    "against chance",
    "all like this",
    "alone it would have",
    "shared out evenly",
    "is it really",
    " ranked",
    "dislikes",
)
