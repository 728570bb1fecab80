"""The one style of all plots.

It sets their colours, sizes, units and alternative text, and how they become SVG or PNG.

Matplotlib is used through its `Figure` alone, never through pyplot, and imported when the first
picture is drawn.

Colours are those of Okabe and Ito (2008, "Color Universal Design"), which people with any kind of
colour blindness tell apart; some are made darker or lighter, so that each has a contrast of 3:1 to
what is behind it (WCAG 2.2, 1.4.11). The five steps of a score are of one hue and differ in
lightness. Two themes have the same roles. In SVG each colour is a CSS variable of its role, so one
picture fits pages of either theme.
"""

from __future__ import annotations

import html
import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "DARK",
    "LIGHT",
    "SPECTRUM",
    "WIDTH_IN",
    "Palette",
    "Picture",
    "Theme",
    "canvas",
    "css_variables",
    "label_axes",
]
__all__ += ["legible"]

Theme = Literal["system", "light", "dark"]
# A phone shows 360 CSS pixels; at 72 points an inch a font's size in points is then its size in
# pixels there.
WIDTH_IN = 5.0
_FONT_PT = 12.0
_FONT = "DejaVu Sans"  # comes with Matplotlib
_POINTS = 72
# A colour map for energies: even in lightness for all eyes (Nunez, Anderton, Renslow 2018,
# "Optimizing colormaps").
SPECTRUM = "cividis"
# Matplotlib's settings are global: one picture at a time.
_LOCK = threading.RLock()


@dataclass(frozen=True, kw_only=True)
class Palette:
    """What is drawn in which colour, as #rrggbb; no two roles have the same.

    Parameters
    ----------
    background, surface : str
        Of the page, and of what lies on it.
    ink, muted, grid : str
        Text, less important text, and lines that only guide the eye.
    accent : str
        What matters most.
    like, dislike, other : str
        Songs, by their labels.
    second, third, fourth : str
        Further curves beside the accent's; let their lines differ in dashes too.
    step_1, step_2, step_3, step_4, step_5 : str
        Scores from 0 to 1 in fifths.
    """

    background: str
    surface: str
    ink: str
    muted: str
    grid: str
    accent: str
    like: str
    dislike: str
    other: str
    second: str
    third: str
    fourth: str
    step_1: str
    step_2: str
    step_3: str
    step_4: str
    step_5: str

    @property
    def steps(self) -> tuple[str, str, str, str, str]:
        """The five colours of scores, from 0 to 1."""
        return self.step_1, self.step_2, self.step_3, self.step_4, self.step_5


LIGHT = Palette(
    background="#faf9f7",
    surface="#ffffff",
    ink="#1d2126",
    muted="#59616b",
    grid="#dfe2e6",
    accent="#0072b2",
    like="#0071b1",
    dislike="#c65700",
    other="#858d97",
    second="#c75800",
    third="#008a65",
    fourth="#a8508a",
    step_1="#c9d3dc",
    step_2="#9dbbd2",
    step_3="#5f9bc4",
    step_4="#1f75ac",
    step_5="#0a4a78",
)
DARK = Palette(
    background="#14171b",
    surface="#1b1f25",
    ink="#e9ebee",
    muted="#a5adb8",
    grid="#363d46",
    accent="#56b4e9",
    like="#57b5ea",
    dislike="#e69f00",
    other="#7d8792",
    second="#e79f01",
    third="#2bc493",
    fourth="#d98cb8",
    step_1="#3d4853",
    step_2="#41657f",
    step_3="#4389b5",
    step_4="#62b6e8",
    step_5="#c3e6fb",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A finished figure with the words that stand for it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Drawn on a `canvas` of the same palette.
    name : str
        Letters and hyphens, unlike that of any other picture of a page.
    alt : str
        What a listener who can't see it should know: what is drawn, and what it shows.
    palette : Palette
    """

    figure: Figure
    name: str
    alt: str
    palette: Palette

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9-]*", self.name):
            raise ValueError(
                f"a picture is called {self.name!r}; small letters, digits and hyphens are meant"
            )
        if not self.alt.strip():
            raise ValueError(f"the picture {self.name} has no alternative text")

    def svg(self) -> str:
        """Return an element `svg` for a page of `classify.output.html`.

        Equal figures give equal text.
        """
        out = io.StringIO()
        with _ruled(self.palette):
            self.figure.savefig(out, format="svg", metadata=_NO_METADATA, facecolor="none")
        return _as_element(out.getvalue(), self)

    def __html__(self) -> str:
        """Return `svg`, which templates put in as the markup that it is."""
        return self.svg()

    def png(self, *, dpi: int = 200) -> bytes:
        """Return an image of 5 inches' width, whose alternative text is its `Description`."""
        out = io.BytesIO()
        # The name of a file may hold bytes that are no text, which a PNG can't.
        alt = self.alt.encode("utf-8", "replace").decode("utf-8")
        described = {"Software": None, "Description": alt}
        with _ruled(self.palette):
            self.figure.savefig(
                out, format="png", dpi=dpi, metadata=described, facecolor=self.palette.background
            )
        return out.getvalue()


@contextmanager
def canvas(
    *, height_in: float, palette: Palette = LIGHT, width_in: float = WIDTH_IN
) -> Iterator[Figure]:
    """Give an empty figure, and draw by the rules of this module until the end of the block.

    Parameters
    ----------
    height_in, width_in : float
        Inches. The default width is right for phones; text is 12 points there.
    palette : Palette

    Yields
    ------
    matplotlib.figure.Figure
        One thread draws at a time. Text is never taken for mathematics, whatever dollars are in it:
        logarithmic axes need a formatter that writes plain numbers.
    """
    with _ruled(palette):
        from matplotlib.figure import Figure

        yield Figure(figsize=(width_in, height_in), layout="constrained")


def label_axes(
    axes: Axes, *, title: str, x: str, x_unit: str | None, y: str, y_unit: str | None
) -> None:
    """Give axes a title and names with units.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    title : str
        What is to be seen, to the left; "" where the heading beside the picture says so.
    x, y : str
        What is along either axis; "" for none.
    x_unit, y_unit : str or None
        Such as "s", "Hz" or "%"; None for what has no unit.
    """
    if title:
        axes.set_title(title, loc="left")
    axes.set_xlabel(x if x_unit is None else f"{x} ({x_unit})")
    axes.set_ylabel(y if y_unit is None else f"{y} ({y_unit})")


def legible(text: str) -> str:
    """Replace what the plots' font has no sign for (it lacks Chinese, say) by an empty box."""
    from matplotlib import font_manager

    font = font_manager.get_font(font_manager.findfont(_FONT))
    return "".join(sign if font.get_char_index(ord(sign)) else "\u25a1" for sign in text)


def css_variables(theme: Theme = "system") -> str:
    """Return CSS that gives each role its colour, in a theme or the reader's; light in print."""
    light, dark = (
        "".join(f"--{_css_name(role)}:{colour};" for role, colour in _roles(palette).items())
        for palette in (LIGHT, DARK)
    )
    if theme != "system":
        colours = light if theme == "light" else dark
        return f":root{{color-scheme:{theme};{light}}}\n@media screen{{:root{{{colours}}}}}\n"
    return (
        f":root{{color-scheme:light dark;{light}}}\n"
        f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
    )


_NO_METADATA: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))


