"""WAV files whose header tells less sound than follows; FFmpeg reads what the header tells.

By hand: to FFmpeg, what follows is no sound, and it says nothing
(test_probing.py: `test_a_wav_whose_header_tells_too_little_is_heard_with_a_warning`).
"""

from __future__ import annotations

__all__ = ["say_hidden_sound"]

_MAX_CHUNKS = 100
_LEAST_BYTES = 100_000  # what is less is half a second, or rubbish


def say_hidden_sound(path: str, size_bytes: int) -> str | None:
    """Say how much follows the sound of a WAV file that is no chunk of its own.

    Parameters
    ----------
    path : str
    size_bytes : int
        The file's.

    Raises
    ------
    OSError
        If it can't be read.

    Examples
    --------
    >>> from embed.decoding.wav_sizes import say_hidden_sound
    >>> say_hidden_sound("music/calm_acoustic_1.opus", 1000)
    """
    with open(path, "rb") as file:
        if file.read(4) != b"RIFF":
            return None
        at = 12  # "RIFF", a size, "WAVE"; then chunks: a name, a size, the content
        for _ in range(_MAX_CHUNKS):
            file.seek(at)
            name, size = file.read(4), int.from_bytes(file.read(4), "little")
            at += 8 + size + size % 2
            if name == b"data":
                file.seek(at)
                following = file.read(4)
                break
        else:
            return None
    left = size_bytes - at
    if size == 0 or left < _LEAST_BYTES or all(32 <= b < 127 for b in following):
        return None
    return f"its header tells {size} bytes of sound; {left} more bytes follow and are not heard"
