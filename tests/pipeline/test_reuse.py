"""A step runs when something that it looked at is not what it was, and only then."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

PARAMS = "[train]\ndepth = {depth}\n[ingest]\nrows = {rows}\n"
ASKING = """
import drystone as ds
from pathlib import Path
Path("{out}").write_text(str(ds.params["{section}"]["{key}"]))
"""


def own_python(shop) -> Path:
    """Gives the project a `.venv` whose Python says that it is its own."""
    wrapper = shop.write(".venv/bin/python", f'#!/bin/sh\nexport OWN=1\nexec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    return shop.root / ".venv"


def two_steps(shop) -> None:
    shop.step("ingest", "cat source.csv > raw.txt")
    shop.step("train", "cat raw.txt > model.txt")
    shop.write("source.csv", "1\n")
    shop.run()
    shop.run()


def test_nothing_changed_nothing_runs(shop) -> None:
    two_steps(shop)
    assert shop.run() == {"ingest": "unchanged", "train": "unchanged"}


def test_a_changed_input_runs_what_depends_on_it_and_says_so(shop) -> None:
    two_steps(shop)
    shop.write("source.csv", "2\n")
    assert shop.run() == {"ingest": "ran", "train": "ran"}
    assert shop.result("ingest").because.startswith("`source.csv` changed (b3:")
    assert shop.result("train").because.startswith("`raw.txt` changed (b3:")
    assert shop.read("model.txt") == "2\n"


@pytest.mark.parametrize("name", ["statistics", "msgspec"])
def test_a_new_step_that_hides_a_module_runs_who_imports(shop, name) -> None:
    shop.step("use.py", f"import {name}; open('out.txt', 'w').write(str(hasattr({name}, 'hidden')))")
    shop.run()
    shop.step(f"{name}.py", "hidden = True")
    assert shop.run()["use"] == "ran"
    assert shop.result("use").because == "the files in `steps` are others"
    assert shop.read("out.txt") == "True"
    assert set(shop.run().values()) == {"unchanged"}


def test_a_new_folder_that_hides_a_module_runs_who_imports(shop) -> None:
    shop.step("use.py", "import statistics; open('out.txt', 'w').write(str(hasattr(statistics, 'hidden')))")
    shop.run()
    shop.write("steps/statistics/__init__.py", "hidden = True")
    assert shop.run()["use"] == "ran"
    assert shop.read("out.txt") == "True"


def test_a_new_step_that_hides_no_module_runs_nothing_else(shop) -> None:
    shop.step("use.py", "import statistics; open('out.txt', 'w').write('1')")
    shop.run()
    shop.step("other.py", "")
    assert shop.run() == {"other": "ran", "use": "unchanged"}


def test_a_change_that_changes_no_output_stops_there(shop) -> None:
    two_steps(shop)
    shop.step("ingest", "# a comment\ncat source.csv > raw.txt")
    assert shop.run() == {"ingest": "ran", "train": "unchanged"}
    assert shop.result("ingest").because == "`steps/ingest.sh` changed"


def test_going_back_to_an_earlier_state_runs_nothing(shop) -> None:
    two_steps(shop)
    shop.write("source.csv", "2\n")
    shop.run()
    shop.write("source.csv", "1\n")
    assert shop.run() == {"ingest": "restored", "train": "restored"}
    assert shop.read("model.txt") == "1\n"


def test_going_back_to_a_state_with_fewer_outputs_leaves_none_too_many(shop) -> None:
    shop.step("a", "echo a > a.txt")
    shop.run()
    shop.step("a", "echo a > a.txt; echo b > b.txt")
    shop.run()
    shop.step("a", "echo a > a.txt")
    assert shop.run() == {"a": "restored"}
    assert not (shop.root / "b.txt").exists()
    assert list(shop.lock.paths) == ["a.txt"]


def test_an_output_that_a_step_no_longer_writes_goes(shop) -> None:
    shop.step("a", "echo a > a.txt; echo b > b.txt")
    shop.run()
    shop.step("a", "echo a > a.txt")
    shop.run()
    assert not (shop.root / "b.txt").exists()
    assert list(shop.lock.paths) == ["a.txt"]


def test_a_missing_output_is_restored_without_running(shop) -> None:
    two_steps(shop)
    (shop.root / "raw.txt").unlink()
    assert shop.run() == {"ingest": "restored", "train": "unchanged"}
    assert shop.read("raw.txt") == "1\n"


def test_an_edited_output_is_restored_and_the_edit_is_kept_aside(shop) -> None:
    two_steps(shop)
    shop.write("raw.txt", "my own\n")
    assert shop.run() == {"ingest": "restored", "train": "unchanged"}
    (note,) = shop.result("ingest").notes
    refuge = note.rpartition("is now `")[2].rstrip("`")
    assert shop.read(refuge) == "my own\n"


def test_an_edited_output_survives_the_next_execution_aside(shop) -> None:
    two_steps(shop)
    shop.write("raw.txt", "my own\n")
    shop.write("source.csv", "2\n")
    shop.run()
    (note,) = shop.result("ingest").notes
    assert shop.read(note.rpartition("is now `")[2].rstrip("`")) == "my own\n"


def test_a_file_that_was_looked_for_in_vain_runs_the_step_when_it_comes(shop) -> None:
    shop.step("a", "if [ -f extra.txt ]; then cat extra.txt; fi > a.txt")
    shop.run()
    shop.write("extra.txt", "more\n")
    assert shop.run() == {"a": "ran"}
    assert shop.result("a").because == "`extra.txt` now exists"


def test_a_file_that_was_only_looked_for_runs_the_step_when_it_goes(shop) -> None:
    flag = shop.write("flag", "")
    shop.step("a", "if [ -f flag ]; then echo yes; else echo no; fi > a.txt")
    shop.run()
    flag.unlink()
    assert shop.run() == {"a": "ran"}
    assert shop.result("a").because == "`flag` is gone"
    assert shop.read("a.txt") == "no\n"


def test_a_new_file_in_a_listed_folder_runs_the_step(shop) -> None:
    shop.write("parts/1", "")
    shop.step("a", "ls parts > a.txt")
    shop.run()
    shop.write("parts/2", "")
    assert shop.run() == {"a": "ran"}
    assert shop.result("a").because == "the files in `parts` are others"


@pytest.mark.parametrize("change", ["folder", "link"])
def test_a_file_that_becomes_a_folder_or_a_link_in_a_listed_folder_runs_the_step(shop, change) -> None:
    shop.step("count", "find parts -type f | wc -l > count.txt")
    shop.write("parts/a.csv", "1\n")
    shop.write("elsewhere.csv", "1\n")
    assert shop.run() == {"count": "ran"}
    assert shop.run() == {"count": "unchanged"}
    part = shop.root / "parts" / "a.csv"
    part.unlink()
    part.mkdir() if change == "folder" else part.symlink_to("../elsewhere.csv")
    assert shop.run() == {"count": "ran"}
    assert shop.result("count").because == "the files in `parts` are others"
    assert shop.read("count.txt").strip() == "0"


def test_a_file_reached_through_the_folders_of_a_process_is_an_input(shop) -> None:
    shop.step("copy", "cat /proc/self/cwd/source.csv > copy.txt")
    shop.write("source.csv", "1\n")
    assert shop.run() == {"copy": "ran"}
    assert shop.run() == {"copy": "unchanged"}
    shop.write("source.csv", "2\n")
    assert shop.run() == {"copy": "ran"}
    assert shop.read("copy.txt") == "2\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("x = [1, 2]", 'x = "[1,2]"'),
        ("x = 0.0", "x = -0.0"),
        ("x = inf", "x = nan"),
        ("x = nan", 'x = "nan"'),
        ("x = 2013-03-04", "x = 2013-03-05"),
        ("y = 1", "[x]\ny = 1"),
    ],
)
def test_a_parameter_of_any_kind_runs_a_step_when_it_changes_and_only_then(shop, before, after) -> None:
    asking = "import drystone as ds\nfrom pathlib import Path\n"
    shop.write("steps/ask.py", f"{asking}Path('out.txt').write_text(repr(ds.params.get('x')))")
    shop.write("params.toml", f"{before}\n")
    assert shop.run() == {"ask": "ran"}
    assert shop.run() == {"ask": "unchanged"}
    told = shop.read("out.txt")
    shop.write("params.toml", f"{after}\n")
    assert shop.run() == {"ask": "ran"}
    assert shop.read("out.txt") != told


def test_a_link_that_points_elsewhere_runs_the_step(shop) -> None:
    shop.write("v1/data", "1\n")
    shop.write("v2/data", "2\n")
    link = shop.root / "current"
    link.symlink_to("v1")
    shop.step("a", "cat current/data > a.txt")
    shop.run()
    link.unlink()
    link.symlink_to("v2")
    assert shop.run() == {"a": "ran"}
    assert shop.read("a.txt") == "2\n"


def test_only_steps_that_asked_for_a_parameter_run_when_it_changes(shop) -> None:
    shop.write("params.toml", PARAMS.format(depth=3, rows=10))
    shop.step("ingest.py", ASKING.format(out="raw.txt", section="ingest", key="rows"))
    shop.step("train.py", ASKING.format(out="model.txt", section="train", key="depth"))
    shop.run()
    shop.write("params.toml", PARAMS.format(depth=6, rows=10))
    assert shop.run() == {"ingest": "unchanged", "train": "ran"}
    assert shop.result("train").because == "param train.depth 3 -> 6"
    assert shop.read("model.txt") == "6"


def test_a_step_that_asks_for_the_names_in_a_table_depends_on_them_and_they_are_no_parameters(shop) -> None:
    from drystone.ledger import runs

    shop.write("params.toml", PARAMS.format(depth=3, rows=10))
    shop.step("a.py", "import drystone as ds\nopen('a.txt', 'w').write(str(dict(ds.params['train'])))\n")
    shop.run()
    assert runs.params(shop.ledger, shop.result("a").run) == {"train.depth": 3}
    assert shop.run() == {"a": "unchanged"}
    shop.write("params.toml", PARAMS.format(depth=3, rows=10).replace("[ingest]", "rate = 1\n[ingest]"))
    assert shop.run() == {"a": "ran"}
    assert shop.result("a").because.startswith('param train.* ["depth"] -> ["depth","rate"]')


def test_a_step_that_reads_the_file_of_parameters_itself_depends_on_all_of_it(shop) -> None:
    shop.write("params.toml", PARAMS.format(depth=3, rows=10))
    shop.step("a", "grep depth params.toml > a.txt")
    shop.run()
    shop.write("params.toml", PARAMS.format(depth=3, rows=11))
    assert shop.run() == {"a": "ran"}


def test_an_imported_module_is_an_input_also_when_python_reads_its_bytecode(shop) -> None:
    shop.write("steps/_common.py", "VALUE = 1\n")
    shop.step("a.py", "import _common\nopen('a.txt', 'w').write(str(_common.VALUE))\n")
    shop.run()
    shop.run(force=True)  # now from __pycache__
    time.sleep(0.05)
    shop.write("steps/_common.py", "VALUE = 22\n")
    assert shop.run() == {"a": "ran"}
    assert shop.read("a.txt") == "22"


def test_another_step_beside_it_does_not_run_a_python_step(shop) -> None:
    shop.step("a.py", "import json\nopen('a.txt', 'w').write('a')\n")
    shop.run()
    shop.step("b.py", "open('b.txt', 'w').write('b')\n")
    assert shop.run() == {"a": "unchanged", "b": "ran"}


@pytest.mark.parametrize("name", ["a.sh", "a.py"])
def test_a_step_that_lists_the_steps_runs_when_there_is_another(shop, name: str) -> None:
    shop.write(
        f"steps/{name}",
        "ls steps > a.txt"
        if name == "a.sh"
        else "import os; print(os.listdir('steps'), file=open('a.txt', 'w'))",
    )
    shop.run()
    assert shop.run() == {"a": "unchanged"}
    shop.step("b", "echo b > b.txt")
    assert shop.run() == {"a": "ran", "b": "ran"}
    assert "b.sh" in shop.read("a.txt")


def test_a_variable_that_changes_results_runs_the_step_one_that_does_not_is_let_pass(shop) -> None:
    shop.step("a", "echo $LANG > a.txt")
    shop.run()
    shop.variables["USER"] = "bob"
    assert shop.run() == {"a": "unchanged"}
    shop.variables["LANG"] = "de_DE.UTF-8"
    assert shop.run() == {"a": "ran"}
    assert shop.result("a").because == "variable LANG C.UTF-8 -> de_DE.UTF-8"


def test_a_step_is_given_no_variable_that_is_not_on_the_list(shop) -> None:
    shop.variables["SECRET"] = "x"
    shop.step("a", "env > a.txt")
    shop.run()
    assert "SECRET" not in shop.read("a.txt")
    assert "DRYSTONE_RUN=" in shop.read("a.txt")


def test_another_environment_runs_python_steps_and_names_the_package(shop) -> None:
    packages = own_python(shop) / "lib/python3.11/site-packages"
    (packages / "learner-1.0.dist-info").mkdir(parents=True)
    shop.step("a.py", "open('a.txt', 'w').write('a')\n")
    shop.step("b", "echo b > b.txt")
    shop.run()
    (packages / "learner-1.0.dist-info").rename(packages / "learner-1.1.dist-info")
    assert shop.run() == {"a": "ran", "b": "unchanged"}
    assert shop.result("a").because == "environment changed: learner 1.0 -> 1.1"


def test_force_runs_what_was_asked_for(shop) -> None:
    two_steps(shop)
    assert shop.run("train", force=True) == {"ingest": "unchanged", "train": "ran"}
    assert shop.run(force=True) == {"ingest": "ran", "train": "ran"}


def test_a_dry_run_says_what_would_run_and_changes_nothing(shop) -> None:
    two_steps(shop)
    shop.write("source.csv", "2\n")
    lock = shop.layout.lock.read_bytes()
    assert shop.run(dry_run=True) == {"ingest": "would-run", "train": "may-run"}
    assert shop.result("train").because == "`ingest` may change `raw.txt`"
    assert shop.read("raw.txt") == "1\n"
    assert shop.layout.lock.read_bytes() == lock


def test_the_reason_of_an_execution_is_on_record(shop) -> None:
    from drystone.ledger import runs

    two_steps(shop)
    shop.write("source.csv", "2\n")
    shop.run()
    run = shop.result("train").run
    assert runs.tags(shop.ledger, run)["drystone.reason"] == shop.result("train").because


def test_an_interpreter_of_the_project_is_used(shop) -> None:
    own_python(shop)
    shop.step("a.py", "import os\nopen('a.txt', 'w').write(os.environ.get('OWN', '0'))\n")
    assert shop.run() == {"a": "ran"}
    assert shop.read("a.txt") == "1"


@pytest.mark.parametrize(
    ("script", "change"),
    [
        ("stat -c %s data/a > out", "echo longer > data/a"),
        ("if [ -s data/a ]; then echo full; else echo empty; fi > out", ": > data/a"),
        ("if [ -x data/a ]; then echo yes; else echo no; fi > out", "chmod +x data/a"),
        ("cat data/a; if [ -x data/a ]; then echo yes; fi > out", "chmod +x data/a"),
        ("if [ -d data/a ]; then echo yes; else echo no; fi > out", "rm data/a; mkdir data/a"),
    ],
)
def test_a_step_that_only_looks_at_a_file_runs_again_when_it_looks_different(shop, script, change) -> None:
    shop.write("data/a", "1\n")
    shop.step("a", script)
    assert shop.run() == {"a": "ran"}
    assert shop.run() == {"a": "unchanged"}
    before = shop.read("out")
    subprocess.run(["sh", "-c", change], cwd=shop.root, check=True)
    assert shop.run() == {"a": "ran"}
    assert shop.read("out") != before


def test_a_path_that_a_step_missed_made_and_removed_was_missed(shop) -> None:
    shop.step("a", "if [ -e state ]; then cat state; else echo none; fi > out; echo x > state; rm state")
    assert shop.run() == {"a": "ran"}
    assert shop.run() == {"a": "unchanged"}
    shop.write("state", "given\n")
    assert shop.run() == {"a": "failed"}, "it removes what it had not made"
    assert shop.read("state") == "given\n"


def test_a_link_outside_of_the_project_that_leads_elsewhere_is_a_change(shop, tmp_path_factory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    for version in ("v1", "v2"):
        (outside / version).mkdir()
        (outside / version / "in").write_text(version)
    (outside / "latest").symlink_to("v1")
    shop.step("a", f"cat {outside}/latest/in > out")
    shop.run()
    assert shop.run() == {"a": "unchanged"}
    (outside / "latest").unlink()
    (outside / "latest").symlink_to("v2")
    assert shop.run() == {"a": "ran"}
    assert shop.read("out") == "v2"


def test_a_variable_that_can_change_a_result_is_an_input(shop) -> None:
    shop.step("a", "echo $OMP_NUM_THREADS > out")
    shop.run()
    shop.variables["OMP_NUM_THREADS"] = "3"
    assert shop.run() == {"a": "ran"}
    assert shop.read("out") == "3\n"
