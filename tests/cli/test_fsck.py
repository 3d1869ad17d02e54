"""`drystone fsck` as a user meets it: every object that anything leads to, by name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from drystone.core.ids import OBJECT_PREFIX, digest_of
from drystone.objects.hashing import hash_bytes
from drystone.objects.packs import INDEX_SUFFIX
from drystone.objects.store import ObjectStore
from drystone.project.project import Project
from drystone.project.settings import Settings
from drystone.project.upkeep import check, mend
from drystone.workspace.lockfile import Lock

Said = Callable[..., Any]
MANY = {str(number): b"stone %d" % number for number in range(30)}


@pytest.fixture
def project(repository: Path, said: Said, git: Callable[..., str]) -> Path:
    """A folder and a large file are tracked; the folder was another at the commit before."""
    (repository / "data").mkdir()
    for name, content in MANY.items():
        (repository / "data" / name).write_bytes(content)
    (repository / "large").write_bytes(bytes(2 << 20))
    assert said("add", "data", "large").code == 0
    git("add", "-A")
    git("commit", "-q", "-m", "first")
    (repository / "data" / "0").write_bytes(b"another")
    assert said("add", "data").code == 0
    git("add", "-A")
    git("commit", "-q", "-m", "second")
    return repository


def report(said: Said, *words: str) -> Any:
    answer = said("fsck", "--json", *words)
    document = json.loads(answer.out)
    assert answer.code == (0 if document["whole"] else 1)
    return document


def pack_of(root: Path, content: bytes) -> Path:
    store = ObjectStore(root / ".drystone" / "objects")
    found = store.packs.find(bytes.fromhex(hash_bytes(content).removeprefix(OBJECT_PREFIX)))
    assert found is not None
    return found.pack.path


def spoil(path: Path, what: bytes) -> None:
    data = path.read_bytes()
    assert data.count(what) == 1
    path.chmod(0o644)
    path.write_bytes(data.replace(what, what.swapcase()))


def test_a_whole_project_is_whole(project: Path, said: Said) -> None:
    answer = said("fsck")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("34 whole objects in 2,")
    assert answer.out.endswith(" bytes; 34 are needed\n")
    assert (report(said)["faults"], report(said)["lost"]) == ([], [])


def test_a_damaged_object_is_named_with_all_who_need_it(project: Path, said: Said) -> None:
    spoil(pack_of(project, b"stone 7"), b"stone 7")
    answer = said("fsck")
    assert answer.code == 1
    assert "needed by data/7\n" in answer.out
    assert hash_bytes(b"stone 7") in answer.out
    assert "mend what can be mended with `drystone fsck --repair`" in answer.err
    found = report(said)
    assert [lost["why"] for lost in found["lost"]] == ["damaged"]


def test_what_only_history_needs_is_named_by_its_commit(
    project: Path, said: Said, git: Callable[..., str]
) -> None:
    spoil(pack_of(project, b"stone 0"), b"stone 0")
    first = git("rev-parse", "HEAD~1").strip()
    (lost,) = report(said)["lost"]
    assert lost["needed_by"] == [f"data at git:{first[:12]}/0"]


def test_the_work_tree_mends_what_it_still_has(project: Path, said: Said) -> None:
    spoil(pack_of(project, b"stone 7"), b"stone 7")
    answer = said("fsck", "--repair")
    assert answer.code == 0, answer.out
    assert "1 objects stored again from the work tree" in answer.out
    assert report(said)["whole"]
    assert list((project / ".drystone" / "quarantine").iterdir())
    assert not (project / ".drystone" / "objects" / "doubt").exists()


def test_all_packs_lost_come_back_from_the_work_tree(project: Path, said: Said) -> None:
    for path in (project / ".drystone" / "objects" / "packs").glob("*.pack"):
        path.unlink()
    found = report(said, "--repair")
    (lost,) = found["lost"]  # what only the first commit knew of one file, and its list
    assert lost["needed_by"][0].startswith("data at git:")
    answer = said("checkout", "--force")
    assert answer.code == 0, answer.err


def test_a_removed_large_file_is_missing_and_comes_back(project: Path, said: Said) -> None:
    store = ObjectStore(project / ".drystone" / "objects")
    store.loose.path(hash_bytes(bytes(2 << 20))).unlink()
    (lost,) = report(said)["lost"]
    assert (lost["why"], lost["needed_by"]) == ("missing", ["large"])
    assert report(said, "--repair")["whole"]


def test_damage_that_cannot_be_mended_stays_told(project: Path, said: Said) -> None:
    spoil(pack_of(project, b"stone 7"), b"stone 7")
    (project / "data" / "7").write_bytes(b"edited since")
    answer = said("fsck", "--repair")
    assert answer.code == 1
    assert "needed by data/7\n" in answer.out
    assert report(said)["faults"] == []


class Shelf:
    """A source that has some objects."""

    def __init__(self, store: ObjectStore, has: Iterable[bytes]) -> None:
        self._store = store
        self._has = {hash_bytes(content): content for content in has}

    def __str__(self) -> str:
        return "the shelf"

    def fetch(self, ids: Iterable[str]) -> Iterable[str]:
        return [self._store.put_bytes(self._has[name]) for name in ids if name in self._has]


def test_what_the_work_tree_lacks_comes_from_a_source(project: Path) -> None:
    spoil(pack_of(project, b"stone 0"), b"stone 0")
    opened = Project(project, Settings.of({}))
    try:
        first = check(opened)
        done = mend(opened, first, [Shelf(opened.store, [b"stone 0"])])
        assert "1 objects stored again from the shelf" in done.repaired
        assert done.whole
    finally:
        opened.close()


def test_a_ledger_names_what_runs_and_versions_need(repository: Path, said: Said) -> None:
    (repository / "steps").mkdir()
    (repository / "steps" / "make.sh").write_text(
        "mkdir -p models/m\necho stone > models/m/file\necho said\n"
    )
    assert said("run").code == 0
    store = ObjectStore(repository / ".drystone" / "objects")
    for name in list(store):
        store.loose.path(name).unlink()
    found = report(said)
    needed_by = {by.rpartition(" ")[0] or by for lost in found["lost"] for by in lost["needed_by"]}
    assert {"output of run", "environment of run", "trace of step", "models/m"} <= needed_by
    assert any("model:m@v1" in lost["needed_by"] for lost in found["lost"])


def test_outside_of_a_store_there_is_nothing_to_find(repository: Path, said: Said) -> None:
    assert report(said)["objects"] == 0


def test_what_is_lost_here_comes_again_from_a_remote(repository: Path, said: Said) -> None:
    (repository / "data").mkdir()
    for number in range(40):
        (repository / "data" / str(number)).write_bytes(b"%d" % number)
    assert said("add", "data").code == 0
    assert said("remote", "add", "gone", "s3://bucket/x", "--endpoint", "http://127.0.0.1:9").code == 0
    assert said("remote", "add", "lab", str(repository.parent / "lab")).code == 0
    assert said("push", "lab").code == 0
    shutil.rmtree(repository / ".drystone" / "objects" / "packs")
    shutil.rmtree(repository / "data")
    assert said("fsck").code == 1
    answer = said("fsck", "--repair")
    assert (answer.code, "objects stored again from remote `lab`" in answer.out) == (0, True), answer
    assert "remote `gone`" in answer.err
    assert said("checkout").code == 0
    assert (repository / "data" / "7").read_bytes() == b"7"


def without_privileges(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs the command as somebody for whom the modes of files count, which root is not."""
    caps = "-dac_override,-dac_read_search"
    drop = ["setpriv", f"--bounding-set={caps}", f"--inh-caps={caps}"] if os.geteuid() == 0 else []
    program = str(Path(sys.executable).parent / "drystone")
    return subprocess.run([*drop, program, *words], cwd=root, capture_output=True, text=True)


