"""What a stream's timestamps say of its length, and whether they can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from embed.lengths import PacketLengths

if TYPE_CHECKING:
    import av

__all__ = ["Clock"]

_MAX_STRAY_S = 0.1  # by which timestamps may jump (back a little: Vorbis in Ogg) before they are mistrusted
_MAX_PACKET_S = 10.0  # Monkey's Audio packs 7 s; a last packet that claims more hides a wrong length


class Clock:
    """What the timestamps of a stream's packets say, from its first on.

    Parameters
    ----------
    stream : av.AudioStream

    Attributes
    ----------
    n_packets : int
        How many have been seen.
    """

    def __init__(self, stream: av.AudioStream) -> None:
        self._time_base = stream.time_base
        self._end: int | None = None
        self._backstep = 0
        self._gap = 0  # the longest that no packet fills
        self._timed = False  # whether the last packet says how long it is
        self._longest = 0
        self._step = 0  # from the last packet that does not say how long it is, to the next
        self._lengths = PacketLengths(stream)
        self._sum = 0  # of the packets' lengths, in samples
        self.n_packets = 0

    def see(self, block: Sequence[av.Packet[Any]]) -> None:
        """Note packets' timestamps."""
        self.n_packets += len(block)
        if self._lengths.adds_up:
            self._sum += sum(map(self._lengths.next, block))
        end, timed = self._end, self._timed
        for packet in block:
            pts, length = packet.pts, packet.duration or 0
            if pts is None:
                continue
            if end is None:
                end = pts
            elif end - pts > self._backstep:
                self._backstep = end - pts
            elif not timed:
                self._step = pts - end
                self._longest = max(self._longest, self._step)
            elif pts - end > self._gap:
                self._gap = pts - end
            timed = length > 0
            if length > self._longest:
                self._longest = length
            if pts + length > end:
                end = pts + length
        self._end, self._timed = end, timed

    @property
    def strict(self) -> bool:
        """Whether every packet begins where the one before it ended, or a little later."""
        return self._backstep <= 0 and not self._jumps

    def agrees_with_sum(self, n_samples: int, skip_samples: int) -> bool:
        """Whether the lengths of all packets are known, and end where time does."""
        stray = self._sum - skip_samples - n_samples
        return self._lengths.adds_up and not self._jumps and abs(stray) <= self._lengths.longest

    @property
    def _jumps(self) -> bool:
        """Whether time jumps: chained recordings start at zero again, and a damaged clock says anything."""
        if self._time_base is None:
            return False
        stray_s = max(self._backstep, self._gap) * self._time_base
        return stray_s > _MAX_STRAY_S or self._longest * self._time_base > _MAX_PACKET_S

    def n_samples(self, first_pts: int | None, rate_hz: int) -> int:
        """Return the length after the first sample; 0 where the timestamps don't tell."""
        if self._end is None or first_pts is None or self._time_base is None or self._jumps:
            return 0
        end = self._end if self._timed else self._end + self._step
        return max(0, round((end - first_pts) * self._time_base * rate_hz))
