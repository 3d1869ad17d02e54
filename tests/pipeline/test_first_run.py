"""On the first run nothing is known: the right result comes from trying."""

from __future__ import annotations

import pytest

from drystone.core.errors import Conflict, NotFound
from drystone.pipeline.results import StepStarted, StepWaiting


def test_steps_in_the_worst_alphabetical_order_give_the_right_result(shop) -> None:
    shop.step("a", "cat data/b.txt > data/a.txt; echo a >> data/a.txt")
    shop.step("b", "cat data/c.txt > data/b.txt; echo b >> data/b.txt")
    shop.step("c", "mkdir -p data; echo c > data/c.txt")
    assert shop.run() == {"c": "ran", "b": "ran", "a": "ran"}
    assert shop.read("data/a.txt") == "c\nb\na\n"
    assert shop.run() == {"c": "unchanged", "b": "unchanged", "a": "unchanged"}


def test_a_first_failure_is_kept_quiet_and_says_what_it_waits_for(shop) -> None:
    shop.step("a", "cat data/b.txt > a.txt")
    shop.step("b", "mkdir -p data; echo b > data/b.txt")
    shop.run()
    waiting = [event for event in shop.events if isinstance(event, StepWaiting)]
    assert [(event.step, event.because) for event in waiting] == [
        ("a", "waiting for `data/b.txt`, which `b` may write")
    ]
    assert shop.last.error is None


def test_what_it_waits_for_is_said_once_and_without_patterns(shop) -> None:
    shop.step("a", "cat raw/part.txt/*/*.txt > a.txt || cat raw/part.txt > a.txt")
    shop.step("b", "mkdir -p raw; echo b > raw/part.txt")
    shop.step("c", "cat raw/part.txt > c.txt")
    shop.run()
    waiting = {event.step: event.because for event in shop.events if isinstance(event, StepWaiting)}
    assert waiting["a"] == "waiting for `raw/part.txt`, which `b` or `c` may write"


def test_a_step_that_finds_no_file_of_a_pattern_waits_for_the_folder(shop) -> None:
    shop.write("data/raw/readme", "")
    shop.step("a", "cat data/raw/*.txt > a.txt")
    shop.step("b", "echo b > data/raw/b.txt")
    shop.run()
    waiting = {event.step: event.because for event in shop.events if isinstance(event, StepWaiting)}
    assert waiting == {"a": "waiting for `data/raw`, which `b` may write"}
    assert shop.read("a.txt") == "b\n"


def test_a_success_that_was_told_absent_runs_again_when_the_file_has_come(shop) -> None:
    shop.step("a", "if [ -f b.txt ]; then cp b.txt a.txt; else echo none > a.txt; fi")
    shop.step("b", "echo b > b.txt")
    shop.run()
    assert shop.read("a.txt") == "b\n"
    assert shop.result("a").because == "`b.txt` now exists"


def test_a_success_that_read_an_old_version_runs_again(shop) -> None:
    shop.write("b.txt", "old\n")
    shop.step("a", "cp b.txt a.txt")
    shop.step("b", "echo new > b.txt")
    shop.run()
    assert shop.read("a.txt") == "new\n"


def test_a_success_that_listed_a_folder_runs_again_when_the_folder_has_more(shop) -> None:
    shop.write("parts/0", "")
    shop.step("a", "ls parts > a.txt")
    shop.step("b", "echo 1 > parts/1")
    shop.run()
    assert shop.read("a.txt") == "0\n1\n"


def test_two_steps_that_list_the_folder_they_write_to_come_to_rest(shop) -> None:
    shop.write("out/0", "")
    shop.step("a", "echo a > out/a; ls out > a.txt")
    shop.step("b", "echo b > out/b; ls out > b.txt")
    assert shop.run() == {"a": "ran", "b": "ran"}
    assert shop.read("a.txt") == shop.read("b.txt") == "0\na\nb\n"
    assert shop.run() == {"a": "unchanged", "b": "unchanged"}


def test_steps_that_need_each_other_are_a_conflict_that_names_both_files(shop) -> None:
    shop.step("a", "cat b.txt > a.txt")
    shop.step("b", "cat a.txt > b.txt")
    assert shop.run() == {"a": "failed", "b": "failed"}
    error = shop.last.error
    assert isinstance(error, Conflict)
    assert error.message == "steps `a` and `b` wait for each other"
    assert error.because == (
        "`a` looked for `b.txt`, which `b` may write",
        "`b` looked for `a.txt`, which `a` may write",
    )


def test_a_longer_ring_of_steps_that_need_each_other_is_named_whole(shop) -> None:
    shop.step("a", "cat b.txt > a.txt")
    shop.step("b", "cat c.txt > b.txt")
    shop.step("c", "cat a.txt > c.txt")
    shop.step("d", "cat a.txt > d.txt")
    assert shop.run() == {"a": "failed", "b": "failed", "c": "failed", "d": "blocked"}
    assert shop.last.error.message == "steps `a`, `b` and `c` wait for each other"


def test_steps_that_feed_each_other_are_a_conflict_even_if_both_succeed(shop) -> None:
    shop.write("a.txt", "0\n")
    shop.write("b.txt", "0\n")
    shop.step("a", "cat b.txt > a.tmp; mv a.tmp a.txt")
    shop.step("b", "cat a.txt > b.tmp; echo b >> b.tmp; mv b.tmp b.txt")
    shop.run()
    error = shop.last.error
    assert isinstance(error, Conflict)
    assert "wait for each other" in error.message
    assert any("`a.txt`" in reason for reason in error.because)
    assert any("`b.txt`" in reason for reason in error.because)


def test_a_failure_that_nobody_can_mend_is_reported_with_what_it_printed(shop) -> None:
    shop.step("a", "echo one; echo two >&2; exit 3")
    shop.step("b", "echo b > b.txt")
    assert shop.run() == {"b": "ran", "a": "failed"}
    assert shop.result("a").tail == "one\ntwo"
    assert shop.last.error.message == "step `a` failed with exit code 3"
    assert shop.last.error.exit == 1


def test_what_needs_a_failed_step_is_said_to_wait_for_it(shop) -> None:
    shop.step("ingest", "exit 1; echo > raw.txt")
    shop.step("train", "cat raw.txt > model.txt")
    assert shop.run() == {"ingest": "failed", "train": "blocked"}
    assert shop.result("train").because == "waiting for `raw.txt`, which `ingest` may write"


def test_one_step_can_be_asked_for_and_gets_what_it_needs(shop) -> None:
    shop.step("a", "cat data/b.txt > a.txt")
    shop.step("b", "mkdir -p data; echo b > data/b.txt")
    shop.step("other", "echo other > other.txt")
    assert shop.run("a") == {"b": "ran", "a": "ran"}
    assert not (shop.root / "other.txt").exists()
    shop.step("b", "mkdir -p data; echo new > data/b.txt")
    assert shop.run("a") == {"b": "ran", "a": "ran"}


def test_a_misspelt_step_is_not_found_and_a_similar_one_is_named(shop) -> None:
    shop.step("train", "true")
    with pytest.raises(NotFound) as caught:
        shop.run("trian")
    assert "a step with a similar name exists: `train`" in caught.value.hints


def test_each_start_says_why(shop) -> None:
    shop.step("a", "echo a > a.txt")
    shop.run()
    assert [event.because for event in shop.events if isinstance(event, StepStarted)] == ["it never ran"]
