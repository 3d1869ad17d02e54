"""Which files are steps, how they are started, and why the others are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from drystone.core.errors import Conflict
from drystone.pipeline.steps import Step, discover, interpreter


def add(root: Path, name: str, text: str = "", mode: int = 0o644) -> Path:
    path = root / "steps" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_step_is_named_after_its_file_and_started_by_its_suffix(tmp_path) -> None:
    for name in ("a.py", "b.sh", "c.sql", "d.R", "e.jl", "f.mjs"):
        add(tmp_path, name)
    commands = {step.name: step.command for step in discover(tmp_path).steps.values()}
    assert commands == {
        "a": ("python", "steps/a.py"),
        "b": ("sh", "steps/b.sh"),
        "c": ("duckdb", "-bail", "-f", "steps/c.sql"),
        "d": ("Rscript", "steps/d.R"),
        "e": ("julia", "steps/e.jl"),
        "f": ("node", "steps/f.mjs"),
    }


def test_an_executable_is_started_as_itself_whatever_its_suffix(tmp_path) -> None:
    add(tmp_path, "fit", "#!/usr/bin/awk -f\n", 0o755)
    add(tmp_path, "plain.tool", "echo hi\n", 0o755)
    steps = discover(tmp_path).steps
    assert steps["fit"].command == ("./steps/fit",)
    assert steps["plain"].command == ("sh", "steps/plain.tool")


def test_a_script_that_names_its_interpreter_need_not_be_executable(tmp_path) -> None:
    add(tmp_path, "fit.pl", "#!/usr/bin/env perl -w\n")
    assert discover(tmp_path).steps["fit"].command == ("/usr/bin/env", "perl -w", "steps/fit.pl")


def test_hidden_private_and_backup_files_and_folders_are_passed_over(tmp_path) -> None:
    for name in (".a.py", "_a.py", "a.py~", "a.py.bak", ".a.py.swp", "#a.py#", "a.pyc"):
        add(tmp_path, name)
    (tmp_path / "steps/__pycache__").mkdir()
    (tmp_path / "steps/library").mkdir()
    found = discover(tmp_path)
    assert (found.steps, found.others) == ({}, {})


def test_any_other_file_is_reported_with_the_reason_why_it_is_no_step(tmp_path) -> None:
    add(tmp_path, "notes.txt", "hello\n")
    add(tmp_path, "two words.py")
    others = discover(tmp_path).others
    assert others["steps/notes.txt"].startswith("it is not executable, does not begin with `#!`")
    assert others["steps/two words.py"].startswith("`two words` cannot be a step's name")


def test_two_files_of_one_stem_are_a_conflict_that_names_both(tmp_path) -> None:
    add(tmp_path, "a.py")
    add(tmp_path, "a.sh")
    with pytest.raises(Conflict) as caught:
        discover(tmp_path)
    assert caught.value.at == ("steps/a.py", "steps/a.sh")
    assert caught.value.hints == ("rename one of them, e.g. `git mv steps/a.sh steps/a-sh.sh`",)


def test_without_a_folder_there_are_no_steps(tmp_path) -> None:
    assert discover(tmp_path).steps == {}


def test_python_is_that_of_the_project_if_it_has_one(tmp_path) -> None:
    given = Path("/opt/python")
    assert interpreter(tmp_path, given) == given
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").touch()
    assert interpreter(tmp_path, given) == tmp_path / ".venv/bin/python"
    step = Step("a", "steps/a.py", ("python", "steps/a.py"))
    assert step.arguments(given) == ["/opt/python", "steps/a.py"]
