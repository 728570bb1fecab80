"""An encoder: a compiled network, the grid of windows that it reads, and its name."""

__all__: list[str] = []
