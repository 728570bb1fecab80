"""Whether a store can be trusted with commits: of several writers of one name, one must win.

Lance numbers its versions, and whoever writes a number first has committed it. Where a store lets a
second one write it as well, the first one's songs are lost, and nobody notices.
"""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from cache.errors import CacheError
from cache.object_store.bucket import Bucket

__all__ = ["require_conditional_writes"]

_WRITERS = 8  # at once; stores that only look first and then write are found out by it

_trusted: set[str] = set()
"""Buckets that this process has tried."""


def require_conditional_writes(uri: str) -> None:
    """Try whether a store lets exactly one of several writers create an object.

    That takes ten small requests, once a process and bucket. They need the right to write, and so
    tell whether there is one.

    Parameters
    ----------
    uri : str
        Where to try it; what is written there is removed.

    Raises
    ------
    CacheError
        If the store does not keep to that, or can't be written.
    """
    bucket, name = Bucket(uri), f".sevensongs-{secrets.token_hex(8)}"
    if bucket.base in _trusted:
        return
    try:
        with ThreadPoolExecutor(_WRITERS) as pool:
            won = list(pool.map(bucket.create, [name] * _WRITERS, [b""] * _WRITERS))
        again = bucket.create(name, b"")
    finally:
        with suppress(CacheError):  # whoever may not delete may still write
            bucket.remove(name)
    n_winners = sum(won)
    if n_winners == 1 and not again:
        _trusted.add(bucket.base)
        return
    raise CacheError(
        f"the store at {uri} can't hold a cache: of {_WRITERS} writers that created the same "
        f"object, {n_winners} were told that they did, where only one may be, so commits would be "
        "lost in silence; use a store with conditional writes (If-None-Match), such as Amazon S3, "
        "Google Cloud Storage, Azure, Cloudflare R2, MinIO or Ceph of late, or a local folder"
    )
