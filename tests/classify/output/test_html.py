"""Pages: nothing comes from outside, nothing that a stranger wrote becomes markup."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import TemplateNotFound, UndefinedError

from classify.output.html import data_url, render, render_page
from classify.output.plot_style import LIGHT, Picture, canvas

HOSTILE = "</script><script>alert(1)</script><!--\u2028<img src=x onerror=alert(1)>\"'&"
PAGE = (
    '{% extends "page.html" %}{% block title %}{{ name }}{% endblock %}'
    "{% block main %}<h1>{{ name }}</h1>{% endblock %}"
)


class Reader(HTMLParser):
    """Tags with their attributes, and the text within each kind of tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open[-1]] = self.texts.get(self._open[-1], "") + data


def filled(folder: Path, template: str, **shown: object) -> str:
    """Fill in a template of the test's own."""
    (folder / "test.html").write_text(template, "utf-8")
    return render("test.html", shown, folder=folder)


def page_of(folder: Path, *, css: str = "", script: str | None = None, media: str = "") -> str:
    (folder / "test.html").write_text(PAGE, "utf-8")
    (folder / "test.css").write_text(css, "utf-8")
    (folder / "test.js").write_text(script or "", "utf-8")
    name = None if script is None else "test.js"
    return render_page(
        "test.html", {"name": HOSTILE}, folder=folder, css="test.css", script=name, media=media
    )


def test_text_is_escaped_and_markup_is_not(tmp_path: Path) -> None:
    template = (
        '{% macro bold(words) %}<b>{{ words }}</b>{% endmacro %}<p title="{{ text }}">{{ text }}'
        '{{ bold("x & y") }}</p>'
    )
    read = Reader(filled(tmp_path, template, text=HOSTILE))
    assert read.tags == [("p", {"title": HOSTILE}), ("b", {})]
    assert read.texts == {"p": HOSTILE, "b": "x & y"}


@pytest.mark.parametrize("template", ["{{ text }}", "{{ wrap(text) }}", "{{ [text]|join }}"])
def test_controls_and_marks_of_direction_are_shown_as_such(tmp_path: Path, template: str) -> None:
    def shown(text: str) -> str:
        wrap = "{% macro wrap(text) %}{{ text }}{% endmacro %}"
        return filled(tmp_path, wrap + template, text=text)

    assert shown("a\x00b\x1bc\u202ed\udc80e\x85f") == "a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf"
    assert shown("a\tb\nc \u05d0") == "a\tb\nc \u05d0"


@pytest.mark.parametrize(
    "template", ["{{ nothing }}", "{{ song.nothing }}", "{% if nothing %}x{% endif %}"]
)
def test_a_template_that_asks_for_what_is_not_there_fails(tmp_path: Path, template: str) -> None:
    with pytest.raises(UndefinedError):
        filled(tmp_path, template, song={})


def test_no_template_lies_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.html").write_text("secret", "utf-8")
    (tmp_path / "inner").mkdir()
    for name in ("../secret.html", str(tmp_path / "secret.html"), "secret.html"):
        with pytest.raises(TemplateNotFound):
            render(name, {}, folder=tmp_path / "inner")


def test_the_policy_knows_exactly_this_style_and_this_script(tmp_path: Path) -> None:
    script = "document.title = 'x' && \"{{ name }}\"\n"
    text = page_of(tmp_path, script=script, css="b{color:red}\n", media="data:")
    read = Reader(text)
    metas = [attributes for tag, attributes in read.tags if tag == "meta"]
    policy = next(
        meta["content"] for meta in metas if meta.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert rules["media-src"] == "data:"
    for rule, tag in (("style-src", "style"), ("script-src", "script")):
        digest = base64.b64encode(hashlib.sha256(read.texts[tag].encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert read.texts["script"] == script, "a script is no template"
    assert read.texts["style"].endswith("b{color:red}\n")
    assert text.startswith("<!doctype html>\n")
    assert read.texts["title"] == read.texts["h1"] == HOSTILE
    assert ("html", {"lang": "en"}) in read.tags
    assert any("width=device-width" in (meta.get("content") or "") for meta in metas)
    assert [tag for tag, _ in read.tags].count("script") == 1
    assert not re.search(r"url\(|@import|https?:", read.texts["style"])


def test_without_script_none_may_run(tmp_path: Path) -> None:
    text = page_of(tmp_path)
    assert "script-src" not in text
    assert "<script" not in text


@pytest.mark.parametrize(
    "ends", [{"script": "'</SCRIPT>'"}, {"script": "'<!--'"}, {"css": "</style>"}]
)
def test_what_would_end_its_element_is_refused(tmp_path: Path, ends: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="must not contain"):
        page_of(tmp_path, **ends)


def test_a_picture_stands_over_its_caption(tmp_path: Path) -> None:
    with canvas(height_in=1) as figure:
        figure.subplots()
    picture = Picture(figure=figure, name="x", alt="words", palette=LIGHT)
    spoofed = Picture(figure=figure, name="x", alt="a\u202eb\udc80c\x1b", palette=LIGHT)
    template = (
        '{% from "parts.html" import figure %}{% call figure(picture) %}{{ caption }}{% endcall %}'
    )
    made = filled(tmp_path, template, picture=picture, caption=HOSTILE)
    assert picture.svg() in made
    read = Reader(made)
    assert [tag for tag, _ in read.tags[:2]] == ["figure", "svg"]
    assert read.tags[1][1]["aria-label"] == "words"
    assert read.texts["figcaption"] == HOSTILE
    read = Reader(filled(tmp_path, template, picture=spoofed, caption=""))
    assert read.tags[1][1]["aria-label"] == "a\ufffdb\ufffdc\ufffd"
    url = data_url(b"\x89PNG", "image/png")
    assert url == "data:image/png;base64,iVBORw=="


def test_tables(tmp_path: Path) -> None:
    template = '{% from "parts.html" import table %}{{ table(header, rows, numbers=[1]) }}'
    made = Reader(filled(tmp_path, template, header=["song & b", "score"], rows=[[HOSTILE, 0.5]]))
    cells = [attributes for tag, attributes in made.tags if tag in ("td", "th")]
    assert [cell.get("class") for cell in cells] == [None, "number", None, "number"]
    assert [cell.get("scope") for cell in cells] == ["col", "col", None, None]
    assert "song & b" in made.texts["th"]
    assert HOSTILE in made.texts["td"]


def test_jinja_waits_until_there_is_a_page_to_write() -> None:
    script = (
        "import sys\n"
        "import classify.output.html, classify.explanation.page\n"
        "import classify.evaluation.report.report\n"
        "assert not {'jinja2', 'markupsafe'} & set(sys.modules)\n"
        "classify.output.html.render('songs.html', {'header': [], 'groups': [], 'n_more': 0})\n"
        "assert 'jinja2' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
