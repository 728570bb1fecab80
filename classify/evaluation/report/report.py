"""`evaluate --report`: a page that shows how good a taste is and how far to trust it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cache import default_root
from classify.evaluation.evaluating import evaluate
from classify.evaluation.evaluation import Evaluation
from classify.evaluation.evidence import mistakes
from classify.evaluation.report.library_map import LibraryMap, draw_map, sample_library
from classify.evaluation.report.sections import (
    curve_sections,
    is_enough,
    map_section,
    method_section,
    suspect_section,
    tag_section,
)
from classify.evaluation.report.suspects import Suspect, suspects_of
from classify.evaluation.report.tag_profile import TagDifference, profile_tags
from classify.evaluation.sentences import (
    auc_sentence,
    chance_sentence,
    evaluation_story,
    trust_sentences,
)
from classify.library.song_library import SongLibrary
from classify.output.formats import write_text
from classify.output.html import Html, element, page, section
from classify.taste.names import DEFAULT_TASTE
from classify.taste.taste import Taste

__all__ = ["Report", "render_report", "write_report"]


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
    loaded = taste if isinstance(taste, Taste) else Taste.load(taste, root=base)
    name = "" if isinstance(taste, Taste) else os.fspath(taste)
    found = evaluate(taste=loaded, root=base)
    library = SongLibrary.of_taste(loaded, base)
    sample = sample_library(loaded, library)
    wrong = (
        mistakes(found.evidence.scores, threshold=loaded.threshold, unsure=loaded.unsure)
        if found.evidence is not None
        else ()
    )
    report = Report(
        name=name,
        encoder=loaded.encoder,
        found=found,
        drawn=draw_map(loaded, sample),
        tags=profile_tags(library, sample),
        suspects=suspects_of(wrong, root=base, taste=name),
    )
    write_text(path, render_report(report))
    return found


def render_report(report: Report) -> str:
    """Turn a report into an HTML document; equal reports give equal text."""
    found = report.found
    shown = Path(report.name).stem if report.name.endswith(".npz") else report.name
    title = f"The taste {shown}" if shown else "A taste"
    parts = [
        *_headline(title, report),
        *curve_sections(found),
        suspect_section(found, report.suspects),
    ]
    parts += [map_section(report.drawn), tag_section(report.tags, report.encoder)]
    parts += [method_section(found), _figures(found)]
    return page(title=f"{title} \u2013 Seven Songs", body=parts, css=_CSS)


def _headline(title: str, report: Report) -> list[Html]:
    found, (low, high) = report.found, report.found.auc_ci90
    counts = (
        f"{found.n_like} likes, {found.n_dislike} dislikes "
        f"and {found.n_unlabelled} unlabelled songs"
    )
    trust = trust_sentences(found)
    number = element(
        "div",
        element(
            "div",
            f"{found.auc:.0%}",
            class_="big" if found.can_tell and is_enough(found) else "big faint",
        ),
        element("div", f"90% interval {low:.0%} to {high:.0%}", class_="muted"),
        _bar(low, found.auc, high),
        class_="card number-card",
    )
    words = element(
        "div",
        element("p", auc_sentence(found.auc, found.auc_ci90, found.note), class_="lead"),
        element("p", element("strong", trust[0]), " ", trust[1], class_="note"),
        # What luck alone explains badly may still be luck, with so few.
        element("p", chance_sentence(found), " ", found.verdict if is_enough(found) else ""),
        element("p", f"{counts} took part.", class_="muted"),
    )
    kicker = element("p", "Seven Songs \u00b7 how far to trust a taste", class_="kicker")
    return [kicker, element("h1", title), element("div", number, words, class_="headline")]


def _bar(low: float, middle: float, high: float) -> Html:
    """Draw the interval on a scale from a coin's 50% (or less) to 100%."""
    x0, x1, x2 = (100 * value for value in (low, middle, high))
    alt = (
        f"{middle:.0%}, interval {low:.0%} to {high:.0%}, "
        "on a scale from 0% to 100%; a coin is at 50%"
    )
    parts = (
        '<rect x="0" y="8" width="100" height="4" rx="2" class="track"/>'
        '<rect x="49.7" y="2" width=".6" height="16" class="coin"/>'
        f'<rect x="{x0:.1f}" y="8" width="{max(x2 - x0, 1):.1f}" height="4" rx="2" class="span"/>'
        f'<rect x="{min(max(x1 - 0.75, 0), 98.5):.1f}" y="4" '
        'width="1.5" height="12" rx=".75" class="mark"/>'
    )
    drawn = element(
        "svg", Html(parts), role="img", aria_label=alt, viewBox="0 0 100 20", class_="bar"
    )
    ends = element(
        "div",
        element("span", "0%"),
        element("span", "50%, a coin"),
        element("span", "100%"),
        class_="ends muted",
    )
    return Html(drawn + ends)


def _figures(found: Evaluation) -> Html:
    return section(
        "All figures, as the command prints them",
        element("pre", evaluation_story(found).rstrip("\n")),
    )


_CSS = """
.headline{display:grid;gap:1rem 2.5rem;grid-template-columns:minmax(12rem,18rem) 1fr;align-items:start}
@media (max-width:44rem){.headline{grid-template-columns:1fr}}
.number-card{margin:.25rem 0}
.big{font-size:clamp(3rem,9vw,4.5rem);line-height:1;font-weight:650;letter-spacing:-.04em;color:var(--accent);
 margin-bottom:.5rem}
.big.faint{color:var(--muted)}
.bar{display:block;width:100%;margin-top:1rem}
.bar .track{fill:var(--grid)}.bar .coin{fill:var(--muted)}
.bar .span{fill:var(--accent);opacity:.45}.bar .mark{fill:var(--accent)}
.ends{display:flex;justify-content:space-between;font-size:.8125rem}
.songs{list-style:none;padding:.25rem 1.25rem}
.songs li{max-width:none;padding:1rem 0;border-bottom:1px solid var(--grid);overflow-wrap:anywhere}
.songs li:last-child{border:0}
.songs span,.songs code{display:block}
.songs span{font-size:.9375rem}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--surface);border:1px solid var(--grid);
 border-radius:.5rem;padding:1rem;font:.8125rem/1.6 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
"""
