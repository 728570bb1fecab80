"""Open a music file with PyAV (FFmpeg): the one place where native errors become ours."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from embed.decoding.ogg_headers import HidingFile, find_repeated_headers
from embed.errors import AudioError, UnreadableFile
from embed.files.other_kinds import kind_that_is_no_audio
from embed.limits import too_much_memory

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

__all__ = ["KeptPackets", "Packets", "decode_packet", "open_audio", "say_tracks", "try_packet"]

# What may be parsed. HLS, concat and other demuxers that open further files or URLs stay out: a
# music file must not make us read anything else.
_FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,dtshd,eac3,flac,flv,iff,matroska,webm,"
    "mlp,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpc,mpc8,mpeg,mpegts,ogg,rm,tak,truehd,tta,w64,wav,wv"
)
_BLOCK_PACKETS = 64
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "file,pipe"}


@contextmanager
def open_audio(path: str) -> Iterator[tuple[InputContainer, av.AudioStream]]:
    """Open a file's audio, the track marked as default; what FFmpeg refuses is an AudioError."""
    import av

    try:
        with (
            _regular_file(path) as file,
            _demuxer(file) as container,
        ):
            if not container.streams.audio:
                kinds = {str(stream.type) for stream in container.streams} or {"nothing"}
                raise AudioError(f"holds no audio stream, only {', '.join(sorted(kinds))}")
            stream = _default_track(container)
            if not _has_decoder(stream):
                raise AudioError("holds audio of a codec that FFmpeg has no decoder for")
            # workers are processes; and one packet in, its frames out
            stream.codec_context.thread_count = 1
            yield container, stream
    except MemoryError as error:  # FFmpeg's own too
        raise too_much_memory() from error
    except av.FFmpegError as error:
        raise AudioError(_refusal(path, error)) from error
    except OSError as error:
        raise UnreadableFile(f"can't be read ({error.strerror or error})") from error
    except (ValueError, OverflowError) as error:
        raise AudioError(f"is not audio that PyAV can read ({error})") from error


def _default_track(container: InputContainer) -> av.AudioStream:
    """Return the first audio track marked as default, else the first that can be decoded."""
    tracks = container.streams.audio
    heard = [track for track in tracks if _has_decoder(track)] or list(tracks)
    marked = (track for track in heard if track.disposition & track.disposition.default)
    return next(marked, heard[0])


def _has_decoder(track: av.AudioStream) -> bool:
    return cast("Any", track).codec_context is not None


def say_tracks(container: InputContainer, heard: av.AudioStream) -> str | None:
    """Say which audio track is heard where a file has several; None where it has one."""
    tracks = container.streams.audio
    if len(tracks) < 2:
        return None
    place = 1 + [track.index for track in tracks].index(heard.index)
    return f"has {len(tracks)} audio tracks; track {place} is heard"


def _demuxer(file: BinaryIO) -> InputContainer:
    import av

    # PyAV 19 always reads tags that are not UTF-8 this way, and knows no such argument.
    tags = {"metadata_errors": "surrogateescape"} if int(av.__version__.split(".")[0]) < 19 else {}

    def open_(source: Any) -> InputContainer:
        opened = cast("Any", av.open)(source, options=_OPTIONS, **tags)
        return cast("InputContainer", opened)

    try:
        return open_(file)
    except av.InvalidDataError:
        hidden = find_repeated_headers(file)
        if hidden is None:
            raise
        return open_(HidingFile(file, *hidden))


@contextmanager
def _regular_file(path: str) -> Iterator[BinaryIO]:
    """Open a regular file; a FIFO or a device would block for ever."""
    if not stat.S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path):
        raise AudioError("is not a regular file")  # opening a device may set it going
    # O_NONBLOCK so that opening a FIFO returns; it does nothing to regular files.
    descriptor = os.open(
        path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)  # before fdopen, which leaves a folder's open when it refuses it
        raise AudioError("is a folder" if stat.S_ISDIR(status.st_mode) else "is not a regular file")
    with _File(io.FileIO(descriptor)) as file:
        if status.st_size == 0:
            raise AudioError("is empty (0 bytes)")
        yield file


