"""What an import promises: verified, all or nothing, nothing of DVC's changed, everything named."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from drystone.core.errors import Conflict, NotFound, ProjectInvalid, RemoteUnavailable
from drystone.interop.dvc.importing import Imported, import_dvc
from drystone.workspace.lockfile import Lock
from drystone.workspace.status import status

from .world import Repository, entries, md5


def outcomes(imported: Imported) -> dict[str, str]:
    return {item.path: item.outcome for item in imported.paths}


def everything(root: Path) -> dict[str, str]:
    """All files but git's and ours, by content."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.relative_to(root).parts[0] not in (".git", ".drystone")
    }


def test_files_and_folders_become_lines_of_the_lock(repository: Repository) -> None:
    repository.track("a.bin", b"one", extra="  isexec: true\n")
    repository.track_folder("data/set", {"x.csv": b"1", "sub/y.csv": b"22", "é.txt": b"1"})
    imported = repository.take()
    assert imported.failure is None
    assert outcomes(imported) == {"a.bin": "added", "data/set": "added"}
    assert [(item.files, item.size) for item in imported.paths] == [(1, 3), (3, 4)]
    assert repository.lock().paths["a.bin"].executable
    assert repository.content("a.bin") == b"one"
    assert repository.content("data/set") == {"sub/y.csv": b"22", "x.csv": b"1", "é.txt": b"1"}


def test_executable_bits_come_from_the_work_tree_where_the_content_is_the_same(
    repository: Repository,
) -> None:
    files = {"run.sh": b"echo 1", "sub/edited.sh": b"echo 2", "plain.txt": b"3"}
    repository.track_folder("tools", files)
    repository.track("a.bin", b"one")
    for name, data in {**files, "sub/edited.sh": b"echo x"}.items():
        place = repository.root / "tools" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        place.chmod(0o644 if name == "plain.txt" else 0o755)
    (repository.root / "a.bin").write_bytes(b"one")
    (repository.root / "a.bin").chmod(0o755)
    (dry,) = (item.locked for item in repository.take(dry_run=True).paths if item.path == "tools")
    assert repository.take().failure is None
    locked = repository.lock().paths
    assert locked["tools"] == dry
    bits = entries(repository.workspace().store, locked["tools"].entry("tools"))
    assert {name for name, entry in bits.items() if entry.executable} == {"run.sh"}
    assert locked["a.bin"].executable
    (repository.root / "tools" / "sub" / "edited.sh").write_bytes(b"echo 2")
    assert outcomes(repository.take()) == {"tools": "changed", "a.bin": "unchanged"}
    assert all(item.state == "clean" for item in status(repository.workspace()).tracked)


def test_nothing_but_the_lock_and_gitignore_is_written(repository: Repository) -> None:
    repository.track("a.bin", b"one")
    repository.commit()
    before = everything(repository.top)
    assert repository.take(dry_run=True).failure is None
    assert everything(repository.top) == before
    assert not (repository.top / ".drystone").exists()
    imported = repository.take()
    after = everything(repository.top)
    assert imported.ignored == ("a.bin",)
    assert {name for name in after if before.get(name) != after[name]} == {".gitignore", "drystone.lock"}


def test_a_second_import_changes_and_reads_nothing(repository: Repository) -> None:
    repository.track_folder("data", {"x": b"1"})
    (repository.top / ".gitignore").write_text("/data\n")
    first = repository.take()
    assert first.ignored == ()
    lock = (repository.top / "drystone.lock").stat().st_ino
    for path in sorted(repository.cache.rglob("*"), reverse=True):  # all is in our store: DVC's may go
        path.rmdir() if path.is_dir() else path.unlink()
    again = repository.take()
    assert outcomes(again) == {"data": "unchanged"}
    assert (repository.top / "drystone.lock").stat().st_ino == lock
    repository.track_folder("data", {"x": b"2"})
    assert outcomes(repository.take()) == {"data": "changed"}


