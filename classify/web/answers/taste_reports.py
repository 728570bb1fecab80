"""The report of `evaluate --report` as an answer of the service."""

from __future__ import annotations

import threading
from collections import OrderedDict

from classify.output.plot_style import Theme
from classify.taste.taste import Taste
from classify.web.kept_process import KeptProcess
from classify.web.live.live_library import LiveLibrary

__all__ = ["TasteReports"]

_KEPT = 8  # of up to a megabyte
_MOST_CPU_S = 1800.0


class TasteReports:
    """Writes reports in a process of their own, one after the other, and keeps the last ones.

    They need Matplotlib, and seconds of arithmetic, which would keep others waiting. Blocking;
    threads may share it.
    """

    def __init__(self, live: LiveLibrary) -> None:
        self._live = live
        self._process = KeptProcess("reports")
        self._kept: OrderedDict[tuple[str, Taste, Theme], str] = OrderedDict()
        self._lock = threading.Lock()

    def page(self, name: str, theme: Theme) -> str:
        """Return the report of a taste as it is now: HTML that asks for nothing.

        Raises
        ------
        Problem
            404 if there is no such taste, 503 if the service is ending.
        ClassifyError, CacheError
            As for `classify.evaluate`.
        """
        from classify.evaluation.report.report import report_page  # the service starts without it

        taste = self._live.taste(name)
        root = self._live.settings.root
        key = (name, taste, theme)
        with self._lock:  # who asks for the same one at the same time gets it, too
            if key not in self._kept:
                writing = self._process.submit(
                    lambda call: call(report_page, taste, name, root, theme, cpu_s=_MOST_CPU_S)
                )
                self._kept[key] = writing.result()
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return self._kept[key]

    def stop(self) -> None:
        """Give up what is written, and return at once."""
        self._process.stop()

    def close(self) -> None:
        """End the process."""
        self._process.close()
