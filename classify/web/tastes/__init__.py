"""Tastes as a listener keeps them: by name, in a colour, from a playlist, beside one another."""

__all__: list[str] = []
