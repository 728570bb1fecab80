"""A file that is probably new, read once.

The read gives its digest, and then its embeddings from the packets at hand: one from each encoder
that lacks it.

To read a song through takes as long as to decode what a scan needs of it, so what was read to tell
which recording it is should not be read again to hear it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from embed.decoding.container import KeptPackets
from embed.decoding.probing import AudioInfo, probe
from embed.encoders.preparing import prepared_spec
from embed.errors import AudioError, UnusableEmbedding
from embed.limits import Limits, bounded_cpu, bounded_memory
from embed.pipeline.pieces import Known, Outline
from embed.pipeline.worker_tasks import Heard, Task, hear_together

if TYPE_CHECKING:
    import av
    from numpy.typing import NDArray

__all__ = ["MAX_KEPT_BYTES", "Begun", "NewFile", "beginnings"]
__all__ += ["hear_file", "hear_further", "remember"]

MAX_KEPT_BYTES = 40 * 2**20
"""Of a file's packets in memory; FLAC of five minutes has 38 MB. What is larger each encoder reads
again, with workers of its own: 4 such songs of 280 took 4% of the processor time."""
_DIGITS = 16  # of a digest: 64 bits, by which two recordings never meet by chance


@dataclass(frozen=True, kw_only=True, eq=False)
class NewFile:
    """What became of a file.

    Attributes
    ----------
    info : AudioInfo
    heard : tuple of Heard
        Its embeddings, one for each encoder asked; none where the cache has it, where the file is
        too large to be heard at once, where one of several encoders can't embed it, or where there
        is an error.
    error : AudioError or None
        Why a file that could be read gave none.
    """

    info: AudioInfo
    heard: tuple[Heard, ...] = ()
    error: AudioError | None = None


@dataclass
class _Memory:
    """What this process was told to remember: the beginnings of digests, sorted."""

    held: NDArray[np.uint64]


_memory = _Memory(held=np.empty(0, dtype=np.uint64))


def beginnings(digests: Iterable[str]) -> NDArray[np.uint64]:
    """Return the first 64 bits of digests, sorted; for `remember`."""
    joined = bytes.fromhex("".join(digest[:_DIGITS] for digest in digests))
    return np.sort(np.frombuffer(joined, dtype=">u8").astype(np.uint64))


def remember(held: NDArray[np.uint64]) -> None:
    """Tell this process which recordings the cache has.

    So a moved and retagged file is only probed.
    """
    _memory.held = held


@dataclass(frozen=True, kw_only=True, eq=False)
class Begun:
    """A recording that the cache has begun: frames of some of the windows that are asked for.

    Attributes
    ----------
    digest : str
        Names it.
    known : tuple of Known
        One for each encoder that is to hear it.
    """

    digest: str
    known: tuple[Known, ...]


def hear_file(
    tasks: Sequence[Task], path: str, limits: Limits, n_bytes: int, begun: Begun | None = None
) -> NewFile:
    """Probe a file, and embed it unless the cache has its recording.

    Parameters
    ----------
    tasks : sequence of (PreparedEncoder, int)
        What hears it, one or several, and how many windows each.
    path : str
    limits : Limits
        What the file may ask; processor time for each of the two steps.
    n_bytes : int
        The file's size.
    begun : Begun, optional
        What there is of the recording that the file is known to be.

    Returns
    -------
    NewFile

    Raises
    ------
    AudioError
        If the file can't be probed; see `embed.decoding.probing.probe`.
    EncoderError
        If the encoder can't be opened: no recording would do better.
    """
    kept = KeptPackets(MAX_KEPT_BYTES)
    with bounded_cpu(limits.probing_s(n_bytes)), bounded_memory():
        info = probe(path, limits, kept=kept)
    if _is_held(info.digest) or kept.all is None:
        return NewFile(info=info)
    return hear_further(tasks, info, limits, begun, kept=kept.all)


def hear_further(
    tasks: Sequence[Task],
    info: AudioInfo,
    limits: Limits,
    begun: Begun | None,
    *,
    kept: Sequence[av.Packet[Any]] | None = None,
) -> NewFile:
    """Embed a file that has been probed; otherwise as `hear_file`.

    Examples
    --------
    >>> from embed import Limits, prepare_encoder, probe
    >>> from embed.pipeline.one_read import hear_further
    >>> tasks = [(prepare_encoder("musicnn"), 2)]
    >>> info = probe("music/calm_acoustic_1.opus")
    >>> [len(one.entry.frames) for one in hear_further(tasks, info, Limits(), None).heard]
    [2]
    """
    known = begun.known if begun is not None and begun.digest == info.digest else ()
    n_windows = sum(
        len(Outline(spec=prepared_spec(prepared), info=info, n_windows=n).chosen)
        for prepared, n in tasks
    )
    try:
        with bounded_cpu(limits.embedding_s(info.duration_s, n_windows)):
            heard = hear_together(tasks, info, kept=kept, known=known)
            return NewFile(info=info, heard=tuple(heard))
    except UnusableEmbedding as error:
        # Of several encoders the others may do better: then each hears it alone.
        return NewFile(info=info, error=error if len(tasks) == 1 else None)
    except AudioError as error:
        return NewFile(info=info, error=error)


def _is_held(digest: str) -> bool:
    (own,) = beginnings([digest])
    place = int(np.searchsorted(_memory.held, own))
    return place < len(_memory.held) and bool(_memory.held[place] == own)
