"""A trained taste, and all that takes part in a decision. It needs NumPy and safetensors alone."""

__all__: list[str] = []
