"""Where nothing can be observed a step still harms nothing, and what it may have done is noticed."""

from __future__ import annotations

import pytest

from drystone.pipeline.observer import supervise


@pytest.fixture
def blind(shop, monkeypatch: pytest.MonkeyPatch):
    """A project on a kernel that is too old."""
    monkeypatch.setattr(supervise, "_kernel", lambda: (4, 0))
    return shop


def test_a_step_runs_each_time_and_leaves_its_outputs(blind) -> None:
    blind.step("a", "mkdir -p data; cat in > data/a")
    blind.write("in", "1\n")
    assert blind.run() == {"a": "ran"}
    blind.write("in", "2\n")
    assert blind.run() == {"a": "ran"}
    assert "it ran unobserved" in blind.result("a").because
    assert blind.read("data/a") == "2\n"


@pytest.mark.parametrize("script", ["echo more >> in", "echo new > in", "cat in in > x; mv x in", "rm in"])
def test_a_step_that_changes_what_was_there_fails_and_it_is_put_back(blind, script: str) -> None:
    blind.write("in", "1\n")
    blind.step("a", f"{script}; echo a > out")
    assert blind.run() == {"a": "failed"}
    assert "`in`, which it had not made" in blind.last.error.message
    assert blind.read("in") == "1\n"
    assert not (blind.root / "out").exists()


def test_what_was_overwritten_by_a_step_that_fails_is_put_back(blind) -> None:
    blind.write("notes", "mine\n")
    blind.step("a", "echo lost > notes; exit 3")
    assert blind.run() == {"a": "failed"}
    assert blind.read("notes") == "mine\n"


def test_a_file_that_was_written_as_it_was_is_no_change(blind) -> None:
    blind.write("same", "1\n")
    blind.step("a", "echo 1 > same; echo a > out")
    assert blind.run() == {"a": "ran"}
    assert list(blind.lock.paths) == ["out"]


@pytest.mark.parametrize(
    "script", ["echo lost > notes", "echo lost > x; mv x notes", ": | tee notes", "rm notes"]
)
def test_an_observed_step_that_fails_puts_back_what_it_had_overwritten_unread(shop, script: str) -> None:
    shop.write("notes", "mine\n")
    shop.step("a", f"{script}; exit 3")
    assert shop.run() == {"a": "failed"}
    assert shop.read("notes") == "mine\n"
