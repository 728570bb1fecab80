"""The plugin of beets, which the build installs as ``beetsplug/sevensongs.py`` as well.

``beet sevensongs QUERY`` stores scores as the flexible attributes `taste` and `taste_verdict`;
``beet sevensongs --like QUERY`` labels what a query finds. Smart playlists that beets makes of
scores are marked as made by us, so that no taste learns from them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

try:
    from beets import config, ui
    from beets.dbcore import types
    from beets.plugins import BeetsPlugin
    from beets.util import sanitize_path
except ImportError:  # beets itself always has them; the other commands do without
    config, ui, types, sanitize_path, BeetsPlugin = None, None, None, None, object

__all__ = ["SevenSongsPlugin"]

_OWN = re.compile(r"\btaste(?:_verdict)?:", re.IGNORECASE)


class SevenSongsPlugin(BeetsPlugin):  # type: ignore[misc]  # beets has no types
    """`beet sevensongs`; off during import unless the configuration says ``auto: yes``."""

    item_types = {"taste": types.Float(3)} if types else {}

    def __init__(self) -> None:
        super().__init__()
        self.config.add({"taste": "default", "cache": "", "auto": False})
        self._library: Any = None
        self.register_listener("library_opened", self._library_opened)
        self.register_listener("smartplaylist_update", self._mark_smart_playlists)
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
        from classify.scoring.scoring import score

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

    def _library_opened(self, lib: Any) -> None:
        self._library = lib

    def _mark_smart_playlists(self) -> None:
        """Mark what smartplaylist has just written of a query that asks for scores."""
        from classify.output.own_lists import mark_as_own

        own = config["smartplaylist"]
        folder = Path(own["playlist_dir"].as_filename())
        for playlist in own["playlists"].get(list):
            try:
                for name in {*_file_names(playlist, self._library)}:
                    mark_as_own(folder / name)
            except (OSError, ValueError) as error:  # such as a query that beets has warned of
                self._log.warning("a smart playlist can't be marked as made by us: {}", error)

    def _root(self) -> str | None:
        root = self.config["cache"].as_str()
        return os.path.expanduser(root) if root else None


def _file_names(playlist: Mapping[str, Any], library: Any) -> Iterator[str]:
    """Give the files of a smart playlist; none where no query of it asks for scores."""
    given = (playlist.get("query") or (), playlist.get("album_query") or ())
    of_songs, of_albums = ([one] if isinstance(one, str) else one for one in given)
    if not any(map(_OWN.search, (*of_songs, *of_albums))):
        return
    found = [item for query in of_songs for item in library.items(query)]
    for query in of_albums:
        found += [item for album in library.albums(query) for item in album.items()]
    for item in found:
        name = item.evaluate_template(playlist["name"], for_path=True)
        yield os.fsdecode(sanitize_path(name, library.replacements))


def _path(item: Any) -> str:
    return os.fsdecode(item.path)
