"""pandas, pyarrow and DuckDB read versions through `drystone://`, and `drystone.open` gives files."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

import drystone as ds
from drystone.core.clock import SystemClock
from drystone.core.errors import NotFound, RemoteUnavailable, UsageError
from drystone.core.layout import Layout
from drystone.ledger.ledger import Ledger
from drystone.registry.versions import register
from drystone.workspace.lockfile import Lock

TABLE = pa.table({"id": range(1000), "name": [f"n{number}" for number in range(1000)]})


def _git(folder: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


def _verb(folder: Path, *words: str) -> None:
    program = str(Path(sys.executable).parent / "drystone")
    subprocess.run([program, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with a dataset of two files; its objects are on the remote `lab` only; we stand in it."""
    root = tmp_path.resolve() / "project"
    (root / "data" / "set" / "deep").mkdir(parents=True)
    pq.write_table(TABLE, root / "data" / "set" / "a.parquet")
    TABLE.to_pandas().to_csv(root / "data" / "set" / "deep" / "b.csv", index=False)
    (root / "data" / "noise").write_bytes(random.Random(1).randbytes(3_000_000))
    _git(root, "init", "-q", "-b", "main")
    _verb(root, "add", "data/set", "data/noise")
    locked = Lock.read(root / "drystone.lock").paths["data/set"]
    clock = SystemClock()
    with Ledger.open(Layout(root), clock) as ledger:
        register(
            ledger,
            "data",
            "set",
            object=locked.object,
            path="data/set",
            size=locked.size,
            run=None,
            clock=clock,
        )
    _verb(root, "remote", "add", "lab", str(root.parent / "lab"))
    _git(root, "add", "-A")
    _git(root, "commit", "-qm", "set")
    _verb(root, "push")
    shutil.rmtree(root / "data")
    shutil.rmtree(root / ".drystone" / "objects")
    monkeypatch.chdir(root)
    yield root
    fsspec.get_filesystem_class("drystone").clear_instance_cache()


def test_pandas_reads_versions(project: Path) -> None:
    assert pd.read_parquet("drystone://data:set@v1/a.parquet").equals(TABLE.to_pandas())
    assert pd.read_csv("drystone://data/set/deep/b.csv").equals(TABLE.to_pandas())
    assert pd.read_csv("drystone://data:set@git:HEAD/deep/b.csv").equals(TABLE.to_pandas())
    assert not (project / "data").exists()


def test_pyarrow_reads_versions(project: Path) -> None:
    files = fsspec.filesystem("drystone")
    assert pq.read_table("data:set@v1/a.parquet", filesystem=files).equals(TABLE)
    found = pyarrow.dataset.dataset("data:set@v1/a.parquet", filesystem=files, format="parquet")
    assert found.to_table(filter=pyarrow.dataset.field("id") == 7)["name"].to_pylist() == ["n7"]


def test_duckdb_reads_versions(project: Path) -> None:
    with duckdb.connect() as connection:
        connection.register_filesystem(fsspec.filesystem("drystone"))
        query = "SELECT count(*), sum(id) FROM read_parquet('drystone://data:set@v1/*.parquet')"
        assert connection.execute(query).fetchall() == [(1000, 499_500)]
        query = "SELECT max(id) FROM 'drystone://data:set/deep/b.csv'"
        assert connection.execute(query).fetchall() == [(999,)]