def test_the_layout_and_the_digests_of_dvc_2(repository: Repository) -> None:
    text, name = b"a\r\nb\r\n", md5(b"a\nb\n")
    repository.put(text, name=name, legacy=True)
    repository.describe("t.txt", name, hash_line=False)
    folder = repository.put_list({"t.txt": name}, legacy=True)
    repository.describe("d", folder, hash_line=False)
    assert repository.take().failure is None
    assert repository.content("t.txt") == text
    assert repository.content("d") == {"t.txt": text}


def test_outputs_of_a_pipeline(repository: Repository) -> None:
    (repository.root / "dvc.yaml").write_text(
        "stages:\n  s:\n    cmd: x\n    outs: [model.bin]\n"
        "    metrics:\n    - m.json: {cache: false}\n    - loose.json: {cache: false}\n"
        "    - gone.json: {cache: false}\n  later:\n    cmd: y\n    outs: [z]\n"
    )
    lines = "".join(
        f"    - path: {path}\n      hash: md5\n      md5: {digits}\n"
        for path, digits in {
            "m.json": md5(b"{}"),
            "loose.json": md5(b"[]"),
            "gone.json": md5(b"?"),
            "model.bin": repository.put(b"model"),
        }.items()
    )
    (repository.root / "dvc.lock").write_text(f"schema: '2.0'\nstages:\n  s:\n    cmd: x\n    outs:\n{lines}")
    (repository.root / "m.json").write_text("{}")
    repository.git("add", "m.json")
    (repository.root / "loose.json").write_text("[]")
    imported = repository.take()
    assert imported.failure is None
    assert outcomes(imported) == {
        "gone.json": "unkept",
        "loose.json": "added",
        "m.json": "git",
        "model.bin": "added",
    }
    assert imported.never_ran == ("dvc.yaml:later",)
    assert set(repository.lock().paths) == {"loose.json", "model.bin"}


def test_a_damaged_object_is_refused_named_and_found_in_the_remote(repository: Repository) -> None:
    remote = repository.remote()
    digits = repository.track("a.bin", b"good")
    place = repository.cache / "files/md5" / digits[:2] / digits[2:]
    place.write_bytes(b"gooD")
    repository.put(b"good", where=remote)
    imported = repository.take()
    assert imported.failure is None
    assert [(item.at, item.md5, item.found, item.replaced) for item in imported.damaged] == [
        (str(place), digits, md5(b"gooD"), True)
    ]
    assert imported.fetched == 4
    assert repository.content("a.bin") == b"good"
    assert place.read_bytes() == b"gooD"


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_is_nowhere_leaves_the_lock_alone_and_is_named(repository: Repository, dry_run: bool) -> None:
    repository.remote()
    repository.track("good.bin", b"good")
    digits = repository.track("bad.bin", b"bad")
    (repository.cache / "files/md5" / digits[:2] / digits[2:]).write_bytes(b"worse")
    repository.describe("data", repository.put_list({"x": "1" * 32, "y": "1" * 32}))
    imported = repository.take(dry_run=dry_run)
    missing = {item.md5: (item.paths, item.looked) for item in imported.missing}
    assert missing == {
        digits: (("bad.bin",), ("cache", "work tree", "remote lab")),
        "1" * 32: (("data/x", "data/y"), ("cache", "work tree", "remote lab")),
    }
    assert not imported.damaged[0].replaced
    assert outcomes(imported) == {"bad.bin": "incomplete", "data": "incomplete", "good.bin": "added"}
    assert isinstance(imported.failure, NotFound)
    assert not (repository.top / "drystone.lock").exists()
    assert not (repository.top / ".gitignore").exists()


def test_a_missing_or_hostile_list_is_refused(repository: Repository) -> None:
    repository.describe("data", "2" * 32 + ".dir")
    assert repository.take().missing[0].md5 == "2" * 32 + ".dir"
    repository.describe("data", repository.put_list({"../escape": "1" * 32}))
    with pytest.raises(ProjectInvalid, match="the directory `data` cannot be imported"):
        repository.take()


