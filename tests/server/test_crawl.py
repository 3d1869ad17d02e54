"""Every page reached from the first one: it answers, has a twin, its links resolve, nothing is unescaped."""

from __future__ import annotations

import json
import re
import shlex
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import pytest

from drystone.cli.parse import verb_parser

ISO = re.compile(r"-?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z|-?\d{10,}")
VOID = {"meta", "link", "input", "img", "br", "hr", "wbr"}


class Html(HTMLParser):
    """The elements of a page, and whether they were opened and closed as they must be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.errors: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        self.errors += [f"<{tag}> is never closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements.append((tag, found))
        if len(found) != len(attrs):
            self.errors.append(f"<{tag}> says an attribute twice: {attrs}")
        if tag == "a":
            self.links.append(str(found["href"]))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.errors.append(f"</{tag}> closes {self._open[-3:]}")
        else:
            self._open.pop()


def crawl(site, start: str = "/", most: int = 400) -> dict[str, str]:
    """Every page reachable by links, as {address: HTML}."""
    pages: dict[str, str] = {}
    waiting = [start]
    while waiting and len(pages) < most:
        path = waiting.pop()
        if path in pages:
            continue
        answer = site.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[-400:]}"
        if not answer.headers["content-type"].startswith("text/html"):
            json.loads(answer.content)
            continue
        pages[path] = answer.text
        for link in Html(answer.text).links:
            address = urljoin(path, link)
            if not link.startswith("#"):
                assert address.startswith("/"), f"{path} leads away to {link}"
                waiting.append(address)
    return pages


@pytest.fixture(scope="module")
def seen(visit, project, evil) -> dict[str, dict[str, str]]:
    return {"flights": crawl(visit(project)), "evil": crawl(visit(evil))}


@pytest.fixture(params=["flights", "evil"])
def which(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pages(which: str, seen) -> dict[str, str]:
    return seen[which]


def test_every_link_of_every_page_resolves(pages: dict[str, str]) -> None:
    sections = {"/" + path.split("/")[1].split("?")[0] for path in pages}
    assert sections == {
        "/",
        "/runs",
        "/pipeline",
        "/models",
        "/data",
        "/deployments",
        "/monitors",
        "/objects",
    }
    assert len(pages) > 40


def test_every_page_is_well_formed(pages: dict[str, str]) -> None:
    for path, text in pages.items():
        assert not Html(text).errors, f"{path}: {Html(text).errors[:3]}"


def test_every_page_names_its_twin_and_the_twin_is_json_with_iso_times(
    pages: dict[str, str], which: str, visit, project, evil
) -> None:
    site = visit(project if which == "flights" else evil)
    for path, text in pages.items():
        twins = [
            found["href"]
            for tag, found in Html(text).elements
            if tag == "link" and found.get("type") == "application/json"
        ]
        assert len(twins) == 1
        split = urlsplit(path)
        expected = "/index.json" if split.path == "/" else f"{split.path}.json"
        assert twins[0] == expected + (f"?{split.query}" if split.query else "")
        answer = site.get(twins[0])
        assert answer.status_code == 200 and answer.headers["content-type"] == "application/json", twins[0]

        def refuse(constant: str) -> None:
            raise AssertionError(f"{constant} is no JSON")

        document = json.loads(answer.content, parse_constant=refuse)
        program, verb, *words = shlex.split(document["cli"])
        assert program == "drystone" and verb_parser(verb).parse_args(words)
        _check_times(document)


def _check_times(value: object, key: str = "") -> None:
    if isinstance(value, dict):
        for name, item in value.items():
            _check_times(item, name)
    elif isinstance(value, list):
        for item in value:
            _check_times(item)
    elif key in ("time", "start", "end", "started", "finished") and value is not None:
        assert isinstance(value, str) and ISO.fullmatch(value), f"{key}: {value}"


def test_every_page_says_where_one_is_and_what_to_type(pages: dict[str, str]) -> None:
    for path, text in pages.items():
        elements = Html(text).elements
        assert sum(tag == "h1" for tag, _ in elements) == 1, path
        assert 'class="skip" href="#main"' in text and 'id="main"' in text
        assert "<code>drystone " in text
        assert text.count('aria-current="page"') >= (1 if not path.startswith("/objects") else 0)
        assert re.search(r"<title>[^<]+ · Drystone</title>", text)


def test_no_page_holds_a_script_an_inline_style_or_a_foreign_address(pages: dict[str, str]) -> None:
    for path, text in pages.items():
        for tag, found in Html(text).elements:
            assert tag not in ("script", "style", "iframe", "object", "embed", "b"), f"{path}: <{tag}>"
            assert not [name for name in found if name.startswith("on") or name == "style"], (
                f"{path}: {found}"
            )
            for name in ("href", "src", "action"):
                target = found.get(name) or "/"
                assert target.startswith(("/", "#")) and not target.startswith("//"), f"{path}: {target}"


def test_hostile_names_are_shown_as_text_with_their_tricks_visible(seen) -> None:
    for path, text in seen["evil"].items():
        assert "<script>alert" not in text and "\u202e" not in text and "\x1b" not in text, path
    run = next(text for path, text in seen["evil"].items() if path.startswith("/runs/0"))
    assert (
        "&lt;script&gt;alert(1)&lt;/script&gt;&#34;" in run
        and "\u2039U+202E\u203a" in run
        and "{{7*7}}" in run
    )


def test_names_that_look_like_other_addresses_have_pages_of_their_own(visit, evil) -> None:
    site = visit(evil)
    for name, address in (
        ("a/b.json", "a~2Fb~2Ejson"),
        ("a.json", "a~2Ejson"),
        ("v1/v2", "v1~2Fv2"),
        ("..", "~2E~2E"),
        ("a%2Fb", "a~252Fb"),
        ("ü ~2E", "~C3~BC~20~7E2E"),
    ):
        for kind, base in (("model", "models"), ("data", "data")):
            document = site.get(f"/{base}/{address}.json").json()
            assert (document["kind"], document["name"]) == (kind, name)
            assert site.get(f"/{base}/{address}/v1.json").json()["version"]["name"] == name


def test_an_empty_project_says_on_each_page_how_to_begin(visit, empty) -> None:
    site = visit(empty)
    found = crawl(site)
    assert {urlsplit(path).path for path in found} == {
        "/",
        "/runs",
        "/pipeline",
        "/models",
        "/data",
        "/deployments",
    }
    for text in found.values():
        assert "<code>drystone " in text and "<table" not in text
    assert site.get("/runs.json").json()["runs"] == []
