"""Reports say every verdict in words, escape everything, and fit into 100 KB."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import msgspec

from drystone.checks.claims import Claim, Part
from drystone.checks.conversation import CheckSession
from drystone.checks.outcome import Outcome, Uncollected
from drystone.checks.report import lines, markdown, rows, summary
from drystone.checks.report_html import html, write

HOSTILE = "<script>alert('|`*x*`|')</script>&\n# [a](b)"


def session(*outcomes: Outcome, **rest: object) -> CheckSession:
    whole = CheckSession(
        run="01a20737aaa4f1d09c5b6382b13499b1",
        started=1_700_000_000_000_000_000,
        seconds=4.2,
        about=(),
        outcomes=outcomes,
        evidence=(),
        broken=(),
        missed=(),
        stopped="",
        tail="",
        commit="3f2c1ab" * 5,
    )
    return whole._replace(**rest)


def outcome(name: str = "test_a", verdict: str = "pass", **rest: object) -> Outcome:
    made = Outcome(f"checks/a.py::{name}", "model", "pass", 0.1)
    return msgspec.structs.replace(made, verdict=verdict, **rest)


CLAIM = Claim(
    "auc by origin",
    "b3:0",
    "model:m",
    "unsure",
    0.71,
    (0.66, 0.75),
    1200,
    ">= 0.7",
    "about 2,000 rows would tell",
    "checks/a.py:3",
    (Part("EWR", "unsure", 0.71, (0.66, 0.75), 1200), Part("JFK", "pass", 0.8, (0.78, 0.82), 900)),
)


class Text(HTMLParser):
    """What a reader sees and which elements there are."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.words += data.split()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_a_row_says_what_was_found_and_required() -> None:
    (row,) = rows([outcome(verdict="unsure", claims=(CLAIM,))])
    assert (row.file, row.test, row.claim, row.verdict) == (
        "checks/a.py",
        "test_a",
        "auc by origin",
        "unsure",
    )
    assert (row.measured, row.required) == ("0.71 [0.66, 0.75] n=1,200", ">= 0.7")


def test_a_claim_that_holds_for_want_of_an_opponent_says_so() -> None:
    claim = Claim("auc", "b3:0", "model:m", "pass", 0.9, (0.8, 0.95), 900, ">= 0.7")
    alone = Claim("auc not worse than champion", "b3:0", "model:m", "pass", threshold="> -0.01")
    alone = msgspec.structs.replace(alone, opponent="champion", against="")
    (line,) = lines([outcome(claims=(alone,))])
    words = "auc not worse than champion (no champion yet to compare with)"
    assert line.found == f"{words}, required > -0.01"
    assert lines([outcome(claims=(claim, alone))])[0].found == f"2 claims hold; {words}"
    cases = [outcome(f"test_a[{case}]", claims=(claim, alone)) for case in range(2)]
    assert lines(cases)[0].found == f"2 cases, 4 claims hold; {words}; {words}"


def test_markdown_tells_what_needs_attention_first() -> None:
    text = markdown(
        session(outcome(), outcome("test_b", "fail", why="it broke"), outcome("test_c", "skipped"))
    )
    assert text.startswith("## ✗ Checks: fail\n\n1 fail, 1 pass, 1 skipped, of what lies in the work tree.")
    assert text.index("test\\_b") < text.index("test\\_a") < text.index("test\\_c")
    assert "commit 3f2c1ab3f2c1, 2023-11-14T22:13:20.000Z, 4.2 s" in text


def test_markdown_lists_slices() -> None:
    text = markdown(session(outcome(verdict="unsure", claims=(CLAIM,))))
    assert "| ✓ pass | JFK | 0.8 [0.78, 0.82] n=900 |" in text


def test_nothing_in_a_name_or_message_can_break_the_markdown_table() -> None:
    text = markdown(session(outcome(f"test[{HOSTILE}]", "fail", why=HOSTILE)))
    (line,) = [line for line in text.splitlines() if line.startswith("| ✗")]
    assert line.replace("\\|", "").count("|") == 6, "five cells"
    assert "<script>" not in line.replace("\\<", "")
    assert "\\# \\[a\\](b)" in line


def test_nothing_in_a_name_or_message_becomes_html() -> None:
    claim = msgspec.structs.replace(
        CLAIM, name=HOSTILE, why=HOSTILE, threshold=HOSTILE, parts=(Part(HOSTILE, "pass"),)
    )
    page = html(
        session(
            outcome(f"test[{HOSTILE}]", "fail", claims=(claim,), why=HOSTILE, at=HOSTILE),
            about=(HOSTILE,),
            broken=(Uncollected(HOSTILE, HOSTILE),),
            missed=(HOSTILE,),
            stopped=HOSTILE,
            tail=HOSTILE,
        )
    )
    assert "script" not in {tag for tag, _ in Text(page).tags}
    assert page.count("&lt;script&gt;") == 14
    assert "alert('" not in page


def test_the_page_needs_nothing_from_elsewhere_and_says_verdicts_in_words() -> None:
    page = html(
        session(outcome(verdict="unsure", claims=(CLAIM,)), outcome("test_b", "fail", why="it broke"))
    )
    text = Text(page)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in text.tags}
    assert not any({"src", "href"} & set(attributes) for _, attributes in text.tags)
    assert {"pass", "fail", "unsure"} <= set(text.words)
    assert ("html", {"lang": "en"}) in text.tags
    assert all(attributes.get("scope") for tag, attributes in text.tags if tag == "th")
    assert sum(tag == "caption" for tag, _ in text.tags) == sum(tag == "table" for tag, _ in text.tags)
    assert "prefers-color-scheme: dark" in page


def test_a_page_of_very_many_checks_stays_small_and_keeps_what_failed() -> None:
    many = [outcome(f"test_{i}", "pass", claims=(CLAIM,)) for i in range(900)]
    many.append(outcome("test_wrong", "fail", why="it broke"))
    page = html(session(*many))
    assert len(page.encode()) < 100_000
    assert "it broke" in page
    assert "more lines are left out for want of room" in page


def test_a_session_that_is_not_whole_says_so() -> None:
    cut = session(
        outcome(), stopped="pytest was killed by signal 9 before it was done", missed=("checks/a.py::b",)
    )
    assert cut.verdict == "fail"
    assert summary(cut) == "1 pass, 1 not run"
    for text in (markdown(cut), html(cut)):
        assert "killed by signal 9" in text


def test_an_empty_session_is_a_report_too(tmp_path: Path) -> None:
    text, page = write(session(), tmp_path / "new" / "folder", "checks")
    assert "no check ran" in text.read_text()
    assert page.read_text().startswith("<!doctype html>")