@pytest.mark.parametrize("what", ["loose", "tree", "pack", "index"])
def test_one_object_that_cannot_be_read_is_named_and_the_rest_is_checked(
    project: Path, said: Said, what: str
) -> None:
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("root reads everything, and there is no `setpriv`")
    store = ObjectStore(project / ".drystone" / "objects")
    pack = pack_of(project, b"stone 7")
    large = hash_bytes(bytes(2 << 20))
    if what == "tree":
        listed = Lock.read(project / "drystone.lock").paths["data"].object
        hidden = store.loose.path(listed)
        if not hidden.exists():
            hidden = store.packs.find(digest_of(listed)).pack.path  # type: ignore[union-attr]
    else:
        hidden = {
            "loose": store.loose.path(large),
            "pack": pack,
            "index": pack.with_suffix(INDEX_SUFFIX),
        }[what]
    assert hidden.exists()
    hidden.chmod(0)
    answer = without_privileges(project, "fsck")
    assert answer.returncode == 1, answer.stderr
    assert "it cannot be read: permission denied" in answer.stdout
    assert str(hidden.relative_to(store.root)) in answer.stdout
    assert "are needed" in answer.stdout
    if what != "loose":
        assert large not in answer.stdout  # it was looked at, and is whole
    repaired = without_privileges(project, "fsck", "--repair")
    if what != "index":  # that is made anew from its pack by whoever reads
        assert f"{hidden.relative_to(store.root)}: may be read again" in repaired.stdout
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert report(said)["whole"]
