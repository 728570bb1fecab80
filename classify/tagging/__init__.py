"""Scores in the tags of songs, written only when asked for, and taken back exactly."""

__all__: list[str] = []
