"""The command `sevensongs`: parse, call, print, exit code."""

__all__: list[str] = []
