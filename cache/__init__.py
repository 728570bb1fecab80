"""The cache of Seven Songs: digests and arrays, never audio. cache/README.md has the format.

Names are imported when first used, from where `__init__.pyi` says: a digest or the cache's place
needs no arrays.
"""

from typing import Any

import lazy_loader

_exported, _, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name not in __all__:  # in Python's words
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = _exported(name)  # so that it is looked up once
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
