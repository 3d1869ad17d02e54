"""`drystone join`, as typed: data on standard output, words beside it, exit codes as written down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .conftest import Folder

NOON = datetime(2013, 1, 1, 12)


@pytest.fixture
def world(folder: Folder) -> Folder:
    folder.table("rows", {"key_id": [1, 2], "ts": [NOON, NOON], "x": [1.5, 2.5]})
    folder.view("v", "SELECT * FROM rows")
    (folder.layout.root / "asked.csv").write_text("who,ts\n2,2013-01-01 12:00:00\n")
    subprocess.run(["git", "init", "-q"], cwd=folder.layout.root, check=True)
    return folder


def join(world: Folder, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("DRYSTONE_", "GIT_"))}
    command = [sys.executable, "-m", "drystone", "join", *words]
    return subprocess.run(command, cwd=world.layout.root, env=environ, capture_output=True, text=True)


def test_rows_and_features_are_printed_as_csv(world: Folder) -> None:
    ended = join(world, "asked.csv", "v", "--key", "who=key_id", "--full-names")
    assert (ended.stdout, ended.stderr) == ('"who","ts","v__x"\n2,2013-01-01 12:00:00,2.5\n', "")


def test_output_goes_to_a_file_and_the_note_beside(world: Folder) -> None:
    ended = join(world, "asked.csv", "view:v", "--key", "who=key_id", "-o", "out/joined.parquet")
    assert (ended.stdout, ended.stderr) == ("", "wrote 1 rows, 3 columns to `out/joined.parquet`\n")
    assert pq.read_table(world.layout.root / "out" / "joined.parquet")["x"].to_pylist() == [2.5]


def test_json_is_one_document(world: Folder) -> None:
    said = json.loads(join(world, "asked.csv", "v", "--key", "who=key_id", "--json").stdout)
    assert said == {
        "rows": 1,
        "columns": ["who", "ts", "x"],
        "output": None,
        "dry_run": False,
        "data": {"who": [2], "ts": ["2013-01-01T12:00:00"], "x": [2.5]},
    }


def test_what_is_wrong_is_said_with_its_exit_code(world: Folder) -> None:
    pq.write_table(pa.table({"key_id": [1]}), world.layout.root / "timeless.parquet")
    for words, code, error in (
        (("asked.csv", "w"), 4, "no feature view named `w`"),
        (("asked.csv", "v"), 2, "the spine has no column `key_id`, a key of view `v`"),
        (("timeless.parquet", "v"), 2, "which column of the spine is its time?"),
        (("asked.csv", "v", "--key", "who"), 2, "not a key: `who`"),
        (("asked.csv", "v", "--key", "who=key_id", "-o", "x.xlsx"), 2, "tables are written as"),
    ):
        ended = join(world, *words)
        assert (ended.returncode, ended.stdout) == (code, "")
        assert ended.stderr.startswith(f"error: {error}")


def test_a_key_of_another_name_is_hinted_at_as_it_is_typed_here(world: Folder) -> None:
    assert "`--key COLUMN=key_id`" in join(world, "asked.csv", "v").stderr


def test_a_rows_own_rows_are_left_out_where_the_view_says_so(world: Folder) -> None:
    (world.layout.root / "mine.csv").write_text(
        "key_id,mine,ts\n1,1.5,2013-01-01 12:00:00\n1,9.5,2013-01-01 12:00:00\n"
    )
    world.view("others", "-- except_own: x\nSELECT *, x AS y FROM rows")
    ended = join(world, "mine.csv", "others", "--key", "mine=x")
    assert ended.stdout.splitlines()[1:] == ["1,1.5,2013-01-01 12:00:00,", "1,9.5,2013-01-01 12:00:00,1.5"]
    ended = join(world, "mine.csv", "others")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "no column `x`, which tells a row's own rows in view `others`" in ended.stderr
    assert "`--key COLUMN=x`" in ended.stderr


@pytest.mark.parametrize("time", [(), ("--time", "asked")])
def test_a_file_with_a_head_line_only_gives_one(world: Folder, time: tuple[str, ...]) -> None:
    (world.layout.root / "none.csv").write_text("asked,key_id,name\n")
    world.view("names", "-- keys: name\nSELECT 'a' AS name, TIMESTAMP '2013-01-01' AS ts, 1 AS y")
    world.view("counts", "SELECT key_id, ts, count(*) OVER last_1h AS n FROM rows")
    ended = join(world, "none.csv", "v", "names", "counts", *time)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, '"asked","key_id","name","x","y","n"\n', "")
