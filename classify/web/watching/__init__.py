"""The served folders are watched, and what comes into them is scanned."""

__all__: list[str] = []
