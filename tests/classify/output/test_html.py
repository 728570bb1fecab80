"""Pages: nothing comes from outside, nothing that a stranger wrote becomes markup."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from classify.output.html import (
    Html,
    data_url,
    element,
    escape,
    figure,
    page,
    section,
    table,
)

HOSTILE = "</script><script>alert(1)</script><!--\u2028<img src=x onerror=alert(1)>\"'&"


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


def test_text_is_escaped_and_markup_is_not() -> None:
    made = element(
        "p", HOSTILE, element("b", "x & y"), title=HOSTILE, class_="a", hidden=True, id=None
    )
    read = Reader(made)
    assert [tag for tag, _ in read.tags] == ["p", "b"]
    assert read.tags[0][1] == {"title": HOSTILE, "class": "a", "hidden": None}
    assert read.texts == {"p": HOSTILE, "b": "x & y"}
    assert escape(Html("<i>")) == "<i>"
    assert element("p", title=Html('"><i>')) == '<p title="&quot;&gt;&lt;i&gt;"></p>', (
        "attributes always are"
    )


def test_controls_and_marks_of_direction_are_shown_as_such() -> None:
    assert escape("a\x00b\x1bc\u202ed\udc80e\x85f") == "a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf"
    assert escape("a\tb\nc \u05d0") == "a\tb\nc \u05d0"


def test_the_policy_knows_exactly_this_style_and_this_script() -> None:
    script = "document.title = 'x'"
    text = page(
        title=HOSTILE,
        body=[element("h1", HOSTILE)],
        script=script,
        css="b{color:red}",
        media="data:",
    )
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
    assert read.texts["title"] == read.texts["h1"] == HOSTILE
    assert ("html", {"lang": "en"}) in read.tags
    assert any("width=device-width" in (meta.get("content") or "") for meta in metas)
    assert [tag for tag, _ in read.tags].count("script") == 1
    assert not re.search(r"url\(|@import|https?:", read.texts["style"])


def test_without_script_none_may_run() -> None:
    text = page(title="x", body=[])
    assert "script-src" not in text
    assert "<script" not in text
    with pytest.raises(ValueError, match="must not contain"):
        page(title="x", body=[], script="'</SCRIPT>'")
    with pytest.raises(ValueError, match="must not contain"):
        page(title="x", body=[], css="</style>")


def test_pictures_need_words() -> None:
    url = data_url(b"\x89PNG", "image/png")
    assert url == "data:image/png;base64,iVBORw=="
    made = Reader(figure(url, HOSTILE, alt="words"))
    assert made.tags[1] == ("img", {"src": url, "alt": "words"})
    assert made.texts["figcaption"] == HOSTILE
    with pytest.raises(ValueError, match="alternative text"):
        figure(url, "caption")
    with pytest.raises(ValueError, match="aria-label"):
        figure('<svg viewBox="0 0 1 1"><g aria-label="no"/></svg>', "caption")


def test_tables_and_sections() -> None:
    made = Reader(
        section("A & B", table(["song", "score"], [[HOSTILE, 0.5]], numbers=[1]), name="x")
    )
    assert made.texts["h2"] == "A & B"
    cells = [attributes for tag, attributes in made.tags if tag in ("td", "th")]
    assert [cell.get("class") for cell in cells] == [None, "number", None, "number"]
    assert [cell.get("scope") for cell in cells] == ["col", "col", None, None]
    assert HOSTILE in made.texts["td"]
