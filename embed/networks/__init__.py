"""The networks of the encoders, as TensorFlow functions, and their front ends."""

__all__: list[str] = []
