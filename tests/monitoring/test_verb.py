"""`drystone monitor` as a user types it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import pytest
from tests.saying import Said  # type: ignore[import-not-found]
from tests.saying import said as run

if TYPE_CHECKING:
    from conftest import World

APRIL, MAY, JUNE = (datetime(2013, month, 10, tzinfo=UTC) for month in (4, 5, 6))


@pytest.fixture
def monitor(world: World) -> Callable[..., Said]:
    """Runs the verb in the world's project, in this process."""
    root = world.layout.root
    subprocess.run(["git", "init", "-q", str(root)], check=True)

    return partial(run, root, "monitor")


def test_a_window_is_a_line_with_verdict_performance_and_drift(
    world: World, monitor: Callable[..., Said]
) -> None:
    model = world.model()
    world.serve(model, APRIL, 1500, signal=2.5)
    world.serve(model, MAY, 1500, signal=0.2)
    world.serve(model, JUNE, 500, shift=1.0)
    world.write_labels(world.labels[:3000])
    said = monitor("late-arrival")
    assert said.code == 1
    assert max(map(len, said.out.splitlines())) <= 100
    title, head, april, may, june, *_ = said.out.splitlines()
    assert title == "late-arrival  3,500 predictions, 3 months, 3,000 labels from labels/late-arrival.parquet"
    assert head.split("  ")[0] == "window"
    assert april.startswith("2013-04  pass     1,500  auc 0.") and april.endswith(" 100 %  -")
    assert may.startswith("2013-05  fail")
    assert june.startswith("2013-06  unsure     500  -") and "probability 0." in june and june.endswith("+1")
    assert "\n2013-05  fail: AUC 0." in said.out
    assert "\n2013-06  unsure: drifted; whether that matters is open: 0 labels so far; about " in said.out
    assert "\nwhat moved in 2013-06" in said.out
    assert said.err == ""


def test_a_measure_that_fell_beside_the_headline_is_a_note_that_says_which_one_decides(
    world: World, monitor: Callable[..., Said]
) -> None:
    rows = world.rows(1500, signal=2.5)
    rows["outputs"]["probability"] = [one**0.25 for one in rows["outputs"]["probability"]]
    world.serve(world.model(), APRIL, 1500, rows=rows)
    world.write_labels()
    said = monitor()
    assert "\n2013-04  note: auc decides and passed; worse than the reference: " in said.out
    assert said.code == 0


def test_drift_alone_is_a_notice_unless_it_is_asked_to_fail(
    world: World, monitor: Callable[..., Said]
) -> None:
    world.serve(world.model(), APRIL, 300, shift=1.0)
    assert monitor().code == 0
    assert monitor("--fail-on", "drift").code == 1


def test_json_says_the_same(world: World, monitor: Callable[..., Said]) -> None:
    world.serve(world.model(), APRIL, 300)
    (found,) = json.loads(monitor("--json", "--window", "day").out)["monitors"]
    assert (found["deployment"], found["length"], found["failed"], found["drifted"]) == (
        "late-arrival", "day", False, False,
    )  # fmt: skip
    (window,) = found["windows"]
    assert (window["name"], window["judged"]["verdict"], window["judged"]["n"]) == ("2013-04-10", "pass", 300)
    assert {"feature", "verdict", "p", "effect", "why"} <= set(window["judged"]["features"][0])


def test_what_was_passed_over_is_a_note(world: World, monitor: Callable[..., Said]) -> None:
    world.serve(world.model(), APRIL, 50)
    with (world.requests / "2013-04-10.jsonl").open("a") as log:
        log.write("garbage\n")
    assert monitor("deploy:late-arrival").err == (
        "note: of the request log 1 line passed over as no prediction: `2013-04-10.jsonl:51`\n"
    )


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        ((), "nothing was served here yet", 4),
        (("late-arrival",), "no deployment named `late-arrival`", 4),
        (("--window", "year"), "", 2),
    ],
)
def test_nothing_to_judge_is_an_error_with_a_hint(
    monitor: Callable[..., Said], words: tuple[str, ...], message: str, code: int
) -> None:
    said = monitor(*words)
    assert said.code == code
    assert message in said.err and "hint:" in said.err


def test_labels_that_are_not_there_are_said(world: World, monitor: Callable[..., Said]) -> None:
    world.serve(world.model(), APRIL, 50)
    said = monitor("--labels", "truth.csv")
    assert (said.code, said.err.splitlines()[0]) == (4, "error: no labels at `truth.csv`")


def test_no_requests_yet_is_no_failure(world: World, monitor: Callable[..., Said]) -> None:
    world.requests.mkdir(parents=True)
    assert monitor("late-arrival") == Said(0, "", "`late-arrival` has no requests yet\n")
