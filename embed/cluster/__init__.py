"""The work of a run on several machines, by Ray."""

__all__: list[str] = []
