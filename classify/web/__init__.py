"""The service over HTTP: the routes, and what they stand on.

It starts at `classify.web.app.create_app`.
"""

__all__: list[str] = []
