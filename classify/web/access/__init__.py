"""Who may ask, how much and how slowly."""

__all__: list[str] = []
