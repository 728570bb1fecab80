"""From a taste to scores: the songs that are wanted, best first."""

__all__: list[str] = []