def test_the_work_tree_stands_in_for_a_cache_that_lost_it(repository: Repository) -> None:
    repository.describe("a.bin", md5(b"kept"))
    (repository.root / "a.bin").write_bytes(b"kept")
    assert repository.take().failure is None
    assert repository.content("a.bin") == b"kept"
    repository.describe("a.bin", md5(b"other"))
    assert repository.take().failure is not None


def test_only_the_named_remote_is_asked(repository: Repository, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    repository.configure(
        f"['remote \"one\"']\nurl = {tmp_path / 'one'}\n['remote \"two\"']\nurl = {tmp_path / 'two'}\n"
        "['remote \"three\"']\nurl = ssh://host/x\n"
    )
    repository.describe("a.bin", repository.put(b"x", where=tmp_path / "two", legacy=True))
    lost = repository.take(remote="one")
    assert lost.missing[0].looked == ("cache", "work tree", "remote one")
    found = repository.take()
    assert found.failure is None
    assert found.skipped == ("remote three: `ssh://` cannot be read here",)


def test_a_repository_in_a_folder_and_one_inside_of_it(tmp_path: Path) -> None:
    outer = Repository(tmp_path / "project", folder="team")
    outer.track("a.bin", b"a")
    inner = Repository(tmp_path / "project", folder="team/inner")
    inner.track("b.bin", b"b")
    outer.commit()
    assert outcomes(outer.take()) == {"team/a.bin": "added"}
    assert outcomes(inner.take()) == {"team/inner/b.bin": "added"}
    assert set(outer.lock().paths) == {"team/a.bin", "team/inner/b.bin"}


def test_what_dvc_ignores_is_not_read(repository: Repository) -> None:
    repository.track("a.bin", b"a")
    (repository.root / "old").mkdir()
    (repository.root / "old" / "x.dvc").write_text("outs: [nonsense")
    (repository.root / ".dvcignore").write_text("/old\n")
    for _ in range(2):
        assert set(outcomes(repository.take())) == {"a.bin"}
        repository.git("add", "-A")  # ignored by DVC, whether git has it or not


def test_what_is_tracked_otherwise_is_a_conflict(repository: Repository) -> None:
    repository.track("a.bin", b"a")
    (repository.root / "a.bin").write_bytes(b"a")
    repository.git("add", "a.bin")
    with pytest.raises(Conflict, match="git tracks"):
        repository.take()
    repository.git("rm", "-q", "--cached", "a.bin")
    (repository.root / "again.dvc").write_text((repository.root / "a.bin.dvc").read_text())
    with pytest.raises(ProjectInvalid, match=r"two of DVC's files claim `a.bin`"):
        repository.take()


def test_a_pipe_in_the_cache_is_not_waited_for(repository: Repository) -> None:
    digits = md5(b"x")
    place = repository.cache / "files/md5" / digits[:2] / digits[2:]
    place.parent.mkdir(parents=True)
    os.mkfifo(place)
    repository.describe("a.bin", digits)
    assert repository.take().missing[0].looked[0] == "cache (it is not a file)"


def test_a_large_file_is_not_read_into_memory(repository: Repository) -> None:
    data = os.urandom(1 << 20) * 5 + b"tail"
    repository.track("large.bin", data)
    assert repository.take().failure is None
    assert repository.content("large.bin") == data


def test_without_a_dvc_repository_the_error_says_so(tmp_path: Path, repository: Repository) -> None:
    (repository.top / ".dvc" / "config").unlink()
    (repository.top / ".dvc" / ".gitignore").unlink()
    (repository.top / ".dvc").rmdir()
    with pytest.raises(NotFound, match="there is no DVC repository here"):
        repository.take()


def test_files_that_buckets_keep_in_versions_come_from_the_cache(repository: Repository) -> None:
    digits = repository.put(b"v1")
    (repository.root / "d.dvc").write_text(
        "outs:\n- files:\n"
        f"  - {{relpath: x, md5: {digits}, size: 2, cloud: {{lab: {{etag: e, version_id: v}}}}}}\n  path: d\n"
    )
    assert repository.take().failure is None
    assert repository.content("d") == {"x": b"v1"}


def test_an_output_that_was_never_recorded_is_told(repository: Repository) -> None:
    (repository.root / "d.dvc").write_text("outs:\n- hash: md5\n  path: d\n")
    assert outcomes(repository.take()) == {"d": "unrecorded"}


def test_old_commits_are_stored_each_with_its_lock(repository: Repository) -> None:
    for version in (b"one", b"two"):
        repository.track("a.bin", version)
        repository.track_folder("data", {"x": version, "same": b"same"})
        repository.commit(version.decode())
    repository.git("checkout", "-q", "-b", "side", "HEAD~1")
    repository.track("a.bin", b"side")
    side = repository.commit("side")
    repository.describe("a.bin", "3" * 32)
    repository.commit("lost")
    repository.git("checkout", "-q", "main")
    repository.git("merge", "-q", "-s", "ours", "side")
    assert repository.take().failure is None
    history = repository.take_history()
    assert len(history.commits) == 5  # the merge took back what the side had
    assert [item.md5 for item in history.missing] == ["3" * 32]
    store = repository.workspace().store
    folder = repository.top / ".drystone" / "imported"
    assert {path.stem for path in folder.iterdir()} == set(history.commits)
    locked = Lock.read(folder / f"{side}.lock").paths
    assert store.read(locked["a.bin"].object) == b"side"
    assert set(locked) == {"a.bin", "data"}
    assert repository.take_history() == history


def test_a_commit_that_cannot_be_understood_does_not_stop_the_others(repository: Repository) -> None:
    repository.track("a.bin", b"one")
    repository.commit()
    (repository.root / "bad.dvc").write_text("outs: {")
    broken = repository.commit("broken")
    (repository.root / "bad.dvc").unlink()
    repository.commit("mended")
    history = repository.take_history()
    assert list(history.unreadable) == [broken]
    assert len(history.commits) == 2


def test_a_remote_that_does_not_answer_is_told_as_such(repository: Repository) -> None:
    repository.configure("['remote \"s\"']\nurl = http://127.0.0.1:1/x\n")
    repository.describe("a.bin", md5(b"x"))
    imported = repository.take()
    assert set(imported.unreachable) == {"remote s"}
    assert isinstance(imported.failure, RemoteUnavailable)


def test_killed_in_the_middle_it_leaves_no_lock_and_can_be_run_again(repository: Repository) -> None:
    repository.track("a.bin", b"a")
    digits = md5(b"late")
    repository.describe("late.bin", digits)
    drystone = str(Path(sys.executable).parent / "drystone")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        port = server.getsockname()[1]
        repository.configure(f"['remote \"slow\"']\nurl = http://127.0.0.1:{port}/x\n")
        with subprocess.Popen([drystone, "import", "dvc"], cwd=repository.root) as process:
            server.accept()[0].close()  # it is asking the remote now
            process.kill()
    assert not (repository.top / "drystone.lock").exists()
    repository.put(b"late")
    done = subprocess.run([drystone, "import", "dvc"], cwd=repository.root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert set(repository.lock().paths) == {"a.bin", "late.bin"}


def test_what_is_read_is_told_and_what_is_known_is_not_read(repository: Repository) -> None:
    repository.track("a.bin", b"1" * 100)
    repository.track_folder("data", {"x": b"2" * 2000, "y": b"3"})
    told: list[int] = []
    import_dvc(repository.workspace(), repository.source(), progress=told.append)
    lists = sum(place.stat().st_size for place in repository.cache.rglob("*.dir"))
    assert (sum(told), lists > 0) == (2101 + lists, True)
    told.clear()
    import_dvc(repository.workspace(), repository.source(), progress=told.append)
    assert told == []
