"""How good a taste is on songs that it has not seen: `evaluate`."""

__all__: list[str] = []
