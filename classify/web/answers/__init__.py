"""What takes a while to find out, and is kept: reasons, songs alike, the map, playlists."""

__all__: list[str] = []
