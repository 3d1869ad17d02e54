"""`drystone diff` where a side is on a remote only, as it is in every fresh clone."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

Drystone = Callable[..., subprocess.CompletedProcess[str]]
Git = Callable[..., str]


@pytest.fixture
def clone(repository: Path, git: Git, drystone: Drystone, tmp_path: Path) -> Path:
    """Two commits of a folder with a table; a clone that pulled, and so has the newer one only."""
    assert drystone("remote", "add", "lab", str(tmp_path.parent / f"{tmp_path.name}-lab")).returncode == 0
    for rows in (100, 101):
        (repository / "data" / "t").mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table({"id": range(rows)}), repository / "data" / "t" / "p.parquet")
        assert drystone("add", "data/t").returncode == 0
        git("add", "-A")
        git("commit", "-qm", f"{rows} rows")
        assert drystone("push").returncode == 0
    folder = tmp_path.parent / f"{tmp_path.name}-clone"
    git("clone", "-q", ".", str(folder))
    assert drystone("pull", cwd=folder).returncode == 0
    return folder


@pytest.mark.parametrize("sides", [("HEAD~1", "HEAD", "--", "data/t/p.parquet"), ("HEAD~1", "--", "data")])
def test_what_is_not_here_is_fetched_for_the_answer(
    clone: Path, drystone: Drystone, sides: tuple[str, ...]
) -> None:
    ended = drystone("diff", "--json", *sides, cwd=clone)
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert [(file["path"], file["change"]) for file in document["files"]] == [
        ("data/t/p.parquet", "modified")
    ]
    rows = document["tables"][0]["review"]["rows"]
    assert (rows["old"], rows["new"], rows["added"], rows["removed"]) == (100, 101, 1, 0)


def test_what_cannot_be_had_is_an_error_never_an_answer(clone: Path, drystone: Drystone) -> None:
    lab = clone.with_name(clone.name.removesuffix("-clone") + "-lab")
    lab.rename(lab.with_name(f"{lab.name}-away"))
    for words in (("HEAD~1", "HEAD"), ("HEAD~1",), ("HEAD~1", "HEAD", "--", "data/t/p.parquet")):
        ended = drystone("diff", *words, cwd=clone)
        assert ended.returncode == 6, ended.stdout + ended.stderr
        assert "`data/t`" in ended.stderr
        assert "no difference" not in ended.stdout + ended.stderr
    assert drystone("remote", "remove", "lab", cwd=clone).returncode == 0
    ended = drystone("diff", "HEAD~1", "HEAD", "--", "data/t/p.parquet", cwd=clone)
    assert ended.returncode == 4
    assert "`data/t`" in ended.stderr
    assert "drystone remote add" in ended.stderr


def test_a_path_asks_for_nothing_beside_it(
    clone: Path, repository: Path, git: Git, drystone: Drystone
) -> None:
    (repository / "data" / "other").mkdir()
    for text in ("one", "two"):
        (repository / "data" / "other" / "x").write_text(text)
        assert drystone("add", "data/other").returncode == 0
        git("add", "-A")
        git("commit", "-qm", text)  # never pushed
    git("-C", str(clone), "pull", "-q")
    ended = drystone("diff", "HEAD~3", "HEAD", "--", "data/t", cwd=clone)
    assert ended.returncode == 0, ended.stderr
    assert "100 -> 101" in ended.stdout


def test_versions_that_are_not_here_are_fetched(
    repository: Path, git: Git, drystone: Drystone, tmp_path: Path
) -> None:
    (repository / "steps").mkdir()
    step = repository / "steps" / "fl.sh"
    for rows in (5000, 5001):
        step.write_text(f"mkdir -p data/fl\nprintf 'id\\n' > data/fl/a.csv\nseq {rows} >> data/fl/a.csv\n")
        assert drystone("run").returncode == 0
    lab = tmp_path.parent / f"{tmp_path.name}-lab"
    assert drystone("remote", "add", "lab", str(lab)).returncode == 0
    git("add", "-A")
    git("commit", "-qm", "run")
    assert drystone("push").returncode == 0
    folder = tmp_path.parent / f"{tmp_path.name}-clone"
    git("clone", "-q", ".", str(folder))
    assert drystone("pull", cwd=folder).returncode == 0
    shutil.rmtree(folder / ".drystone" / "objects")
    assert drystone("get", "data:fl@v1", "-o", "v1", cwd=folder).returncode == 0
    ended = drystone("diff", "data:fl@v1", "@v2", cwd=folder)
    assert ended.returncode == 0, ended.stderr
    assert "rows  5,000 -> 5,001: 0 removed, 1 added" in ended.stdout
    shutil.rmtree(folder / ".drystone" / "objects")
    lab.rename(lab.with_name(f"{lab.name}-gone"))
    ended = drystone("diff", "data:fl@v1", "@v2", cwd=folder)
    assert (ended.returncode, ended.stdout) == (6, "")
