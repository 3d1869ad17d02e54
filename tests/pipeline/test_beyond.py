"""What a step looks at outside of the project, or beside it, is an input like any other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outside")


@pytest.fixture(params=["/usr/local/share", "/etc", "/var/lib", "/dev/shm", "/opt"])
def place(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder below one of the system's that only people write to."""
    if not os.access(request.param, os.W_OK):
        pytest.skip(f"may not write to {request.param}")
    with TemporaryDirectory(dir=request.param) as folder:
        yield Path(folder)


def test_an_edit_in_a_folder_of_the_system_runs_the_step(shop, place: Path) -> None:
    (place / "setting").write_text("1\n")
    shop.step("a", f"cat {place}/setting > out; if [ -e {place}/more ]; then cat {place}/more; fi >> out")
    shop.run()
    assert shop.run() == {"a": "unchanged"}
    (place / "setting").write_text("2\n")
    assert shop.run() == {"a": "ran"}
    (place / "more").write_text("3\n")
    assert shop.run() == {"a": "ran"}
    assert shop.read("out") == "2\n3\n"


def test_a_size_outside_of_the_project_is_an_input(shop, outside: Path) -> None:
    (outside / "big").write_text("1\n")
    shop.step("a", f"stat -c %s {outside}/big > out")
    shop.run()
    assert shop.run() == {"a": "unchanged"}
    (outside / "big").write_text("longer\n")
    assert shop.run() == {"a": "ran"}
    assert shop.read("out") == "7\n"


@pytest.mark.parametrize("hidden", [".datasets", ".cache/datasets"])
def test_a_link_of_the_project_into_a_hidden_folder_leads_to_inputs(shop, outside: Path, hidden) -> None:
    folder = outside / hidden
    folder.mkdir(parents=True)
    (folder / "x").write_text("1\n")
    (shop.root / "input").symlink_to(folder)
    shop.step("a", "cat input/x > out; ls input >> out; cat input/y >> out 2> /dev/null; true")
    shop.run()
    assert shop.run() == {"a": "unchanged"}
    (folder / "x").write_text("2\n")
    assert shop.run() == {"a": "ran"}
    (folder / "y").write_text("3\n")
    assert shop.run() == {"a": "ran"}
    assert shop.read("out") == "2\nx\ny\n3\n"


def test_a_hidden_file_that_was_read_is_an_input_a_cache_is_none(shop, outside: Path) -> None:
    for folder in (".tool", ".cache"):
        (outside / folder).mkdir()
        (outside / folder / "x").write_text("1\n")
    shop.step("a", f"cat {outside}/.tool/x > out; cat {outside}/.cache/x > /dev/null")
    shop.run()
    (outside / ".cache/x").write_text("2\n")
    assert shop.run() == {"a": "unchanged"}
    (outside / ".tool/x").write_text("2\n")
    assert shop.run() == {"a": "ran"}


@pytest.mark.parametrize("ask", ["git rev-parse HEAD", "cat .git/HEAD; git describe --always", "git tag"])
def test_the_state_of_the_repository_is_an_input_of_whoever_asks_for_it(shop, git, ask: str) -> None:
    shop.write("x", "1\n")
    git("add", "x")
    git("commit", "-qm", "one")
    shop.step("a", f"({ask}) > out")
    shop.run()
    assert shop.run() == {"a": "unchanged"}
    assert shop.run() == {"a": "unchanged"}
    git("commit", "-q", "--allow-empty", "-m", "two")
    git("tag", "v2")
    before = shop.read("out")
    assert shop.run() == {"a": "ran"}
    assert shop.read("out") != before


def test_what_a_step_does_to_the_repository_is_no_output(shop, git) -> None:
    shop.write("x", "1\n")
    git("add", "x")
    git("commit", "-qm", "one")
    shop.step("a", "git status > /dev/null; git update-ref refs/notes/mine HEAD; echo a > out")
    assert shop.run() == {"a": "ran"}
    assert list(shop.lock.paths) == ["out"]


def test_packages_in_a_folder_of_the_project_are_files_of_the_project(shop) -> None:
    shop.write("vendor/site-packages/helper.py", "VALUE = 1\n")
    shop.step(
        "a.py",
        "import sys; sys.path.insert(0, 'vendor/site-packages'); import helper\n"
        "open('out', 'w').write(str(helper.VALUE))\n",
    )
    shop.run()
    assert shop.run() == {"a": "unchanged"}
    shop.write("vendor/site-packages/helper.py", "VALUE = 22\n")
    assert shop.run() == {"a": "ran"}
    assert shop.read("out") == "22"


@pytest.mark.parametrize("inside", [True, False])
def test_another_interpreter_counts_with_what_is_installed_for_it(shop, outside: Path, inside: bool) -> None:
    prefix = (shop.root if inside else outside) / "other"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", prefix], check=True)
    packages = next(prefix.glob("lib/python3*/site-packages"))
    (packages / "learner").mkdir()
    (packages / "learner/__init__.py").write_text("VALUE = 1\n")
    shop.step("a", f"{prefix}/bin/python -c 'import learner; print(learner.VALUE)' > out")
    shop.run()
    assert shop.run() == {"a": "unchanged"}
    (packages / "learner/__init__.py").write_text("VALUE = 22\n")
    assert shop.run() == {"a": "ran"}
    assert "files of packages are others" in shop.result("a").because
    assert shop.read("out") == "22\n"
    assert list(shop.lock.paths) == ["out"]


def test_a_module_beside_the_packages_is_part_of_the_environment(shop) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", shop.root / ".venv"], check=True)
    packages = next((shop.root / ".venv").glob("lib/python3*/site-packages"))
    (packages / "stray.py").write_text("VALUE = 1\n")
    shop.step("a.py", "import stray; open('out', 'w').write(str(stray.VALUE))\n")
    shop.run()
    assert shop.run() == {"a": "unchanged"}
    (packages / "stray.py").write_text("VALUE = 22\n")
    assert shop.run() == {"a": "ran"}
    assert shop.read("out") == "22"


@pytest.mark.parametrize("writer", ["a", "z"])
def test_what_one_step_hands_to_another_outside_of_the_project_is_followed(
    shop, outside: Path, writer
) -> None:
    passed = outside / "passed"
    shop.write("in", "1\n")
    shop.step(writer, f"cat in > {passed}")
    shop.step("m", f"cat {passed} > out")
    for text in ("1\n", "2\n", "3\n"):
        shop.write("in", text)
        shop.run()
        assert shop.read("out") == text
    assert shop.run() == {writer: "unchanged", "m": "unchanged"}
    passed.unlink()
    assert shop.run()[writer] == "ran"
    assert "which `m` reads" in shop.result(writer).because
    assert shop.read("out") == "3\n"


def test_scratch_that_nobody_reads_may_go(shop, outside: Path) -> None:
    shop.step("a", f"echo scratch > {outside}/scratch; echo a > out")
    shop.run()
    (outside / "scratch").unlink()
    assert shop.run() == {"a": "unchanged"}