def _roles(palette: Palette) -> dict[str, str]:
    return {field.name: getattr(palette, field.name) for field in fields(palette)}


def _css_name(role: str) -> str:
    return role.replace("_", "-")


@contextmanager
def _ruled(palette: Palette) -> Iterator[None]:
    with _LOCK:
        import matplotlib as mpl

        with mpl.rc_context(_rules(palette)):
            yield


def _rules(palette: Palette) -> Any:  # its keys' type depends on Matplotlib's version
    ink = ("text.color", "axes.labelcolor", "axes.titlecolor", "patch.edgecolor", "hatch.color")
    muted = ("xtick.color", "ytick.color", "axes.edgecolor", "legend.labelcolor")
    sizes = ("font.size", "axes.titlesize", "axes.labelsize", "legend.fontsize")
    return {
        **dict.fromkeys(ink, palette.ink),
        **dict.fromkeys(muted, palette.muted),
        **dict.fromkeys(sizes, _FONT_PT),
        "xtick.labelsize": _FONT_PT - 1,
        "ytick.labelsize": _FONT_PT - 1,
        "axes.titleweight": "bold",
        "axes.titlepad": 10.0,
        "font.family": [_FONT],
        "figure.dpi": _POINTS,
        "figure.facecolor": palette.background,
        "axes.facecolor": "none",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": palette.grid,
        "grid.linewidth": 0.8,
        "lines.linewidth": 2.0,
        "lines.color": palette.accent,
        "legend.frameon": False,
        "text.parse_math": False,
        "axes.formatter.use_mathtext": False,
        "axes.unicode_minus": True,
        "svg.fonttype": "none",  # text that can be read, searched and spoken
        "svg.hashsalt": "sevensongs",
    }


def _as_element(document: str, picture: Picture) -> str:
    """Cut Matplotlib's document down to what a page takes in.

    It gets names of its own, and variable colours.
    """
    roles = {
        colour: f"var(--{_css_name(role)},{colour})"
        for role, colour in _roles(picture.palette).items()
    }

    def tag(found: re.Match[str]) -> str:
        named = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{picture.name}-", found[0])
        named = named.replace(f"'{_FONT}'", "system-ui, sans-serif")
        if not named.startswith("<image"):  # whose scale is multiplied by its many pixels
            named = re.sub(r"(\.\d\d)\d+", r"\1", named)  # a hundredth of a pixel is enough
        return re.sub("(?<=: )#[0-9a-f]{6}", lambda colour: roles.get(colour[0], colour[0]), named)

    body = document[document.index("<svg") :]
    body = re.sub(
        r"<metadata>.*?</metadata>|<style type=.*?</style>|<!--.*?-->", "", body, flags=re.DOTALL
    )
    body = re.sub("<[^<>]+>", tag, body)  # not the text between tags
    width, height = picture.figure.get_size_inches() * _POINTS
    start = (
        f'<svg class="plot" role="img" aria-label="{html.escape(picture.alt)}" '
        f'viewBox="0 0 {width:g} {height:g}" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return re.sub(r"<svg[^>]*>", lambda _: start, body, count=1).strip()
