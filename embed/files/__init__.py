"""From the paths that a user names to audio files."""

__all__: list[str] = []
