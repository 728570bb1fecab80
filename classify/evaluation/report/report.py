"""`evaluate --report`: a page that shows how good a taste is and how far to trust it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cache import default_root, require_cache
from classify.evaluation.evaluating import evaluate
from classify.evaluation.evaluation import Evaluation
from classify.evaluation.evidence import mistakes
from classify.evaluation.report.library_map import (
    LibraryMap,
    draw_map,
    name_some,
    sample_library,
)
from classify.evaluation.report.plots import plot_map
from classify.evaluation.report.sections import (
    MIN_LIKES,
    MIN_OTHERS,
    interval_bar,
    is_enough,
    shown_curves,
    shown_suspects,
    shown_tags,
)
from classify.evaluation.report.suspects import Suspect, suspects_of
from classify.evaluation.report.tag_profile import TagDifference, profile_tags
from classify.evaluation.sentences import (
    auc_sentence,
    evaluation_story,
    permutation_sentence,
    trust_sentences,
)
from classify.learning.examples import DISLIKE, LIKE, UNLABELLED
from classify.library.song_library import SongLibrary
from classify.output.formats import write_text
from classify.output.html import render_page
from classify.output.plot_style import Theme
from classify.taste.names import DEFAULT_TASTE
from classify.taste.taste import Taste

__all__ = ["Report", "make_report", "render_report", "report_page", "write_report"]

_TEMPLATES = Path(__file__).parent / "templates"
_LABEL_NAMES = {LIKE: "like", DISLIKE: "dislike", UNLABELLED: "none"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Report:
    """What the page tells.

    Parameters
    ----------
    name : str
        Of the taste.
    encoder : str
    found : Evaluation
    drawn : LibraryMap or None
        None where there are too few songs.
    tags : tuple of TagDifference
        Empty where nothing can be said.
    suspects : tuple of Suspect
        The songs it gets most wrong.
    """

    name: str
    encoder: str
    found: Evaluation
    drawn: LibraryMap | None
    tags: tuple[TagDifference, ...]
    suspects: tuple[Suspect, ...]


def write_report(
    path: str | os.PathLike[str],
    *,
    taste: str | os.PathLike[str] | Taste = DEFAULT_TASTE,
    root: str | Path | None = None,
) -> Evaluation:
    """Evaluate a taste and write what was found as one self-contained HTML page.

    Parameters
    ----------
    path : path
        The page's file; it is replaced as a whole.
    taste, root
        As for `classify.evaluate`.

    Returns
    -------
    Evaluation
        What `classify.evaluate` returns; the page shows the same figures.

    Raises
    ------
    ClassifyError
        If the file can't be written.
    TasteError, LabelError, CacheError
        As for `classify.evaluate`.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import classify
    >>> with TemporaryDirectory() as folder:
    ...     found = classify.write_report(Path(folder, "taste.html"))
    ...     Path(folder, "taste.html").read_text("utf-8")[:15]
    '<!doctype html>'
    """
    base = default_root() if root is None else root
    require_cache(base)
    loaded = taste if isinstance(taste, Taste) else Taste.load(taste, root=base)
    name = "" if isinstance(taste, Taste) else os.fspath(taste)
    report = make_report(loaded, name, base)
    write_text(path, render_report(report))
    return report.found


def report_page(taste: Taste, name: str, root: str | Path, theme: Theme = "system") -> str:
    """Return the page that `write_report` writes, in a theme or the reader's."""
    return render_report(make_report(taste, name, root), theme)


def make_report(taste: Taste, name: str, root: str | Path) -> Report:
    """Find what the page tells.

    Parameters
    ----------
    taste : Taste
    name : str
        What it is called in commands; "" for one that has no name.
    root : path or URI
        The cache.

    Raises
    ------
    TasteError, LabelError, CacheError
        As for `classify.evaluate`.
    """
    found = evaluate(taste=taste, root=root)
    library = SongLibrary.of_taste(taste, root)
    sample = sample_library(taste, library)
    wrong = (
        mistakes(found.evidence.scores, threshold=taste.threshold, unsure=taste.unsure)
        if found.evidence is not None
        else ()
    )
    drawn = draw_map(taste, sample)
    return Report(
        name=name,
        encoder=taste.encoder,
        found=found,
        drawn=None if drawn is None else name_some(drawn, root),
        tags=profile_tags(library, sample),
        suspects=suspects_of(wrong, root=root, taste=name),
    )


def render_report(report: Report, theme: Theme = "system") -> str:
    """Turn a report into an HTML document; equal reports give equal text."""
    found = report.found
    name = Path(report.name).stem if report.name.endswith(".npz") else report.name
    shown = {
        "heading": f"The taste {name}" if name else "A taste",
        "encoder": report.encoder,
        "found": found,
        "enough": is_enough(found),
        "min_likes": MIN_LIKES,
        "min_others": MIN_OTHERS,
        "bar": interval_bar(found),
        "how_good": auc_sentence(found.auc, found.auc_ci90, found.note),
        "trust": trust_sentences(found),
        "chance": permutation_sentence(found),
        "story": evaluation_story(found).rstrip("\n"),
        "curves": shown_curves(found),
        "suspects": shown_suspects(report.suspects),
        "label_names": _LABEL_NAMES,
        "drawn": report.drawn,
        "map": None if report.drawn is None else plot_map(report.drawn),
        "n_tags": len(report.tags),
        "tag_plot": shown_tags(report.tags),
    }
    return render_page("report.html", shown, folder=_TEMPLATES, css="report.css", theme=theme)
