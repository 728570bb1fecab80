"""Songs that clients send: taken in, scored, removed."""

__all__: list[str] = []
