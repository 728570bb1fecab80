"""Self-contained HTML pages from Jinja2 templates.

A page holds its style sheet and script, is light and dark, and makes no requests.

Templates lie in the folder `templates` beside the module that fills them in. Whatever they show is
escaped, so a song's title can't become markup; only a `Picture` brings markup of its own. The
page's own policy (CSP) forbids all requests; scripts and style sheets count by their hashes only.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from classify.output.plot_style import Theme, css_variables

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["data_url", "render", "render_page"]

_TEMPLATES = Path(__file__).parent / "templates"
# Never part of what is meant to be read: controls, halves of surrogate pairs, and marks that turn
# the direction of what follows ("Trojan Source", CVE-2021-42574).
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
)


def render(template: str, shown: dict[str, object], *, folder: Path = _TEMPLATES) -> str:
    """Fill in a template.

    Parameters
    ----------
    template : str
        Name of a file in `folder`; never from a user.
    shown : dict
        The template's variables. All text is escaped. Controls, halves of surrogate pairs (from
        names that are no UTF-8) and marks of direction become U+FFFD. A `Picture` becomes its SVG.
    folder : Path
        Where the caller's templates are; they can use those of this package.

    Returns
    -------
    str
        HTML.

    Raises
    ------
    jinja2.TemplateError
        If the template asks for a variable that is not there.
    """
    made = _environment(folder).get_template(template).render(shown)
    # Of the whole, so that also the words of pictures lose them.
    return _CONTROLS.sub("\ufffd", made)


def render_page(
    template: str,
    shown: dict[str, object],
    *,
    folder: Path,
    css: str,
    script: str | None = None,
    media: str = "",
    theme: Theme = "system",
) -> str:
    """Fill in a template that extends ``page.html``.

    Parameters
    ----------
    template, shown, folder
        As for `render`. The body needs an `h1` of its own.
    css, script : str
        Names of files in `folder`: what the page adds to the style sheet, and its JavaScript, if
        any. They are put in as they are.
    theme : {"system", "light", "dark"}
        Default: the reader's.
    media : str
        Where audio may come from, as in a policy: "data:", "file:", ...; "" for nowhere.

    Returns
    -------
    str
        An HTML document in English, which requests nothing from anywhere.

    Raises
    ------
    ValueError
        If the script or the style sheet would end its element.
    jinja2.TemplateError
        As for `render`.
    """
    style = css_variables(theme) + _text("page.css", _TEMPLATES) + _text(css, folder)
    code = "" if script is None else _text(script, folder)
    if re.search(r"</script|<!--", code, re.IGNORECASE) or re.search(
        r"</style", style, re.IGNORECASE
    ):
        raise ValueError("a script or style sheet must not contain what ends its element")
    frame = {"style": style, "script": code, "policy": _policy(style, code, media)}
    return render(template, {**shown, **frame}, folder=folder)


def data_url(content: bytes, kind: str) -> str:
    """Return a URL that holds the content itself; `kind` is a media type such as "image/png"."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


@cache
def _environment(folder: Path) -> Environment:
    # Here, as only those who want a page wait for Jinja2.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([folder, _TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.filters["percent"] = "{:.0%}".format
    return environment


@cache
def _text(name: str, folder: Path) -> str:
    return (folder / name).read_text("utf-8")


def _policy(style: str, script: str, media: str) -> str:
    rules = [
        "default-src 'none'",
        "img-src data:",
        # The attributes are those of our plots; with no requests allowed they can't carry anything
        # away.
        f"style-src {_hash(style)}; style-src-attr 'unsafe-inline'",
        "base-uri 'none'",
        "form-action 'none'",
        *([f"script-src {_hash(script)}"] if script else []),
        *([f"media-src {media}"] if media else []),
    ]
    return "; ".join(rules)


def _hash(text: str) -> str:
    # A document's line ends are normalised before they are hashed; `_text` has normalised ours.
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
