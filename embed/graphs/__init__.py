"""Networks as graphs of LiteRT's operators: to a file for LiteRT, and to TensorFlow."""

__all__: list[str] = []
