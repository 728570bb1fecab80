"""What of the songs that were found is left to do: columns, and 64-bit keys."""

__all__: list[str] = []
