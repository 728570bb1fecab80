"""Seals: checksums of a dataset's files and keys, kept beside it."""

__all__: list[str] = []
