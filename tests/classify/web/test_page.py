"""What holds of the page's files without a browser.

They fit together, ask for nothing elsewhere, and none of them can turn a song's name into markup.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from classify.output.plot_style import DARK, LIGHT
from tests.support.unclear_words import UNCLEAR

PAGE = Path(__file__).resolve().parents[3] / "classify" / "web" / "page"
MODULES = sorted(PAGE.rglob("*.js"))
SHEETS = sorted(PAGE.rglob("*.css"))
INDEX = (PAGE / "index.html").read_text("utf-8")
# What makes markup or code of text; the Content-Security-Policy would stop some of it, not all.
_DANGEROUS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment"
    r"|setHTML|srcdoc|\beval\(|new Function|javascript:|cssText|setAttribute\(\"style\""
)
_MAX_LINES = 300
MANIFEST = (PAGE / "app.webmanifest").read_text("utf-8")


class _Index(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def _tags() -> list[tuple[str, dict[str, str | None]]]:
    parser = _Index()
    parser.feed(INDEX)
    return parser.tags


def _ids() -> list[str]:
    return [str(attributes["id"]) for _, attributes in _tags() if "id" in attributes]


def _name(path: Path) -> str:
    return path.relative_to(PAGE).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_module_makes_markup_of_text(path: Path) -> None:
    found = _DANGEROUS.search(path.read_text("utf-8"))
    assert found is None, found


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_says_why_it_is_there_and_is_short(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert lines[0].startswith("// ")
    assert len(lines) < _MAX_LINES


@pytest.mark.parametrize("path", [*MODULES, PAGE / "index.html"], ids=_name)
def test_the_page_says_nothing_that_people_did_not_understand(path: Path) -> None:
    text = re.sub(r"^\s*(//|\*|/\*).*$", "", path.read_text("utf-8"), flags=re.MULTILINE)
    said = [text] if path.suffix == ".html" else re.findall(r'"[^"]*"|`[^`]*`', text)
    assert not [words for words in said for unclear in UNCLEAR if unclear in words]


def test_index_has_no_script_or_style_of_its_own() -> None:
    for tag, attributes in _tags():
        assert tag != "style"
        assert "style" not in attributes, attributes
        assert not [name for name in attributes if name.startswith("on")]
        assert tag != "script" or attributes.get("src")
    assert not re.search(r"<script[^>]*>[^<]", INDEX)


@pytest.mark.parametrize("path", [*MODULES, *SHEETS, PAGE / "index.html"], ids=_name)
def test_nothing_is_asked_for_elsewhere(path: Path) -> None:
    for address in re.findall(
        r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}[^\s\"')]*", path.read_text("utf-8")
    ):
        assert address == "http://www.w3.org/2000/svg", address  # a name, not an address


def test_every_file_that_is_named_is_there_and_every_file_is_named() -> None:
    named = {str(a["href"]) for t, a in _tags() if t == "link"}
    named |= {str(a["src"]) for t, a in _tags() if t == "script"}
    assert all(one.startswith("/page/") for one in named)
    imported = {
        _name((path.parent / other).resolve())
        for path in MODULES
        for other in re.findall(r'from "(\.[\w./-]+)"', path.read_text("utf-8"))
    }
    icons = {str(icon["src"]) for icon in json.loads(MANIFEST)["icons"]}
    known = {one.removeprefix("/page/") for one in named | icons} | imported | {"index.html"}
    assert known == {_name(path) for path in PAGE.rglob("*") if path.is_file()}


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_what_a_module_imports_is_exported(path: Path) -> None:
    for names, other in re.findall(
        r'import \{([^}]*)\} from "(\.[\w./-]+)"', path.read_text("utf-8")
    ):
        text = (path.parent / other).read_text("utf-8")
        declared = r"^export (?:async )?(?:function\*?|class|const|let) (\w+)"
        exported = set(re.findall(declared, text, re.MULTILINE))
        wanted = {name.split(" as ")[0].strip() for name in names.split(",") if name.strip()}
        assert wanted <= exported, f"{other} has no {wanted - exported}"


def test_ids_are_unique_and_those_that_scripts_need_exist() -> None:
    ids = _ids()
    assert len(ids) == len(set(ids))
    text = "".join(path.read_text("utf-8") for path in MODULES)
    made = set(re.findall(r'\bid: "([\w-]+)"', text))
    needed = set(re.findall(r'byId\("([\w-]+)"\)', text))
    assert needed <= set(ids) | made, needed - set(ids) - made
    icons = set(re.findall(r'(?:icon|setIcon)\((?:\w+, )?"([\w-]+)"', text))
    icons |= {
        href.removeprefix("#i-")
        for _, a in _tags()
        if (href := a.get("href") or "").startswith("#i-")
    }
    assert {f"i-{name}" for name in icons} <= set(ids)


def test_labels_point_to_fields_and_buttons_do_not_submit_by_accident() -> None:
    ids = set(_ids())
    for tag, attributes in _tags():
        for key in ("for", "aria-labelledby", "aria-describedby", "aria-controls"):
            assert set(str(attributes.get(key) or "").split()) <= ids, attributes
        if tag == "button":
            assert attributes.get("type") in ("button", "submit"), attributes


def _theme(sheet: str) -> dict[str, tuple[str, str]]:
    pairs = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)", sheet)
    return {name: (light, dark) for name, light, dark in pairs}


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize(("theme", "palette"), [(0, LIGHT), (1, DARK)], ids=["light", "dark"])
def test_colours_are_the_projects_and_can_be_told_apart(theme: int, palette: object) -> None:
    colours = {
        name: pair[theme] for name, pair in _theme((PAGE / "base.css").read_text("utf-8")).items()
    }
    for role in ("ink", "muted", "accent", "like", "dislike", "step_1", "step_3", "step_5"):
        assert colours[role.replace("_", "-")] == getattr(palette, role)
    for ink in ("ink", "muted", "accent"):
        for ground in ("mat", "surface", "raised", "sunken", "hover", "selected"):
            if (ink, ground) != ("accent", "mat"):  # nothing is written so
                assert _contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    assert _contrast(colours["on-accent"], colours["accent"]) >= 4.5
    assert _contrast(colours["bad"], colours["mat"]) >= 4.5
    for graphic in ("like", "dislike", "edge"):
        assert _contrast(colours[graphic], colours["surface"]) >= 3
