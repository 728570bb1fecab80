"""The page of `evaluate --report`."""

__all__: list[str] = []
