"""Music servers that a person connects: what they say of songs, and playlists for them."""

__all__: list[str] = []
