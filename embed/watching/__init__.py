"""Folders that are watched: what is new in them is embedded once it is whole."""

__all__: list[str] = []
