"""Whether a cache is sound, and its mending."""

__all__: list[str] = []
