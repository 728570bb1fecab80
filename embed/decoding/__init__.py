"""From an audio file to samples: packets, their times, and spans of mono float32."""

__all__: list[str] = []
