"""`drystone diff` on tracked tables, as a user types it."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

Drystone = Callable[..., subprocess.CompletedProcess[str]]
Git = Callable[..., str]

OLD = {"flight_id": [1, 2, 3], "delay": [5.0, None, 7.0], "carrier": ["AA", "AA", "UA"]}
NEW = {
    "flight_id": [1, 2, 4],
    "delay": [5.0, 2.0, 7.0],
    "carrier": ["AA", "AA", "UA"],
    "late": [False, True, True],
}


@pytest.fixture
def flights(repository: Path, git: Git, drystone: Drystone) -> Path:
    """A project with a table and another file tracked and committed; the table changed since."""
    (repository / "data").mkdir()
    pq.write_table(pa.table(OLD), repository / "data" / "flights.parquet")
    (repository / "data" / "note.txt").write_text("old")
    assert drystone("add", "data/flights.parquet", "data/note.txt").returncode == 0
    git("add", "-A")
    git("commit", "-qm", "old")
    pq.write_table(pa.table(NEW), repository / "data" / "flights.parquet")
    return repository


def found(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert ended.returncode == 0, ended.stderr
    document: dict[str, Any] = json.loads(ended.stdout)
    return document


def test_a_path_is_reviewed_row_by_row(flights: Path, drystone: Drystone) -> None:
    said = drystone("diff", "data/flights.parquet", "--rows", "5").stdout
    for line in (
        "  + column late  BOOLEAN\n",
        "  rows  3 -> 3: 1 removed, 1 added, 1 changed\n",
        "  rows matched by flight_id: `flight_id` is unique in both versions\n",
        "  changed  delay in 1\n",
        "  - flight_id=3, delay=7, carrier=UA\n",
        "  + flight_id=4, delay=7, carrier=UA\n",
        "  ~ flight_id=2: delay null -> 2\n",
    ):
        assert line in said
    (table,) = found(drystone("diff", "data/flights.parquet", "--json"))["tables"]
    assert (table["path"], table["problem"]) == ("data/flights.parquet", None)
    assert table["review"]["rows"]["samples"] == {"removed": [], "added": [], "changed": []}
    assert [column["column"] for column in table["review"]["columns"]] == list(NEW)


def test_without_a_path_the_review_is_offered_and_not_made(flights: Path, drystone: Drystone) -> None:
    ended = drystone("diff")
    assert "~ data/flights.parquet" in ended.stdout
    assert "rows" not in ended.stdout
    assert "`drystone diff -- data/flights.parquet`" in ended.stderr
    assert found(drystone("diff", "--json"))["tables"] == []
    assert len(found(drystone("diff", "--rows", "1", "--json"))["tables"]) == 1


def test_words_are_states_first_and_paths_after(flights: Path, git: Git, drystone: Drystone) -> None:
    assert drystone("add", "data/flights.parquet").returncode == 0
    git("commit", "-qam", "new")
    git("branch", "data")
    for words in (
        ("HEAD~1", "HEAD", "data/flights.parquet"),
        ("HEAD~1", "HEAD", "--", "data/flights.parquet"),
        ("HEAD~1", "HEAD", "--", "data"),
        ("HEAD~1", "data/flights.parquet"),
        ("HEAD~1", "data"),  # a branch of that name goes before the folder, as it always has
        ("HEAD~1", "workspace", "."),
    ):
        document = found(drystone("diff", "--json", *words))
        assert [file["path"] for file in document["files"]] == ["data/flights.parquet"], words
    assert found(drystone("diff", "--json", "--", "data"))["files"] == []
    assert found(drystone("diff", "HEAD~1", "data/note.txt", "--json"))["files"] == []
    inside = drystone("diff", "HEAD~1", "flights.parquet", "--json", cwd=flights / "data")
    assert len(found(inside)["tables"]) == 1


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nowhere",), 4, "git log"),
        (("HEAD", "nowhere"), 4, "git log"),
        (("--", "data/flights.parquett"), 4, "`data/flights.parquet`"),
        (("--", "../elsewhere"), 2, "outside of the project"),
        (("data/flights.parquet", "--key", "flight_di"), 2, "`flight_id`"),
        (("data/flights.parquet", "--rows", "-1"), 2, "not a number of rows"),
        (("HEAD", "HEAD", "HEAD"), 4, "`HEAD` is not tracked"),
    ],
)
def test_words_that_make_no_sense_are_explained(
    flights: Path, drystone: Drystone, words: tuple[str, ...], code: int, said: str
) -> None:
    ended = drystone("diff", *words)
    assert ended.returncode == code, ended.stderr
    assert said in ended.stderr


def test_two_versions_are_compared_with_the_second_in_short(repository: Path, drystone: Drystone) -> None:
    (repository / "steps").mkdir()
    step = repository / "steps" / "ingest.sh"
    step.write_text("mkdir -p data\nprintf 'id,x\\n1,2\\n' > data/flights.csv\n")
    assert drystone("run").returncode == 0
    step.write_text(step.read_text().replace("1,2", "1,3"))
    assert drystone("run").returncode == 0
    document = found(drystone("diff", "data:flights@v1", "@v2", "--json"))
    assert [(file["path"], file["change"]) for file in document["files"]] == [
        ("data/flights.csv", "modified")
    ]
    assert document["tables"][0]["review"]["rows"]["columns"] == {"x": 1}
    assert found(drystone("diff", "data:flights@v1", "@v1", "--json"))["tables"] == []
    ended = drystone("diff", "data:flights@v1", "@v2", "--", "steps")
    assert ended.returncode == 4
    assert "`data/flights.csv`" in ended.stderr


def test_added_and_removed_tables_are_described(flights: Path, drystone: Drystone) -> None:
    (flights / "data" / "flights.parquet").unlink()
    (table,) = found(drystone("diff", "data/flights.parquet", "--json"))["tables"]
    assert (table["review"]["rows"]["removed"], table["review"]["rows"]["new"]) == (3, 0)


def test_a_table_that_cannot_be_read_is_told_and_the_next_one_follows(
    flights: Path, git: Git, drystone: Drystone
) -> None:
    (flights / "data" / "bad.csv").write_text("a,b\n1,2\n")
    assert drystone("add", "data/bad.csv").returncode == 0
    git("add", "-A")
    git("commit", "-qm", "bad")
    (flights / "data" / "bad.csv").write_text("a,b\n1,2,3\n")
    ended = drystone("diff", "data/bad.csv", "data/flights.parquet")
    assert ended.returncode == 3
    assert "line 2 has 3 fields where 2 are expected" in ended.stderr
    assert "~ data/bad.csv" in ended.stdout
    pq.write_table(pa.table(NEW), flights / "data" / "flights.parquet")
    ended = drystone("diff", "data", "--json")
    assert ended.returncode == 3
    bad, good = json.loads(ended.stdout)["tables"]
    assert (bad["review"], bad["problem"]["code"]) == (None, "corrupt")
    assert good["problem"] is None


def test_a_version_that_is_not_in_the_store_is_told_with_the_way_to_fetch_it(
    flights: Path, git: Git, drystone: Drystone, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    git("clone", "-q", ".", str(clone))
    (clone / "data").mkdir()
    pq.write_table(pa.table(NEW), clone / "data" / "flights.parquet")
    ended = drystone("diff", "data/flights.parquet", cwd=clone)
    assert ended.returncode == 4
    assert "~ data/flights.parquet" in ended.stdout
    assert "drystone remote add" in ended.stderr


def test_where_the_engine_is_not_installed_files_are_compared_and_the_hint_says_what_brings_it(
    flights: Path, said: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "duckdb" else there(name, *more)
    )
    ended = said("diff", "data/flights.parquet")
    assert ended.code == 3
    assert "~ data/flights.parquet" in ended.out
    assert "pip install 'drystone[features]'" in ended.err


def test_the_engine_is_not_loaded_for_a_comparison_of_files(flights: Path) -> None:
    program = "import sys; from drystone.cli.main import main; main(['diff']); print(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=flights, capture_output=True, text=True, check=True
    )
    assert not {"duckdb", "pyarrow", "numpy"} & set(ended.stdout.split())


def test_a_killed_review_leaves_nothing_that_the_next_does_not_remove(
    flights: Path, drystone: Drystone
) -> None:
    leftover = flights / ".drystone" / "spill" / "review-killed"
    leftover.mkdir(parents=True)
    (leftover / "old.parquet").write_bytes(b"x" * 100)
    assert drystone("diff", "data/flights.parquet").returncode == 0
    assert list(leftover.parent.iterdir()) == []


def test_odd_names_of_files_are_no_patterns(repository: Path, git: Git, drystone: Drystone) -> None:
    (repository / "data").mkdir()
    odd = repository / "data" / "a*[b]?'\".csv"
    odd.write_text("id,x\n1,1\n")
    (repository / "data" / "ab.csv").write_text("id,x\n9,9\n")
    assert drystone("add", "data").returncode == 0
    git("add", "-A")
    git("commit", "-qm", "odd")
    odd.write_text("id,x\n1,2\n")
    (table,) = found(drystone("diff", "data", "--json"))["tables"]
    assert table["review"]["rows"]["columns"] == {"x": 1}


def test_before_the_first_lock_everything_is_added(repository: Path, drystone: Drystone) -> None:
    (repository / "data").mkdir()
    (repository / "data" / "t.csv").write_text("id,x\n1,1\n")
    assert drystone("add", "data/t.csv").returncode == 0
    (table,) = found(drystone("diff", "data/t.csv", "--json"))["tables"]
    assert table["review"]["rows"]["added"] == 1
