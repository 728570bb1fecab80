"""From examples to a taste, and how good it is on songs held out."""

__all__: list[str] = []
