"""Other programs' data about songs: what they tell, and which songs of the library are meant."""

__all__: list[str] = []
