"""Music in object stores: which objects below an address are songs, and their versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cache import Bucket, CacheError, StoredObject, map_in_order
from embed.errors import EmbedError
from embed.files.entries import Failure
from embed.files.folders import AUDIO_SUFFIXES, PassedOver
from embed.files.playlists import LIST_SUFFIXES

__all__ = ["bucket_and_key", "look_at", "searched_bucket"]

_ASKED_AT_ONCE = 32  # objects


def bucket_and_key(source: str) -> tuple[str, str]:
    """Part an address into that of the bucket and the object's key.

    Examples
    --------
    >>> from embed.files.buckets import bucket_and_key
    >>> bucket_and_key("s3://bucket/music/song.mp3")
    ('s3://bucket', 'music/song.mp3')
    """
    scheme, _, rest = source.partition("://")
    bucket, _, key = rest.partition("/")
    return f"{scheme}://{bucket}", key


def searched_bucket(
    source: str, passed_over: PassedOver, objects: dict[str, StoredObject]
) -> Iterator[str | Failure]:
    """Search an object store below an address; an object that is named itself is taken as it is.

    Parameters
    ----------
    source : str
    passed_over : PassedOver
        To which what is left alone is added.
    objects : dict
        To which the size and version of each song are added, by its address.

    Yields
    ------
    str or Failure
        Addresses of songs, in the order of their keys.

    Raises
    ------
    EmbedError
        If the store refuses.
    """
    base, key = bucket_and_key(source)
    bucket = Bucket(base)
    try:
        named = None if key.endswith("/") or not key else bucket.about(key)
        if named is not None:
            yield _named(source, named, objects)
            return
        n_found = 0
        for one in bucket.objects(key.rstrip("/")):
            n_found += 1
            if _is_song(one.name, passed_over):
                objects[f"{base}/{one.name}"] = one
                yield f"{base}/{one.name}"
    except CacheError as error:
        raise EmbedError(str(error)) from error
    if not n_found:
        yield Failure(path=source, error="does not exist: no object has such a key")


def _named(source: str, one: StoredObject, objects: dict[str, StoredObject]) -> str | Failure:
    if _suffix(one.name) in LIST_SUFFIXES:
        return Failure(path=source, error="is a list in an object store; name a copy of it here")
    objects[source] = one
    return source


def _is_song(key: str, passed_over: PassedOver) -> bool:
    if any(part.startswith(".") for part in key.split("/")):
        return False
    suffix = _suffix(key)
    if suffix in AUDIO_SUFFIXES:
        return True
    passed_over.add_file(suffix)
    return False


def _suffix(key: str) -> str:
    name = key.rpartition("/")[2]
    return f".{name.rpartition('.')[2].lower()}" if "." in name else ""


def look_at(sources: Iterable[str], objects: dict[str, StoredObject]) -> list[Failure]:
    """Ask for the size and version of objects that a list names; return what is not there.

    Raises
    ------
    EmbedError
        If the store refuses.
    """

    def ask(source: str) -> tuple[str, StoredObject | None]:
        base, key = bucket_and_key(source)
        return source, Bucket(base).about(key)

    wanted = [source for source in sources if source not in objects]
    try:
        found = list(map_in_order(ask, wanted, n_threads=_ASKED_AT_ONCE))
    except CacheError as error:
        raise EmbedError(str(error)) from error
    objects.update((source, one) for source, one in found if one is not None)
    return [Failure(path=source, error="does not exist") for source, one in found if one is None]