@pytest.mark.parametrize("where", ["store", "remote"])
def test_the_threads_of_duckdb_share_a_file(project: Path, where: str) -> None:
    """Each seeks and reads, and nothing keeps another's seek from coming between."""
    rows = 100_000
    table = pa.table({"id": range(rows), "s": [f"n{number % 5000}" for number in range(rows)]})
    (project / "data" / "many").mkdir(parents=True)
    for half in range(2):
        part = table.slice(half * rows // 2, rows // 2)
        pq.write_table(part, project / "data" / "many" / f"{half}.parquet", row_group_size=rows // 20)
    _verb(project, "add", "data/many")
    if where == "remote":
        _verb(project, "push")
        shutil.rmtree(project / ".drystone" / "objects")
    query = "SELECT count(*), sum(id), count(DISTINCT s) FROM read_parquet('drystone://data:many/*.parquet')"
    for _ in range(30):
        with duckdb.connect() as connection:
            connection.register_filesystem(fsspec.filesystem("drystone"))
            assert connection.execute(query).fetchall() == [(rows, sum(range(rows)), 5000)]


def test_folders_are_listed(project: Path) -> None:
    files = fsspec.filesystem("drystone")
    assert files.ls("", detail=False) == ["data:noise", "data:set", "data"]
    assert files.ls("data", detail=False) == ["data/noise", "data/set"]
    assert list(files.walk("data:set@v1")) == [
        ("data:set@v1", ["deep"], ["a.parquet"]),
        ("data:set@v1/deep", [], ["b.csv"]),
    ]
    assert files.glob("data/*/*.parquet") == ["data/set/a.parquet"]
    assert files.find("data:set") == ["data:set/a.parquet", "data:set/deep/b.csv"]
    told = files.info("drystone://data:noise")
    assert (told["size"], told["type"], told["kind"]) == (3_000_000, "file", "file")
    assert told["object"] == Lock.read(project / "drystone.lock").paths["data/noise"].object
    assert files.checksum("data:noise") == told["object"]
    assert files.modified("data:noise") == files.modified("data/noise") != files.modified("data:set")
    assert files.isdir("data:set")
    assert files.isdir("")
    assert not files.exists("data:nothing")


def test_ranges(project: Path) -> None:
    files = fsspec.filesystem("drystone")
    data = random.Random(1).randbytes(3_000_000)
    for start, end in [
        (None, None),
        (0, 10),
        (2_000_000, 2_000_100),
        (-10, None),
        (5, -5),
        (10, 5),
        (None, 0),
    ]:
        assert files.cat_file("data:noise", start, end) == data[start:end]
    assert files.cat_ranges(["data:noise"] * 2, [0, 7], [3, 9]) == [data[:3], data[7:9]]


def test_nothing_can_be_written(project: Path) -> None:
    files = fsspec.filesystem("drystone")
    for write in (
        lambda: files.open("data:new", "wb"),
        lambda: files.pipe_file("data:new", b""),
        lambda: files.rm("data:set"),
        lambda: files.mkdir("data/new"),
        lambda: files.mv("data:set", "data:other"),
        lambda: TABLE.to_pandas().to_csv("drystone://data:new"),
    ):
        with pytest.raises(OSError, match="read-only"):
            write()


def test_errors_are_those_of_files(project: Path) -> None:
    files = fsspec.filesystem("drystone")
    with pytest.raises(
        FileNotFoundError, match="no data named `st`; data with a similar name exists: `data:set`"
    ):
        files.open("data:st")
    with pytest.raises(FileNotFoundError):
        pd.read_parquet("drystone://data:set@v9/a.parquet")
    with pytest.raises(IsADirectoryError):
        files.open("data:set")
    shutil.rmtree(project.parent / "lab")
    files.clear_instance_cache()  # it knows what the remote held
    with pytest.raises(RemoteUnavailable):  # not that there is no such file
        fsspec.filesystem("drystone").exists("data:set/a.parquet")


def test_another_repository_and_another_remote(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = project.parent / "outside"
    outside.mkdir()
    monkeypatch.chdir(outside)
    options = {"repo": f"file://{project}"}
    assert pd.read_parquet("drystone://data:set@v1/a.parquet", storage_options=options).equals(
        TABLE.to_pandas()
    )
    (project.parent / "lab").rename(project.parent / "moved")
    options = {"repo": str(project), "remote": "../moved"}
    assert pd.read_csv("drystone://data:set/deep/b.csv", storage_options=options).equals(TABLE.to_pandas())
    assert not list(outside.iterdir())


def test_a_file_system_belongs_to_where_it_was_made(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = project.parent / "other"
    other.mkdir()
    _git(other, "init", "-q")
    here = fsspec.filesystem("drystone")
    assert fsspec.filesystem("drystone") is here
    monkeypatch.chdir(other)
    assert not fsspec.filesystem("drystone").exists("data:set")
    assert here.exists("data:set")


def test_what_is_pushed_meanwhile_is_found(project: Path, tmp_path: Path) -> None:
    files = fsspec.filesystem("drystone")
    assert files.exists("data:set/a.parquet")  # it has looked at the remote
    _git(tmp_path, "clone", "-q", str(project), "mate")
    (tmp_path / "mate" / "data").mkdir()
    (tmp_path / "mate" / "data" / "later.txt").write_text("later")
    _verb(tmp_path / "mate", "add", "data/later.txt")
    shutil.copy(tmp_path / "mate" / "drystone.lock", project)
    with pytest.raises(FileNotFoundError, match="not on remote `lab`"):
        files.cat_file("data/later.txt")
    _verb(tmp_path / "mate", "push")
    assert files.cat_file("data/later.txt") == b"later"


# drystone.open


def test_open(project: Path) -> None:
    data = random.Random(1).randbytes(3_000_000)
    with ds.open("data:noise") as file:
        assert file.seek(-100, os.SEEK_END) == len(data) - 100
        assert file.read() == data[-100:]
    with ds.open("data:set@v1/deep/b.csv", "r") as file:
        assert file.readline() == "id,name\n"
    with ds.open("data/set/a.parquet") as file:
        assert pq.read_table(file).equals(TABLE)
    with ds.open("data:set@v1/a.parquet", repo=f"file://{project}") as file:
        assert pd.read_parquet(file).equals(TABLE.to_pandas())
    with pytest.raises(NotFound):
        ds.open("data:nothing")
    with pytest.raises(UsageError):
        ds.open("data:set")
    with pytest.raises(UsageError):
        ds.open("data:noise", "wb")


def test_open_stands_in_the_project_of_a_step(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.parent)
    monkeypatch.setenv("DRYSTONE_ROOT", str(project))
    with ds.open("data/set/deep/b.csv", "r") as file:
        assert file.readline() == "id,name\n"


def test_a_step_may_read_only_what_never_changes(project: Path) -> None:
    """It is not seen to read it, and would be reused when it has changed."""
    (project / "steps").mkdir()
    step = project / "steps" / "count.py"
    text = "import drystone as ds\nopen('count.txt', 'w').write(str(len(ds.open({!r}).read())))\n"
    program = str(Path(sys.executable).parent / "drystone")
    tree = Lock.read(project / "drystone.lock").paths["data/noise"].object
    for reference in ("data:set@v1/deep/b.csv", tree):
        step.write_text(text.format(reference))
        done = subprocess.run([program, "run"], cwd=project, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "count.txt").read_text() == "3000000"
    for reference in ("data:noise", "data/noise", "data:set@/a.parquet", "data:noise@git:main"):
        step.write_text(text.format(reference))
        done = subprocess.run([program, "run"], cwd=project, capture_output=True, text=True)
        assert done.returncode == 1
        assert "a step cannot read" in done.stdout + done.stderr


def test_what_was_learnt_of_another_repository_goes_with_the_file(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    file = ds.open("data:noise", repo=f"file://{project}")
    assert len(list(temporary.iterdir())) == 1
    file.close()
    del file
    assert not list(temporary.iterdir())
