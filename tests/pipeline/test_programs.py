"""A step that calls a program by its name runs again when that name leads to another program."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import msgspec
import pytest

from drystone.pipeline.trace import Trace, encode, load


def program(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def places(shop, tmp_path_factory) -> tuple[Path, Path]:
    """Two folders for programs, the first of which is in the `PATH`."""
    folder = tmp_path_factory.mktemp("places")
    first, second = folder / "a", folder / "b"
    first.mkdir()
    second.mkdir()
    shop.variables["PATH"] = f"{first}:/usr/bin:/bin"
    return first, second


def also(shop, folder: Path) -> None:
    """Put a folder first in the `PATH`."""
    shop.variables["PATH"] = f"{folder}:{shop.variables['PATH']}"


def test_a_name_that_leads_to_another_program_is_a_reason(shop, places) -> None:
    one, other = (program(place, "mytool", says) for place, says in zip(places, "ab", strict=True))
    shop.step("use", "mytool > out.txt")
    assert shop.run() == {"use": "ran"}
    also(shop, places[1])
    assert shop.run() == {"use": "ran"}
    assert shop.result("use").because == f"program mytool is another: {one} -> {other}"
    assert shop.read("out.txt") == "b\n"


def test_going_back_to_the_first_path_brings_the_first_result_back(shop, places) -> None:
    for place, says in zip(places, "ab", strict=True):
        program(place, "mytool", says)
    shop.step("use", "mytool > out.txt")
    before = shop.variables["PATH"]
    shop.run()
    also(shop, places[1])
    shop.run()
    shop.variables["PATH"] = before
    assert shop.run() == {"use": "restored"}
    assert shop.read("out.txt") == "a\n"


def test_a_program_that_hides_one_of_the_system_is_a_reason(shop, places) -> None:
    shop.step("use", "echo 1 | awk '{print}' > out.txt")
    shop.run()
    other = program(places[1], "awk", "mine")
    also(shop, places[1])
    assert shop.run() == {"use": "ran"}
    assert shop.result("use").because == f"program awk is another: /usr/bin/awk -> {other}"


def test_a_folder_that_has_none_of_the_names_changes_nothing(shop, places) -> None:
    """As another virtual environment that is activated."""
    program(places[1], "unused", "b")
    (places[1] / "python").symlink_to(sys.executable)
    shop.step("use", "echo 1 | awk '{print}' > out.txt")
    shop.run()
    also(shop, places[1])
    shop.variables["VIRTUAL_ENV"] = str(places[1].parent)
    assert shop.run() == {"use": "unchanged"}


def test_a_program_that_was_missed_and_now_is_found_is_a_reason(shop, places) -> None:
    shop.step("use", "mytool > out.txt 2> errors.txt || echo without > out.txt")
    shop.run()
    other = program(places[1], "mytool", "b")
    also(shop, places[1])
    assert shop.run() == {"use": "ran"}
    assert shop.result("use").because == f"program mytool is another: absent -> {other}"


def test_a_program_that_is_found_no_more_is_a_reason(shop, places) -> None:
    one = program(places[0], "mytool", "a")
    shop.step("use", "mytool > out.txt || echo without > out.txt")
    shop.run()
    shop.variables["PATH"] = "/usr/bin:/bin"
    assert shop.run() == {"use": "ran"}
    assert shop.result("use").because == f"program mytool is another: {one} -> absent"


def test_a_program_of_the_project_is_named_from_its_root(shop, places) -> None:
    program(shop.root / "tools", "mytool", "ours")
    shop.variables["PATH"] = f"tools:{shop.variables['PATH']}"
    shop.step("use", "mytool > out.txt")
    shop.run()
    trace = load(shop.store, shop.lock.steps["use"])
    assert trace.programs["mytool"] == "tools/mytool"
    shop.variables["PATH"] = f"{shop.root}/tools:{shop.variables['PATH']}"
    assert shop.run() == {"use": "unchanged"}


def test_what_is_not_executed_is_no_program(shop, places) -> None:
    (places[0] / "data").write_text("1\n")
    shop.step("use", f"cat {places[0]}/data > out.txt")
    shop.run()
    assert "data" not in load(shop.store, shop.lock.steps["use"]).programs


def test_the_projects_python_is_left_to_the_environment(shop) -> None:
    shop.variables["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    shop.step("use.py", "open('out.txt', 'w').write('1')")
    shop.run()
    programs = load(shop.store, shop.lock.steps["use"]).programs
    assert not [name for name in programs if name.startswith("python")]


def test_a_trace_without_programs_can_be_read_and_used(shop, places) -> None:
    program(places[0], "mytool", "a")
    shop.step("use", "mytool > out.txt")
    shop.run()
    document = json.loads(encode(load(shop.store, shop.lock.steps["use"])))
    del document["programs"]
    assert msgspec.json.decode(json.dumps(document), type=Trace).programs == {}
