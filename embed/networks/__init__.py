"""The networks of the encoders, and their front ends."""

__all__: list[str] = []
