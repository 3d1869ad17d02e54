"""`drystone run -- COMMAND` tracks any command in any git repository."""

from __future__ import annotations

import sys

import pytest

from drystone.core.errors import UsageError
from drystone.ledger import lineage, runs
from drystone.pipeline.command import run_command


def track(shop, *command: str, **options: object):
    shop.printed = b""

    def sink(data: bytes) -> None:
        shop.printed += data

    return run_command(shop.rooms(), command, cwd=shop.root, sink=sink, **options)


def test_its_output_passes_through_and_is_kept_and_its_exit_code_is_returned(shop) -> None:
    ended = track(shop, "sh", "-c", "echo out; echo err >&2; exit 7")
    assert ended.exit_code == 7
    assert shop.printed == b"out\nerr\n"
    row = runs.get(shop.ledger, ended.run)
    assert (row.kind, row.status, row.exit_code) == ("command", "failed", 7)
    assert shop.store.read(row.output) == b"out\nerr\n"


def test_data_that_it_read_and_whatever_it_wrote_is_on_record(shop) -> None:
    shop.write("data/in.csv", "1\n")
    shop.write("code.sh", "cat data/in.csv > out.txt\n")
    ended = track(shop, "sh", "code.sh")
    edges = {(edge.direction, edge.path) for edge in lineage.edges(shop.ledger, ended.run)}
    assert edges == {("read", "data/in.csv"), ("write", "out.txt")}


def test_it_writes_no_lock_and_makes_no_step(shop) -> None:
    track(shop, "sh", "-c", "echo a > a.txt")
    assert not shop.layout.lock.exists()


def test_numbers_and_parameters_are_recorded_without_a_change_of_code(shop) -> None:
    shop.write("params.toml", "[train]\ndepth = 3\n")
    ended = track(shop, "sh", "-c", """cat params.toml; echo '{"auc": 0.5}' > metrics.json""")
    assert runs.params(shop.ledger, ended.run) == {"train.depth": 3}
    assert runs.latest_metrics(shop.ledger, ended.run) == {"auc": 0.5}


def test_what_python_logs_lands_in_the_same_run(shop) -> None:
    shop.write("train.py", "import drystone as ds\nds.log(loss=0.25, step=3)\n")
    ended = track(shop, sys.executable, "train.py")
    assert runs.get(shop.ledger, ended.run).name == "train"
    assert runs.history(shop.ledger, ended.run, "loss")[0][::2] == (3, 0.25)


def test_it_gets_the_whole_environment_of_the_user(shop) -> None:
    shop.variables["SECRET"] = "x"
    track(shop, "sh", "-c", "echo $SECRET")
    assert shop.printed == b"x\n"


def test_a_command_that_is_not_there_ends_with_127(shop) -> None:
    ended = track(shop, "no-such-command")
    assert ended.exit_code == 127
    assert b"not found" in shop.printed


def test_a_command_that_takes_too_long_is_killed(shop) -> None:
    ended = track(shop, "sh", "-c", "while :; do sleep 1; done", timeout=0.2)
    assert runs.get(shop.ledger, ended.run).status == "killed"
    assert ended.exit_code > 128


def test_no_command_is_a_usage_error(shop) -> None:
    with pytest.raises(UsageError):
        track(shop)


@pytest.mark.parametrize(
    ("command", "name"),
    [(("sh", "x.sh"), "x"), (("./x.sh",), "x"), (("echo", "x.txt"), "echo"), (("cat", "x.txt"), "cat")],
)
def test_its_name_is_that_of_its_script_else_of_its_program(shop, command, name) -> None:
    shop.write("x.sh", "#!/bin/sh\n").chmod(0o755)
    shop.write("x.txt", "")
    assert runs.get(shop.ledger, track(shop, *command).run).name == name


def test_what_cannot_be_recorded_is_a_warning(shop) -> None:
    ended = track(shop, "sh", "-c", "mkdir -p models/m; echo w > models/m/w; mkfifo models/m/pipe; exit 4")
    assert ended.exit_code == 4
    assert ended.warnings[0].startswith("`models/m` was not recorded: ")
