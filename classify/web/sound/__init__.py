"""A song's own bytes, and its picture."""

__all__: list[str] = []
