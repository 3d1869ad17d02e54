"""`drystone import dvc` and `drystone export dvc` as a user meets them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from tests.saying import Said, said  # type: ignore[import-not-found]

from .world import Repository

Say = Callable[..., Said]


@pytest.fixture
def say(repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Say:
    """Runs a verb in the repository, in this process."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DVC_SYSTEM_CONFIG_DIR", str(tmp_path / "system"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return partial(said, repository.root)


def test_an_import_tells_what_it_took_and_what_to_type_next(repository: Repository, say: Say) -> None:
    repository.track("a.bin", b"one")
    repository.track_folder("data", {"x": b"1", "y": b"22"})
    dry = say("import", "dvc", "--dry-run")
    assert (dry.code, dry.out) == (
        0,
        "added  a.bin  1 files  3 bytes  a.bin.dvc\nadded  data   2 files  3 bytes  data.dvc\n",
    )
    assert dry.err.endswith("nothing was done (--dry-run)\n")
    real = say("import", "dvc")
    assert (real.code, real.out) == (0, dry.out)
    assert real.err == (
        "2 outputs, 3 files, 6 bytes, none fetched from a remote\n"
        "commit it with `git add drystone.lock .gitignore && git commit`\n"
    )


def test_an_import_is_taken_back_with_the_line_that_it_replaced(repository: Repository, say: Say) -> None:
    repository.track("a.bin", b"one")
    repository.track("b.bin", b"two")
    repository.root.joinpath("a.bin").write_bytes(b"ours")
    assert say("add", "a.bin").code == 0
    before, ignored = repository.lock(), (repository.root / ".gitignore").read_bytes()
    assert say("import", "dvc").code == 0
    assert repository.lock() != before
    undone = say("undo")
    assert undone.code == 0, undone.err
    assert "undid `drystone import dvc`" in undone.err
    assert repository.lock() == before
    assert (repository.root / ".gitignore").read_bytes() == ignored


def test_what_is_missing_is_an_error_in_both_forms(repository: Repository, say: Say) -> None:
    repository.describe("a.bin", "1" * 32)
    repository.track("b.bin", b"whole")
    for words in (["import", "dvc", "--dry-run"], ["import", "dvc"]):
        told = say(*words)
        assert (told.code, told.out) == (4, "")
        assert "commit it" not in told.err
    assert not (repository.root / "drystone.lock").exists()
    assert "error: nothing was imported: the content of 1 file is nowhere to be had\n" in told.err
    assert f"  a.bin  md5 {'1' * 32}  not in cache, work tree\n" in told.err
    document = json.loads(say("import", "dvc", "--json").out)
    assert document["error"]["exit"] == 4
    assert document["imported"]["missing"][0]["paths"] == ["a.bin"]


def test_history_is_told_too(repository: Repository, say: Say) -> None:
    repository.track("a.bin", b"one")
    repository.commit()
    repository.describe("a.bin", "1" * 32)
    repository.commit()
    repository.track("a.bin", b"two")
    said = say("import", "dvc", "--all-commits")
    assert said.code == 0
    assert "history: the contents of 2 commits are stored, 1 files, 3 bytes\n" in said.err
    assert f"lost: a.bin, MD5 {'1' * 32}, not in cache\n" in said.err
    assert len(json.loads(say("import", "dvc", "--all-commits", "--json").out)["history"]["commits"]) == 2


def test_the_users_own_configuration_of_dvc_counts(repository: Repository, say: Say, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / ".config" / "dvc").mkdir(parents=True)
    (tmp_path / ".config" / "dvc" / "config").write_text("['remote \"mine\"']\nurl = ~/store\n")
    repository.describe("a.bin", repository.put(b"x", where=tmp_path / "store"))
    assert say("import", "dvc", "--remote", "mine").code == 0
    wrong = say("import", "dvc", "--remote", "min")
    assert wrong.code == 3
    assert "hint: a remote with a similar name exists: `mine`" in wrong.err


def test_an_export_tells_what_dvc_cannot_keep(repository: Repository, say: Say, tmp_path: Path) -> None:
    (repository.root / "data" / "empty").mkdir(parents=True)
    (repository.root / "data" / "x").write_text("x")
    assert say("add", "data").code == 0
    said = say("export", "dvc", "../out", "--dry-run")
    assert said.code == 0
    assert "DVC cannot keep: data/empty (an empty directory)\n" in said.err
    assert not (tmp_path / "out").exists()
    real = say("export", "dvc", "../out", "--remote", "../remote", "--json")
    document = json.loads(real.out)["exported"]
    assert document["lost"] == [{"path": "data/empty", "what": "empty directory"}]
    assert (tmp_path / "out" / "data" / "x").read_text() == "x"


def test_another_tool_is_a_usage_error(say: Say) -> None:
    assert say("import", "svn").code == 2
    assert say("export", "svn", "x").code == 2
