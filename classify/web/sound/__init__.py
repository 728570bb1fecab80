"""A song's own bytes, its picture, and how loud it is."""

__all__: list[str] = []
