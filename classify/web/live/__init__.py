"""The library and the tastes as they are now, in memory."""

__all__: list[str] = []
