"""Lists of songs that other programs write: tables, and playlists that tell titles."""

__all__: list[str] = []
