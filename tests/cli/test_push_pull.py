"""`push`, `pull` and `remote` as a user types them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.objects.remote.conftest import KEYS, make_bucket  # type: ignore[import-not-found]
from tests.objects.remote.conftest import moto as moto
from tests.objects.remote.conftest import rclone as rclone

Drystone = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path, drystone: Drystone) -> Path:
    """Tracks a folder, knows the remote `lab`, and is committed."""
    root = tmp_path / "ada"
    (root / "data" / "below").mkdir(parents=True)
    (root / "data" / "below" / "small").write_text("stone upon stone\n" * 20)
    (root / "data" / "large").write_bytes(bytes(range(256)) * 9000)
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=root, check=True)
    assert drystone("add", "data", cwd=root).returncode == 0
    assert drystone("remote", "add", "lab", str(tmp_path / "lab"), cwd=root).returncode == 0
    commit(root)
    return root


def commit(root: Path) -> None:
    subprocess.run(["git", "add", "-A"], cwd=root, check=True)
    subprocess.run(["git", "commit", "-qm", "change"], cwd=root, check=True)


def clone(root: Path, name: str) -> Path:
    subprocess.run(["git", "clone", "-q", root, root.parent / name], check=True)
    return root.parent / name


def test_what_is_pushed_is_pulled_and_checked_out(project: Path, drystone: Drystone) -> None:
    told = drystone("push", "--dry-run", cwd=project)
    assert told.returncode == 6  # the folder is not made by looking
    (project.parent / "lab").mkdir()
    told = drystone("push", "--dry-run", cwd=project)
    assert told.stdout == "would push to lab  4 objects  at most 2,304,340 bytes\n"
    assert list((project.parent / "lab").iterdir()) == []
    pushed = drystone("push", cwd=project)
    assert pushed.returncode == 0, pushed.stderr
    assert pushed.stdout.startswith("pushed to lab  ")
    assert drystone("push", cwd=project).stdout == "lab is up to date\n"
    other = clone(project, "bob")
    pulled = drystone("pull", "--verbose", cwd=other)
    assert pulled.returncode == 0, pulled.stderr
    assert pulled.stdout.splitlines()[-1] == "restored  data"
    assert " requests, " in pulled.stderr
    assert (other / "data" / "large").read_bytes() == (project / "data" / "large").read_bytes()
    assert (other / "data" / "below" / "small").read_text() == "stone upon stone\n" * 20


def test_what_only_older_revisions_need_is_away_and_no_fault(project: Path, drystone: Drystone) -> None:
    (project / "data" / "below" / "small").write_text("another\n")
    assert drystone("add", "data", cwd=project).returncode == 0
    assert drystone("push", cwd=project).returncode == 0
    commit(project)
    subprocess.run(["git", "checkout", "-q", "HEAD~1", "drystone.lock"], cwd=project, check=True)
    assert drystone("push", cwd=project).returncode == 0
    subprocess.run(["git", "checkout", "-q", "HEAD", "drystone.lock"], cwd=project, check=True)
    other = clone(project, "bob")
    first = drystone("fsck", "--json", cwd=other)  # it has pulled nothing yet
    assert (first.returncode, json.loads(first.stdout)["whole"]) == (1, False)
    assert drystone("pull", cwd=other).returncode == 0
    checked = drystone("fsck", cwd=other)
    assert (checked.returncode, "missing" in checked.stdout) == (0, False)
    away = (
        "1 objects that only older revisions or records need are not here; `drystone fsck --repair` fetches"
    )
    assert away in checked.stderr
    lacking = drystone("checkout", "--git", "HEAD~1", cwd=other)
    assert lacking.returncode == 4
    assert "hint: fetch it with `drystone pull --git 'HEAD~1' data`" in lacking.stderr
    assert drystone("pull", "--git", "HEAD~1", cwd=other).returncode == 0
    assert (other / "data" / "below" / "small").read_text() == "another\n"
    assert drystone("checkout", "--git", "HEAD~1", cwd=other).returncode == 0
    assert (other / "data" / "below" / "small").read_text() == "stone upon stone\n" * 20
    assert "older revisions" not in drystone("fsck", cwd=other).stderr


def test_what_older_revisions_need_is_fetched_by_a_repair(project: Path, drystone: Drystone) -> None:
    assert drystone("push", cwd=project).returncode == 0
    shutil.rmtree(project / "data")
    (project / "data").mkdir()
    (project / "data" / "other").write_text("another")
    assert drystone("add", "data", cwd=project).returncode == 0
    assert drystone("push", cwd=project).returncode == 0
    commit(project)
    other = clone(project, "bob")
    assert drystone("pull", cwd=other).returncode == 0
    told = json.loads(drystone("fsck", "--json", cwd=other).stdout)
    assert (told["whole"], len(told["away"])) == (True, 1)
    mended = json.loads(drystone("fsck", "--repair", "--json", cwd=other).stdout)
    assert (mended["whole"], mended["away"]) == (True, [])
    assert drystone("checkout", "--git", "HEAD~1", cwd=other).returncode == 0


def test_json(project: Path, drystone: Drystone) -> None:
    pushed = json.loads(drystone("push", "--json", cwd=project).stdout)
    assert pushed["objects"] == 6  # a small file, two pieces and their list, two folders
    assert pushed["traffic"]["sent"] > 0
    pulled = json.loads(drystone("pull", "--json", cwd=clone(project, "bob")).stdout)
    assert pulled["restored"] == ["data"]
    assert (pulled["missing"], pulled["damaged"], pulled["others"]) == ({}, {}, [])


def test_a_damaged_remote_is_named_and_mended(project: Path, drystone: Drystone, tmp_path: Path) -> None:
    drystone("push", cwd=project)
    for pack in (tmp_path / "lab" / "packs").rglob("*.pack"):
        data = pack.read_bytes()
        pack.chmod(0o644)
        pack.write_bytes(data[:70] + bytes([data[70] ^ 1]) + data[71:])
    other = clone(project, "bob")
    failed = drystone("pull", cwd=other)
    assert failed.returncode == 6
    assert "error: remote `lab` gives other bytes than were sent to it\n" in failed.stderr
    assert "with `drystone push lab --repair`" in failed.stderr
    assert not (other / "data").exists()
    mended = drystone("push", "lab", "--repair", cwd=project)
    assert mended.stdout.startswith("repaired on lab  2 objects\n")
    assert drystone("pull", cwd=other).returncode == 0


def test_an_index_that_is_gone_is_named_and_the_hint_brings_it_back(
    project: Path, drystone: Drystone, tmp_path: Path
) -> None:
    assert drystone("push", cwd=project).returncode == 0
    indexes = sorted((tmp_path / "lab" / "indexes").iterdir())
    for index in indexes:
        index.unlink()
    other = clone(project, "bob")
    pulled = drystone("pull", cwd=other)
    assert pulled.returncode == 6
    assert "error: remote `lab` has damaged indexes, or lacks them\n" in pulled.stderr
    assert all(f"indexes/{index.name}" in pulled.stderr for index in indexes)
    assert "`drystone push lab --repair`" in pulled.stderr
    assert drystone("push", "lab", "--repair", cwd=project).stdout.startswith("repaired on lab  ")
    assert drystone("pull", cwd=other).returncode == 0


def test_a_remote_that_is_gone_is_warned_of_and_another_one_gives_all(
    project: Path, drystone: Drystone, tmp_path: Path
) -> None:
    assert drystone("remote", "add", "bak", str(tmp_path / "bak"), cwd=project).returncode == 0
    commit(project)
    assert drystone("push", "bak", cwd=project).returncode == 0
    other = clone(project, "bob")
    pulled = drystone("pull", cwd=other)
    assert pulled.returncode == 0, pulled.stderr
    assert "warning: remote `lab` cannot be used; the other remotes were asked\n" in pulled.stderr
    assert pulled.stdout.startswith("pulled from bak  ")
    assert (other / "data" / "large").read_bytes() == (project / "data" / "large").read_bytes()


def test_what_was_never_pushed_is_named(project: Path, drystone: Drystone) -> None:
    drystone("push", cwd=project)
    (project / "data" / "below" / "new").write_text("new")
    drystone("add", "data", cwd=project)
    commit(project)
    failed = drystone("pull", cwd=clone(project, "bob"))
    assert failed.returncode == 4
    assert "at data" in failed.stderr
    assert "hint: push them from where they were made with `drystone push lab`" in failed.stderr


@pytest.mark.parametrize("words", [["push"], ["pull"]])
def test_without_a_remote_the_hint_says_how_to_name_one(
    repository: Path, drystone: Drystone, words: list[str]
) -> None:
    failed = drystone(*words)
    assert failed.returncode == 4
    assert "hint: name one with `drystone remote add lab /mnt/lab/project`" in failed.stderr


def test_keys_in_the_settings_are_refused(project: Path, drystone: Drystone) -> None:
    with (project / "drystone.toml").open("a") as file:
        file.write('secret_access_key = "x"\n')
    failed = drystone("push", cwd=project)
    assert failed.returncode == 3
    assert "because credentials must not be committed" in failed.stderr


def test_a_bucket_that_ignores_conditions_is_found_out_once_and_told(
    repository: Path,
    drystone: Drystone,
    rclone: str,
    moto: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    (repository / "x").write_text("x")
    assert drystone("add", "x").returncode == 0
    folder = tmp_path_factory.mktemp("there")
    urls = {
        "careless": [f"s3://{make_bucket(rclone)}/p", "--endpoint", rclone],
        "careful": [f"s3://{make_bucket(moto)}/p", "--endpoint", moto],
        "lab": [str(folder)],
        "never": [str(folder / "never")],
        "bad": ["s3://"],
    }
    for name, words in urls.items():
        assert drystone("remote", "add", name, *words).returncode == 0
    before = json.loads(drystone("remote", "--json", **KEYS).stdout)
    assert {item["name"]: item["conditional_puts"] for item in before} == dict.fromkeys(urls)
    for name in ("careless", "careful", "lab"):
        first = drystone("push", name, "--verbose", **KEYS)
        assert first.returncode == 0, first.stderr
        again = [drystone("push", name, "--verbose", **KEYS).stderr.split(" requests")[0] for _ in range(2)]
        assert again[0] == again[1]
    after = json.loads(drystone("remote", "--json", **KEYS).stdout)
    assert {item["name"]: item["conditional_puts"] for item in after} == {
        "careless": False, "careful": True, "lab": True, "never": None, "bad": None,
    }  # fmt: skip
    told = drystone("remote", **KEYS).stderr
    assert "note: careless ignores conditional puts" in told
    assert "careful" not in told and "lab" not in told
    assert drystone("gc", "--remote", "careless", "--yes", **KEYS).returncode == 0
