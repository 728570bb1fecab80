"""The cached library: its files and song vectors, and what is asked of all of them."""

__all__: list[str] = []
