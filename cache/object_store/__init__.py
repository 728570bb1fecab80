"""Caches and music in object stores such as Amazon S3."""

__all__: list[str] = []
