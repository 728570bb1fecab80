"""Why a song has its score: `explain`."""

__all__: list[str] = []
