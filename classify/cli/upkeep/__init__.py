"""Commands that keep things up to date: a folder that is watched, and what follows."""

__all__: list[str] = []
