"""The skeleton of a self-contained HTML page.

It has safe text and one style sheet, is light and dark, and makes no requests.

Whatever is not `Html` already is escaped on its way into an element, so a song's title can't become
markup. The page's own policy (CSP) forbids all requests; scripts and style sheets count by their
hashes only.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Collection, Sequence

from classify.output.plot_style import css_variables

__all__ = [
    "Html",
    "data_url",
    "element",
    "escape",
    "figure",
    "page",
    "section",
    "table",
]

_VOID = {"br", "hr", "img", "input", "meta"}
# Never part of what is meant to be read: controls, halves of surrogate pairs, and marks that turn
# the direction of what follows ("Trojan Source", CVE-2021-42574).
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufffe\uffff]"
)


class Html(str):
    """Markup that is safe as it stands."""

    __slots__ = ()


def escape(text: object) -> Html:
    """Turn text into markup that shows it, also within quotes; `Html` stays as it is.

    Controls, halves of surrogate pairs (from names that are no UTF-8) and marks of direction become
    U+FFFD.
    """
    return text if isinstance(text, Html) else Html(html.escape(_CONTROLS.sub("\ufffd", str(text))))


def element(name: str, *children: object, **attributes: object) -> Html:
    """Make an element.

    Parameters
    ----------
    name : str
        Such as "p".
    *children : object
        Its content, escaped unless it is `Html`.
    **attributes : object
        Escaped always. `class_` is `class`, `data_x` is `data-x`; True gives the bare name, None
        and False nothing.
    """
    given = ""
    for key, value in attributes.items():
        if value is not None and value is not False:
            known = key.rstrip("_").replace("_", "-")
            given += f" {known}" if value is True else f' {known}="{escape(str(value))}"'
    if name in _VOID:
        return Html(f"<{name}{given}>")
    return Html(f"<{name}{given}>{''.join(map(escape, children))}</{name}>")


def data_url(content: bytes, kind: str) -> str:
    """Return a URL that holds the content itself; `kind` is a media type such as "image/png"."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def figure(picture: str, caption: object, *, alt: str | None = None) -> Html:
    """Show a picture over its caption.

    Parameters
    ----------
    picture : str
        `Picture.svg()`, which brings its alternative text, or the URL of an image.
    caption : object
        What it shows, in a sentence or two.
    alt : str, optional
        The alternative text of an image at a URL; has to be there for that one alone.

    Raises
    ------
    ValueError
        If the picture has no alternative text.
    """
    if not picture.startswith("<svg"):
        if not alt:
            raise ValueError("an image needs alternative text")
        return _figure(element("img", src=picture, alt=alt), caption)
    if 'aria-label="' not in picture[: picture.index(">")]:
        raise ValueError("an svg needs an aria-label, its alternative text")
    return _figure(Html(picture), caption)


def _figure(content: Html, caption: object) -> Html:
    return element("figure", content, element("figcaption", caption))


def table(
    header: Sequence[object], rows: Sequence[Sequence[object]], *, numbers: Collection[int] = ()
) -> Html:
    """Lay rows out under a header, scrolling where they are too wide.

    Columns in `numbers` are set to the right.
    """

    def line(cells: Sequence[object], kind: str) -> Html:
        return element(
            "tr",
            *(
                element(
                    kind,
                    cell,
                    class_="number" if i in numbers else None,
                    scope="col" if kind == "th" else None,
                )
                for i, cell in enumerate(cells)
            ),
        )

    head, body = (
        element("thead", line(header, "th")),
        element("tbody", *(line(row, "td") for row in rows)),
    )
    return element("div", element("table", head, body), class_="wide", tabindex=0)


def section(heading: object, *children: object, name: str | None = None) -> Html:
    """Put children under a heading of the second order."""
    return element("section", element("h2", heading), *children, id=name)


