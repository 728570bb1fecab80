"""The routes of the service, named after what they serve."""

__all__: list[str] = []
