"""The plugin of beets, which the build installs as ``beetsplug/sevensongs.py`` as well.

``beet sevensongs QUERY`` stores scores as the flexible attributes `taste` and `taste_verdict`;
``beet sevensongs --like QUERY`` labels what a query finds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any

try:
    from beets import ui
    from beets.dbcore import types
    from beets.plugins import BeetsPlugin
except ImportError:  # beets itself always has them; the other commands do without
    ui, types, BeetsPlugin = None, None, object

__all__ = ["SevenSongsPlugin"]

_OWN = re.compile(r"\btaste(?:_verdict)?:", re.IGNORECASE)


class SevenSongsPlugin(BeetsPlugin):  # type: ignore[misc]  # beets has no types
    """`beet sevensongs`; off during import unless the configuration says ``auto: yes``."""

    item_types = {"taste": types.Float(3)} if types else {}

    def __init__(self) -> None:
        super().__init__()
        self.config.add({"taste": "default", "cache": "", "auto": False})
        if self.config["auto"].get(bool):
            self.register_listener("item_imported", self._item_imported)
            self.register_listener("album_imported", self._album_imported)

    def commands(self) -> list[Any]:
        """Return the one command."""
        command = ui.Subcommand("sevensongs", help="score songs by your taste, or label them")
        command.parser.add_option("--like", metavar="QUERY", help="like the songs of a query")
        command.parser.add_option("--dislike", metavar="QUERY", help="dislike them")
        command.parser.add_option("--taste", metavar="NAME", help="which taste (default: default)")
        command.parser.add_option(
            "-p", "--pretend", action="store_true", help="only show what would be stored"
        )
        command.func = self._run
        return [command]

    def _run(self, library: Any, options: Any, words: list[str]) -> None:
        from cache import CacheError
        from classify.errors import ClassifyError
        from embed import EmbedError

        taste = options.taste or self.config["taste"].as_str()
        try:
            if options.like or options.dislike:
                for value in ("like", "dislike"):
                    self._label(library, value, getattr(options, value), taste)
            else:
                items = library.items(words)
                self._score(items, taste, pretend=bool(options.pretend), tells=True)
        except (CacheError, ClassifyError, EmbedError) as error:
            raise ui.UserError(f"sevensongs: {error}") from error

    def _label(self, library: Any, value: str, query: str | None, taste: str) -> None:
        from classify.labels.labelling import label

        if not query:
            return
        if _OWN.search(query):
            raise ui.UserError(
                "sevensongs: a taste must not learn its own guesses: name a query without taste"
            )
        paths = [_path(item) for item in library.items(query)]
        if not paths:
            raise ui.UserError(f"sevensongs: no song is found by {query!r}; nothing is labelled")
        done = label(value, paths, taste=taste, root=self._root())
        ui.print_(f"{done.n_labelled} songs {value}d now; {done.n_like} likes, {done.n_dislike} "
                  f"dislikes in all")  # fmt: skip
        if done.note:
            ui.print_(done.note)
        for failure in done.failed:
            self._log.warning("{}: {}", failure.path, failure.error)

    def _score(self, items: Iterable[Any], taste: str, *, pretend: bool, tells: bool) -> None:
        from classify.library.scoring import score

        by_path = {os.path.abspath(_path(item)): item for item in items}
        if not by_path:
            return
        scores = score(list(by_path), taste=taste, root=self._root(), once=False)
        for song in scores.songs:
            item = by_path.get(song.path)
            if item is None:
                continue
            if tells:
                ui.print_(f"{song.score:.2f} {song.verdict:8}{item}")
            if not pretend:
                item["taste"] = song.score
                item["taste_verdict"] = song.verdict
                item.store()
        for failure in scores.failed:
            self._log.warning("{}: {}", failure.path, failure.error)

    def _item_imported(self, lib: Any, item: Any) -> None:  # noqa: ARG002  beets' own interface
        self._score_imported([item])

    def _album_imported(self, lib: Any, album: Any) -> None:  # noqa: ARG002
        self._score_imported(album.items())

    def _score_imported(self, items: Iterable[Any]) -> None:
        """Score what was imported; what goes wrong never ends the import."""
        from cache import CacheError
        from classify.errors import ClassifyError
        from embed import EmbedError

        try:
            self._score(items, self.config["taste"].as_str(), pretend=False, tells=False)
        except (CacheError, ClassifyError, EmbedError) as error:
            self._log.warning("{}", error)

    def _root(self) -> str | None:
        root = self.config["cache"].as_str()
        return os.path.expanduser(root) if root else None


def _path(item: Any) -> str:
    return os.fsdecode(item.path)
