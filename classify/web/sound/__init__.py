"""A song's own bytes, its pictures, and how loud it is."""

__all__: list[str] = []
