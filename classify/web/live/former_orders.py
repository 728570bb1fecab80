"""How songs stood before the last labels, for who still looks at that order."""

from __future__ import annotations

from collections.abc import Container

from classify.web.live.ranked_songs import RankedSongs

__all__ = ["FormerOrders"]

_KEPT = 2


class FormerOrders:
    """The last two orders of each taste; of the library as it is, never of older columns."""

    def __init__(self) -> None:
        self._orders: dict[str, tuple[RankedSongs, ...]] = {}

    def find(self, ranking: RankedSongs, revision: int) -> RankedSongs | None:
        """Return how a taste's songs stood at a revision; None where that is not known."""
        orders = self._orders.get(ranking.name, ())
        return next(
            (one for one in orders if one.revision == revision and one.columns is ranking.columns),
            None,
        )

    def remember(self, was: RankedSongs, now: RankedSongs, tastes: Container[str]) -> None:
        """Keep the order that has just been replaced; forget those of tastes that are not kept."""
        if was is now:
            return
        orders = {**self._orders, now.name: (was.without_answers(), *self._of(now.name))[:_KEPT]}
        self._orders = {
            name: tuple(one for one in some if one.columns is now.columns)
            for name, some in orders.items()
            if name in tastes or name == now.name
        }

    def clear(self) -> None:
        """Forget all of them."""
        self._orders.clear()

    def _of(self, name: str) -> tuple[RankedSongs, ...]:
        return self._orders.get(name, ())
