"""The command line keeps its contract: streams, exit codes, errors, suggestions."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from drystone.cli import parse, verbs
from drystone.core.version import __version__

Drystone = Callable[..., subprocess.CompletedProcess[str]]


def test_the_version_is_told(drystone: Drystone) -> None:
    assert drystone("--version").stdout == f"drystone {__version__}\n"


def test_the_version_imports_nothing_it_does_not_need() -> None:
    program = "import sys; from drystone.cli.main import main; main(['--version']); print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"argparse", "msgspec", "sqlite3", "drystone.project"} & set(ended.stdout.split())


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("help",)])
def test_help_lists_every_verb(drystone: Drystone, words: tuple[str, ...]) -> None:
    ended = drystone(*words)
    assert ended.returncode == 0
    for name in verbs.VERBS:
        assert f"\n  {name} " in ended.stdout


@pytest.mark.parametrize("name", (*verbs.VERBS, *verbs.PLUMBING))
def test_every_verb_has_a_summary_an_example_that_parses_and_json(name: str) -> None:
    verb = verbs.load(name)
    assert verb.SUMMARY and verb.SUMMARY[0].islower() and not verb.SUMMARY.endswith(".")
    assert f"drystone {name}" in verb.EXAMPLE
    parser = parse.verb_parser(name)
    assert "--json" in parser._option_string_actions
    assert verb.EXAMPLE in parser.format_help()


def test_a_misspelt_verb_names_the_right_one(drystone: Drystone) -> None:
    ended = drystone("statsu")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "error: no such verb: `statsu`\n\n"
        "hint: a verb with a similar name exists: `drystone status`\n"
        "hint: list verbs with `drystone --help`\n"
    )


def test_options_are_never_guessed_from_their_beginning(drystone: Drystone, repository: Path) -> None:
    ended = drystone("log", "--lim", "3")
    assert ended.returncode == 2
    assert "unrecognized arguments: --lim" in ended.stderr


def test_outside_a_repository_the_error_tells_what_to_do(drystone: Drystone) -> None:
    ended = drystone("status")
    assert ended.returncode == 3
    assert ended.stderr.startswith("error: this is not a git repository\n")
    assert "hint: make it one with `git init`" in ended.stderr


def test_an_error_as_json_is_one_document_on_standard_output(drystone: Drystone) -> None:
    ended = drystone("status", "--json")
    assert ended.returncode == 3
    error = json.loads(ended.stdout)["error"]
    assert (error["code"], error["exit"]) == ("not-a-repository", 3)
    assert set(error) >= {"code", "message", "hints", "exit"}


def test_another_folder_can_be_named(drystone: Drystone, repository: Path) -> None:
    (repository / "deep" / "inside").mkdir(parents=True)
    assert drystone("-C", "deep/inside", "log").returncode == 0
    assert drystone("-C", "absent", "log").returncode == 2


def test_a_command_behind_two_dashes_belongs_to_run_only(drystone: Drystone, repository: Path) -> None:
    ended = drystone("doctor", "--", "ls")
    assert ended.returncode == 2
    assert "unrecognized arguments" in ended.stderr


def test_a_reader_that_leaves_early_is_no_error(drystone: Drystone, repository: Path) -> None:
    command = f"{Path(sys.executable).parent / 'drystone'} --help | head -n 1; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, cwd=repository
    )
    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_bug_is_one_line_and_a_file(drystone: Drystone, repository: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import drystone.ledger.runs as runs\n"
        "def recent(*a, **k): raise ZeroDivisionError('ouch')\n"
        "runs.recent = recent\n"
    )
    ended = drystone("log", PYTHONPATH=str(broken))
    assert ended.returncode == 70
    first, place = ended.stderr.splitlines()
    assert first == "error: this is a bug in drystone: ZeroDivisionError: ouch"
    log = Path(place.removeprefix("  at "))
    assert "Traceback" in log.read_text()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_every_verb(drystone: Drystone, shell: str) -> None:
    script = drystone("completion", shell).stdout
    for name in verbs.VERBS:
        assert name in script


def test_bash_completes_verbs_and_options(drystone: Drystone) -> None:
    script = drystone("completion", "bash").stdout
    program = script + (
        "\nCOMP_WORDS=(drystone prom); COMP_CWORD=1; _drystone; echo ${COMPREPLY[@]}"
        "\nCOMP_WORDS=(drystone log --exp); COMP_CWORD=2; _drystone; echo ${COMPREPLY[@]}"
    )
    ended = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["promote", "--experiment"]


def test_a_package_that_is_not_installed_is_named_with_its_extra(
    drystone: Drystone, repository: Path, tmp_path: Path
) -> None:
    blocked = tmp_path / "blocked" / "scipy"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'scipy'\", name='scipy')\n"
    )
    ended = drystone("monitor", PYTHONPATH=str(blocked.parent))
    assert ended.returncode == 3
    assert ended.stderr == (
        "error: this needs the package `scipy`, which is not installed\n\n"
        "hint: install it with `pip install 'drystone[monitor]'`\n"
    )
