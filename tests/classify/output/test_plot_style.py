"""Pictures.

Their colours can be told apart by all eyes, words stand for them, and the bytes are the same every
time.
"""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from classify.output.plot_style import (
    DARK,
    LIGHT,
    WIDTH_IN,
    Palette,
    Picture,
    canvas,
    css_variables,
    label_axes,
    legible,
)

HOSTILE = 'A$AP_x^$ <b>"&\' fill: #0071b1; id="x" </svg>'


def draw(palette: Palette = LIGHT, text: str = "a curve", name: str = "plot") -> Picture:
    with canvas(height_in=3, palette=palette) as figure:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=palette.accent, label=text)
        axes.scatter([0.5], [0.2], color=palette.step_3)
        axes.legend()
        label_axes(axes, title=text, x="Time", x_unit="s", y="Score", y_unit=None)
    return Picture(figure=figure, name=name, alt=f"It shows {text}.", palette=palette)


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_stand_out_from_what_is_behind_them(palette: Palette) -> None:
    for behind in (palette.background, palette.surface):
        assert contrast(palette.ink, behind) >= 7
        assert contrast(palette.muted, behind) >= 4.5
        for role in ("accent", "like", "dislike", "other", "second", "third", "fourth"):
            assert contrast(getattr(palette, role), behind) >= 3, role
    lightness = [contrast(step, palette.surface) for step in palette.steps]
    assert lightness == sorted(lightness), "the higher the score, the plainer"
    assert min(b / a for a, b in pairwise(lightness)) > 1.2
    roles = [getattr(palette, field.name) for field in fields(palette)]
    assert len(set(roles)) == len(roles), "a colour in SVG must tell its role"
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for colour in roles)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_like_and_dislike_differ_for_the_colour_blind(palette: Palette) -> None:
    """By the simulation of Vienot, Brettel & Mollon 1999 for protanopes and deuteranopes."""
    for matrix in (
        ((0.11238, 0.88762, 0), (0.11238, 0.88762, 0), (0.00401, -0.00401, 1)),
        ((0.29275, 0.70725, 0), (0.29275, 0.70725, 0), (-0.02234, 0.02234, 1)),
    ):

        def seen(colour: str, matrix: tuple[tuple[float, ...], ...] = matrix) -> list[float]:
            linear = [(int(colour[i : i + 2], 16) / 255) ** 2.2 for i in (1, 3, 5)]
            return [sum(m * c for m, c in zip(row, linear, strict=True)) for row in matrix]

        like, dislike = seen(palette.like), seen(palette.dislike)
        assert sum(abs(a - b) for a, b in zip(like, dislike, strict=True)) > 0.3


def test_svg_has_variables_for_colours_real_text_and_its_alternative() -> None:
    svg = draw(text="a curve").svg()
    tree = ET.fromstring(svg)
    assert tree.get("role") == "img"
    assert tree.get("aria-label") == "It shows a curve."
    assert tree.get("viewBox") == f"0 0 {WIDTH_IN * 72:g} 216"
    words = {
        "".join(node.itertext()).strip() for node in tree.iter("{http://www.w3.org/2000/svg}text")
    }
    assert {"Time (s)", "Score", "a curve"} <= words
    assert "var(--accent,#0072b2)" in svg
    assert not set(re.findall(r"[ :](#[0-9a-f]{6})", svg)), "every colour has a role"
    assert "<metadata" not in svg
    assert "<style" not in svg


def test_names_of_two_pictures_on_a_page_never_meet() -> None:
    def ids(picture: Picture) -> set[str]:
        return set(re.findall(r'\bid="([^"]+)"', picture.svg()))

    one, other = ids(draw(name="one")), ids(draw(name="other"))
    assert one
    assert not one & other
    svg = draw(name="one").svg()
    assert set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg)) <= one


@pytest.mark.long
def test_pictures_are_the_same_every_time_and_in_every_thread() -> None:
    first = draw().svg(), draw().png()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda palette: draw(palette).svg(), [LIGHT, DARK] * 4))
    assert found == [first[0], draw(DARK).svg()] * 4
    assert draw().png() == first[1]


def test_hostile_text_is_neither_markup_nor_mathematics() -> None:
    svg = draw(text=HOSTILE).svg()
    tree = ET.fromstring(svg)
    words = {
        "".join(node.itertext()).strip() for node in tree.iter("{http://www.w3.org/2000/svg}text")
    }
    assert HOSTILE in words
    assert tree.get("aria-label") == f"It shows {HOSTILE}."
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append(tag)

    Reader().feed(svg)
    assert "b" not in found


def test_png_has_its_size_and_says_what_it_shows() -> None:
    png = draw().png(dpi=100)
    assert struct.unpack(">II", png[16:24]) == (500, 300)
    assert b"Description\0It shows a curve." in png
    assert b"Software" not in png


def test_a_png_of_a_name_that_is_no_text_can_be_written() -> None:
    named = replace(draw(), alt="It shows a\udcffb.")
    assert b"Description\0It shows a?b." in named.png(dpi=20)


def test_what_has_no_sign_becomes_a_box() -> None:
    assert legible("Dvo\u0159\u00e1k \u65e5\u672c") == "Dvo\u0159\u00e1k \u25a1\u25a1"


def test_words_are_demanded() -> None:
    figure = draw().figure
    with pytest.raises(ValueError, match="no alternative text"):
        Picture(figure=figure, name="x", alt=" ", palette=LIGHT)
    with pytest.raises(ValueError, match="small letters"):
        Picture(figure=figure, name='x"', alt="x", palette=LIGHT)


def test_the_rules_of_one_picture_are_nobody_elses() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    draw(DARK).png()
    assert dict(mpl.rcParams) == before
    script = (
        "import classify.output.plot_style, classify.output.html, sys; "
        "assert 'matplotlib' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_style_sheet_has_both_themes() -> None:
    css = css_variables()
    light, dark = css.split("@media screen and (prefers-color-scheme:dark)")
    assert f"--ink:{LIGHT.ink};" in light
    assert f"--step-1:{DARK.step_1};" in dark


def test_a_theme_may_be_chosen_and_print_is_light() -> None:
    screen = css_variables("dark").partition("@media screen")
    assert LIGHT.background in screen[0]
    assert DARK.background in screen[2]
    assert "prefers-color-scheme" not in "".join(screen)
    assert DARK.background not in css_variables("light")
