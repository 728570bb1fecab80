"""The one field that we write into tags, ``SEVENSONGS_SCORE``, in every kind of container.

Stars and ratings (POPM, RATING, FMPS) are a listener's own, and are never written.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from classify.errors import ClassifyError

__all__ = ["FIELD", "OpenTags", "require_mutagen"]

FIELD = "SEVENSONGS_SCORE"
_FREEFORM = f"----:com.apple.iTunes:{FIELD}"
_ID3V1_BYTES = 128
_NO_PLACE = (
    "this kind of file has no place for the score; these have: MP3, FLAC, Ogg, Opus, Speex, M4A, "
    "WMA, WAV, AIFF, WavPack, Musepack, Monkey's Audio, TAK, TTA, DSF, DSDIFF"
)


def require_mutagen() -> None:
    """Refuse where the library that writes tags is not installed.

    Raises
    ------
    ClassifyError
    """
    try:
        import mutagen  # noqa: F401
    except ImportError as error:
        raise ClassifyError(
            "tags are written by mutagen, which is not installed (it is under the GPL, so it does "
            "not come by itself): pip install 'sevensongs[tags]'"
        ) from error


class OpenTags:
    """The tags of a file, read by mutagen.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ClassifyError
        If mutagen does not read the file, or its kind has no tags.
    """

    def __init__(self, path: Path) -> None:
        import mutagen

        self._path = path
        try:
            found = mutagen.File(path)
            if found is None or isinstance(found, _untaggable()):
                raise ClassifyError(_NO_PLACE)
            self._file = _as_it_is(found, path)
            if self._file.tags is None:
                self._file.add_tags()
        except ClassifyError:
            raise
        except Exception as error:  # whatever its parsers meet in a damaged file
            raise ClassifyError(f"its tags can't be read ({error!s:.100})") from error

    @property
    def values(self) -> tuple[str, ...]:
        """What the field holds; empty where it is not there."""
        tags = self._file.tags
        if _is_id3(tags):
            frame = tags.get(f"TXXX:{FIELD}")
            return tuple(map(str, frame.text)) if frame is not None else ()
        key = _key(tags)
        if key not in tags:
            return ()
        found = tags[key]
        listed = found if isinstance(found, list) else list(found)
        return tuple(
            one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in listed
        )

    def others(self) -> dict[str, str]:
        """Return all other tags, for comparison."""
        tags = self._file.tags
        if _is_id3(tags):
            frames = {key: repr(frame) for key, frame in tags.items() if key != f"TXXX:{FIELD}"}
            unknown = getattr(tags, "unknown_frames", [])
            return frames | {f"unknown {n}": repr(one) for n, one in enumerate(unknown)}
        own = _key(tags).casefold()
        return {key: repr(tags[key]) for key in sorted(set(tags.keys())) if key.casefold() != own}

    def put(self, values: Sequence[str]) -> None:
        """Write the field, or take it out where there are no values, and save the file.

        Raises
        ------
        ClassifyError
            If mutagen does not write it.
        """
        tags = self._file.tags
        try:
            if _is_id3(tags):
                self._put_id3(values)
                return
            if values:
                tags[_key(tags)] = _encoded(tags, values)
            elif _key(tags) in tags:
                del tags[_key(tags)]
            self._file.save()
        except Exception as error:  # the same of its writers; only a copy can be damaged
            raise ClassifyError(f"its tags can't be written ({error!s:.100})") from error

    def _put_id3(self, values: Sequence[str]) -> None:
        """Write ID3 in the version that the file has, and leave ID3v1 as it is."""
        from mutagen.id3 import TXXX, Encoding

        tags = self._file.tags
        tags.delall(f"TXXX:{FIELD}")
        if values:
            tags.add(TXXX(encoding=Encoding.LATIN1, desc=FIELD, text=list(values)))
        end = _id3v1_of(self._path)
        version = 3 if tags.version[:2] in ((2, 2), (2, 3)) and _was_there(tags) else 4
        self._file.save(v2_version=version, v23_sep=None)
        if end:
            with self._path.open("r+b") as file:
                file.seek(-_ID3V1_BYTES, os.SEEK_END)
                file.write(end)


def _untaggable() -> tuple[type, ...]:
    from mutagen.aac import AAC
    from mutagen.ac3 import AC3
    from mutagen.smf import SMF

    return AAC, AC3, SMF


def _is_id3(tags: Any) -> bool:
    from mutagen.id3 import ID3

    return isinstance(tags, ID3)


def _was_there(tags: Any) -> bool:
    return bool(tags.size)


def _as_it_is(found: Any, path: Path) -> Any:
    """Read ID3 again without having it translated to the newest version."""
    tags = found.tags
    if tags is not None and _is_id3(tags) and tags.version[:2] != (2, 2):
        return type(found)(path, translate=False)
    return found


def _key(tags: Any) -> str:
    from mutagen.mp4 import MP4Tags

    return _FREEFORM if isinstance(tags, MP4Tags) else FIELD


def _encoded(tags: Any, values: Sequence[str]) -> Any:
    from mutagen.apev2 import APEv2
    from mutagen.mp4 import AtomDataType, MP4FreeForm, MP4Tags

    if isinstance(tags, MP4Tags):
        return [MP4FreeForm(one.encode(), dataformat=AtomDataType.UTF8) for one in values]
    if isinstance(tags, APEv2):
        return "\0".join(values)
    return list(values)


def _id3v1_of(path: Path) -> bytes:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) < _ID3V1_BYTES:
            return b""
        file.seek(-_ID3V1_BYTES, os.SEEK_END)
        end = file.read(_ID3V1_BYTES)
    return end if end.startswith(b"TAG") else b""