class _File(io.BufferedReader):
    """A file on which a seek to nowhere fails in FFmpeg's way."""

    def seek(self, target: int, whence: int = 0, /) -> int:
        """Go to a place; a negative number says that there is none, as FFmpeg's callbacks do.

        PyAV prints the traceback of an exception that comes while FFmpeg is busy with another
        error.
        """
        try:
            return super().seek(target, whence)
        except (ValueError, OverflowError):
            return -errno.EINVAL
        except OSError as error:
            if error.errno != errno.EINVAL:  # as of a disk that fails
                raise
            return -errno.EINVAL


class Packets:
    """Iterate over a stream's packets; a broken tail ends the iteration and leaves a warning."""

    def __init__(self, container: InputContainer, stream: av.AudioStream) -> None:
        self._container = container
        self._stream = stream
        self.warning: str | None = None

    def __iter__(self) -> Iterator[av.Packet[Any]]:
        for block in self.blocks():
            yield from block

    def blocks(self) -> Iterator[list[av.Packet[Any]]]:
        """Iterate over the same in blocks."""
        import av

        n_packets = 0
        block: list[av.Packet[Any]] = []
        is_mp3 = self._stream.codec_context.name.startswith("mp3")
        try:
            for packet in self._container.demux(self._stream):
                if not packet.size or (is_mp3 and _is_junk(packet)):
                    continue
                block.append(packet)
                if len(block) == _BLOCK_PACKETS:
                    n_packets += _BLOCK_PACKETS
                    yield block
                    block = []
        except av.FFmpegError as error:
            n_packets += len(block)
            if n_packets == 0 or isinstance(error, MemoryError):
                raise
            self.warning = f"broken after {n_packets} packets ({_reason(error)}); used up to there"
        if block:
            yield block


class KeptPackets:
    """A stream's packets, kept to be decoded without reading the file again; of a large one, none.

    Parameters
    ----------
    max_bytes : int
        Packets of more than this are not kept. They may be more than the file has: an index can
        name the same bytes again and again.
    """

    def __init__(self, max_bytes: int) -> None:
        self._left_bytes = max_bytes
        self._packets: list[av.Packet[Any]] = []

    def add(self, block: Sequence[av.Packet[Any]], n_bytes: int) -> None:
        """Take the next packets, of so many bytes in sum."""
        self._left_bytes -= n_bytes
        if self._left_bytes >= 0:
            self._packets.extend(block)
        else:
            self._packets.clear()

    @property
    def all(self) -> list[av.Packet[Any]] | None:
        """All of them in their order; None if they were too large."""
        return self._packets if self._left_bytes >= 0 else None


def _is_junk(packet: av.Packet[Any]) -> bool:
    """Whether an MP3 packet holds no frame.

    It then holds a piece of a tag (APE with cover art) or of garbage.
    """
    content = memoryview(packet)
    # A frame begins with eleven bits that are set; decoders pass over zeros before it, and refuse
    # all else.
    if content[0] == 0xFF:
        return len(content) > 1 and content[1] < 0xE0
    return content[0] != 0


def decode_packet(context: Any, packet: av.Packet[Any] | None) -> list[av.AudioFrame]:
    """Decode one packet; one that is broken gives nothing, as in every player."""
    return try_packet(context, packet) or []


def try_packet(context: Any, packet: av.Packet[Any] | None) -> list[av.AudioFrame] | None:
    """Decode one packet; one that is broken gives None."""
    import av

    try:
        frames: list[av.AudioFrame] = context.decode(packet)
        return frames
    except MemoryError:  # or what is heard would depend on what else there is
        raise
    except (av.FFmpegError, ValueError):
        return None


def _refusal(path: str, error: av.FFmpegError) -> str:
    """Say why a file is no audio: what it is, where that is known."""
    try:
        kind = kind_that_is_no_audio(path)
    except OSError:
        kind = None
    if kind is not None:
        return f"is not audio but {kind}"
    if error.errno == errno.EINVAL:  # FFmpeg's word for a kind that is not in `_FORMATS`
        return "is not audio of a kind that is read; convert it to FLAC, Opus or MP3 first"
    return f"is not audio that FFmpeg can read ({_reason(error)})"


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
