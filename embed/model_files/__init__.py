"""Networks that a user brings as a file, ONNX or TensorFlow Lite, with a card beside it."""

__all__: list[str] = []
