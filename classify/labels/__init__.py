"""Likes and dislikes, and what is learnt from them."""

__all__: list[str] = []
