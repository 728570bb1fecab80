"""Playlists that stay true: a rule is kept, and brought up to date."""

__all__: list[str] = []
