"""Which rows of stores and of the catalog belong together, in columns."""

__all__: list[str] = []
