"""What leaves the program: tables, lists, pages, pictures."""

__all__: list[str] = []
