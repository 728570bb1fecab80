"""The OpenAPI document, with the problems that the guard answers with whatever the route."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from classify.web.models import ProblemDocument
from classify.web.problems import problems

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = [
    "use_openapi",
]

_ANY = (400, 401, 403, 414, 421, 431, 500)
_WITH_BODY = (408, 413)
_METHODS = frozenset({"get", "put", "post", "delete", "patch"})
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Needed beyond loopback only."},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "sevensongs"},
}


def use_openapi(app: FastAPI) -> None:
    """Let an application tell all that it may answer."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(made())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI's documentation has it


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    parts = document.setdefault("components", {})
    schema = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = parts.setdefault("schemas", {})
    schemas |= schema.pop("$defs", {}) | {"ProblemDocument": schema}
    parts["securitySchemes"] = _SCHEMES
    document["security"] = [{}, {"bearer": []}, {"cookie": []}]
    for path in document["paths"].values():
        for method, operation in path.items():
            if method not in _METHODS:
                continue
            statuses = (*_ANY, *_WITH_BODY) if "requestBody" in operation else _ANY
            for status, response in problems(*statuses).items():
                operation["responses"].setdefault(str(status), response)
    return document