def page(
    *, title: str, body: Sequence[Html], script: str = "", css: str = "", media: str = ""
) -> str:
    """Put a page together.

    Parameters
    ----------
    title : str
        For the window; the body needs an `h1` of its own.
    body : sequence of Html
    script : str
        JavaScript, if any. It must not contain "</script" or "<!--".
    css : str
        What this page adds to the style sheet; it must not contain "</style".
    media : str
        Where audio may come from, as in a policy: "data:", "file:", ...; "" for nowhere.

    Returns
    -------
    str
        An HTML document in English, which requests nothing from anywhere.

    Raises
    ------
    ValueError
        If the script or the CSS would end its element.
    """
    sheet = f"{css_variables()}{_CSS}{css}"
    if re.search(r"</script|<!--", script, re.IGNORECASE) or re.search(
        r"</style", sheet, re.IGNORECASE
    ):
        raise ValueError("a script or style sheet must not contain what ends its element")
    policy = [
        "default-src 'none'",
        "img-src data:",
        # The attributes are those of our plots; with no requests allowed they can't carry anything
        # away.
        f"style-src {_hash(sheet)}; style-src-attr 'unsafe-inline'",
        "base-uri 'none'",
        "form-action 'none'",
        *([f"script-src {_hash(script)}"] if script else []),
        *([f"media-src {media}"] if media else []),
    ]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content="; ".join(policy)),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name_="referrer", content="no-referrer"),
        element("meta", name_="generator", content="Seven Songs"),
        element("title", title),
        element("style", Html(sheet)),
    )
    end = element("script", Html(script)) if script else ""
    content = element("body", element("main", *body), end)
    return f"<!doctype html>\n{element('html', head, content, lang='en')}\n"


def _hash(text: str) -> str:
    # A document's line ends are normalised before they are hashed.
    digest = hashlib.sha256(text.replace("\r\n", "\n").encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


_CSS = """
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--background);color:var(--ink);
 font:1rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:68rem;margin:0 auto;padding:clamp(1.25rem,5vw,4rem) clamp(1rem,4vw,3rem) 4rem}
h1{font-size:clamp(1.75rem,5vw,2.5rem);line-height:1.2;font-weight:650;letter-spacing:-.02em;
 margin:0 0 .75rem;overflow-wrap:anywhere}
h2{font-size:1.3rem;line-height:1.3;font-weight:650;letter-spacing:-.01em;margin:0 0 .5rem}
h3{font-size:1rem;font-weight:650;margin:1.5rem 0 .25rem}
p,li,figcaption{max-width:42rem}
p{margin:0 0 1rem}
section{margin-top:3.5rem}
a{color:var(--accent)}
small,.muted,figcaption{color:var(--muted)}
small,figcaption,table{font-size:.9375rem}
.kicker{color:var(--accent);font-weight:600;font-size:.875rem;letter-spacing:.06em;text-transform:uppercase;
 margin:0 0 .5rem}
.lead{font-size:clamp(1.1rem,2.6vw,1.3rem);line-height:1.5}
.card,figure{background:var(--surface);border:1px solid var(--grid);border-radius:.75rem;margin:1.25rem 0;
 padding:1.25rem}
.grid{display:grid;gap:1.25rem;
 grid-template-columns:repeat(auto-fit,minmax(min(21rem,100%),1fr));margin:1.25rem 0}
.grid>*{margin:0;min-width:0}
.note{border-left:.25rem solid var(--accent);padding:.25rem 0 .25rem 1rem}
figure>svg,figure>img{display:block;width:100%;height:auto;max-width:34rem;margin:0 auto}
figcaption{margin:.75rem auto 0;max-width:34rem}
figure{max-width:40rem}
.grid>figure{max-width:none}
svg.plot{overflow:visible}
svg.plot *{stroke-linejoin:round;stroke-linecap:butt}
.wide{overflow-x:auto;margin:1.25rem 0}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{font-weight:600;color:var(--muted);text-align:left;vertical-align:bottom}
th,td{padding:.5rem 1rem .5rem 0;border-bottom:1px solid var(--grid)}
td{vertical-align:top;min-width:6rem;overflow-wrap:break-word}
th:last-child,td:last-child{padding-right:0}
th.number,td.number{min-width:0;text-align:right;white-space:nowrap}
code,kbd{font:.875em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
code.copy{user-select:all;-webkit-user-select:all}
footer{margin-top:4rem;padding-top:1rem;border-top:1px solid var(--grid)}
button,input{font:inherit;color:inherit}
button{background:var(--surface);border:1px solid var(--muted);border-radius:.5rem;padding:.375rem .75rem;
 cursor:pointer}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
audio{width:100%}
@media (max-width:30rem){.card,figure{padding:1rem .625rem;border-radius:.5rem}section{margin-top:2.5rem}}
@media (prefers-reduced-motion:reduce){*{transition:none!important;animation:none!important}}
@media print{body{font-size:10.5pt}main{max-width:none;padding:0}.card,figure,tr{break-inside:avoid}
 h2,h3{break-after:avoid}.screen{display:none}}
"""
