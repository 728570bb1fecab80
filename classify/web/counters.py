"""What the service counts, for Prometheus.

No label comes from a request: a route is named by its template, a method is one of a few, and what
no route took is `none`. So nobody can make the service keep more numbers than there are routes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from classify.web.disconnects import ABANDONED

if TYPE_CHECKING:
    from starlette.types import Scope

__all__ = ["METRICS_TYPE", "Metrics"]

METRICS_TYPE = CONTENT_TYPE_LATEST
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_GAUGES = {
    "uploads_held": "Uploads that come in, wait or are heard.",
    "uploads_waiting": "Uploads that are there, and wait or are heard.",
    "songs": "Recordings in the library.",
    "scan_running": "Whether a scan is under way.",
}


class Metrics:
    """One application's numbers, in a registry of their own.

    Two applications in a process do not mix.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "sevensongs_requests",
            "Requests answered, by route, method and status.",
            ["route", "method", "status"],
            registry=self._registry,
        )
        self._latency = Histogram(
            "sevensongs_request_seconds",
            "Seconds from a request's head to the end of its answer, by route.",
            ["route"],
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        # A child looked up by `labels` costs a lock and a sort; here it is one look into a dict.
        self._counters: dict[tuple[str, str, int], Counter] = {}
        self._histograms: dict[str, Histogram] = {}
        self._gauges = {
            name: Gauge(f"sevensongs_{name}", what, registry=self._registry)
            for name, what in _GAUGES.items()
        }
        resident = Gauge(
            "sevensongs_resident_bytes", "Memory that the process has.", registry=self._registry
        )
        resident.set_function(_resident_bytes)

    def record(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request.

        Parameters
        ----------
        scope : mapping
            ASGI's, after routing.
        status : int
            Of the answer; 0 where the client left before there was one.
        seconds : float
        """
        route = getattr(scope.get("route"), "path", "none")
        key = (route, scope["method"], status or ABANDONED)
        counter = self._counters.get(key)
        if counter is None:
            method = key[1] if key[1] in _METHODS else "other"
            key = (route, method, key[2])
            counter = self._counters[key] = self._requests.labels(route, method, str(key[2]))
            self._histograms.setdefault(route, self._latency.labels(route))
        counter.inc()
        self._histograms[route].observe(seconds)

    def text(self, now: Mapping[str, float]) -> bytes:
        """Write all numbers in Prometheus's text format.

        Parameters
        ----------
        now : mapping of str to float
            What is read only when somebody asks: `uploads_held`, `uploads_waiting`, `songs`,
            `scan_running`.
        """
        for name, value in now.items():
            self._gauges[name].set(value)
        return generate_latest(self._registry)


def _resident_bytes() -> float:
    """Return the memory that this process has now.

    Where the system does not tell, return the most it has had.
    """
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize()
    import sys

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most
