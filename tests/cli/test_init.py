"""Git and Drystone together, as a team uses them: real git, real clones, the driver and hooks installed."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from drystone.workspace.githooks import HOOKS
from drystone.workspace.lockfile import Lock

Drystone = Callable[..., subprocess.CompletedProcess[str]]
Git = Callable[..., str]
Ended = subprocess.CompletedProcess[str]


def sh(folder: Path, *words: str) -> Ended:
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the tracked directory `data/images`, the driver installed, everything committed."""
    root = tmp_path_factory.mktemp("template")
    program = str(Path(sys.executable).parent / "drystone")
    for name in ("a", "b", "c"):
        write(root, name, "old")
    for words in (
        ("git", "init", "-q", "-b", "main"),
        (program, "add", "data/images"),
        (program, "init", "--merge-driver"),
        ("git", "add", "-A"),
        ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "images"),
    ):
        ended = sh(root, *words)
        assert ended.returncode == 0, ended.stderr
    return root


@pytest.fixture
def team(tmp_path: Path, template: Path) -> Path:
    """A copy of it, where `git` and `drystone` are called."""
    shutil.copytree(template, tmp_path, dirs_exist_ok=True, symlinks=True)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    place = root / "data" / "images" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def commit(root: Path, message: str) -> None:
    subprocess.run(["git", "add", "-A"], cwd=root, check=True)
    subprocess.run(["git", "commit", "-qm", message], cwd=root, check=True)


def present(root: Path) -> dict[str, str]:
    folder = root / "data" / "images"
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*")}


@pytest.fixture
def branch(team: Path, git: Git, drystone: Drystone) -> Callable[..., None]:
    """Makes a branch from the first state that changes files of the directory."""

    def make(name: str, **changes: str | None) -> None:
        git("checkout", "-q", "-B", name, "main")
        assert drystone("checkout", "--force").returncode == 0
        for file, text in changes.items():
            if text is None:
                (team / "data" / "images" / file).unlink()
            else:
                write(team, file, text)
        assert drystone("add", "data/images").returncode == 0
        commit(team, name)

    return make


def test_nothing_is_needed_and_init_says_so_and_does_nothing(
    repository: Path, git: Git, drystone: Drystone
) -> None:
    before = (git("config", "--local", "--list"), sorted((repository / ".git" / "hooks").iterdir()))
    said = drystone("init")
    assert said.returncode == 0
    assert "nothing else is needed" in said.stdout
    assert "drystone init --merge-driver" in said.stderr
    assert before == (git("config", "--local", "--list"), sorted((repository / ".git" / "hooks").iterdir()))
    assert git("status", "--porcelain") == ""
    found = json.loads(drystone("init", "--json").stdout)
    assert (found["merge_driver"], found["lock"]) == (False, False)
    assert {hook["state"] for hook in found["hooks"]} == {"absent"}


def test_without_git_the_error_tells_how_to_begin(tmp_path: Path, drystone: Drystone) -> None:
    said = drystone("init")
    assert said.returncode == 3
    assert "git init" in said.stderr


# merging


def test_different_files_of_one_directory_merge(
    team: Path, git: Git, drystone: Drystone, branch: Callable[..., None]
) -> None:
    branch("ours", a="ours", new="ours")
    branch("theirs", b="theirs", c=None)
    git("checkout", "-q", "ours")
    ended = sh(team, "git", "merge", "theirs", "-m", "merge")
    assert ended.returncode == 0, ended.stderr
    assert "merged the directory `data/images`" in ended.stderr
    assert drystone("checkout").returncode == 0
    assert present(team) == {"a": "ours", "b": "theirs", "new": "ours"}
    assert git("status", "--porcelain") == ""


def test_without_the_driver_git_reports_a_conflict_of_the_same_two_branches(
    team: Path, git: Git, drystone: Drystone, branch: Callable[..., None]
) -> None:
    branch("ours", a="ours")
    branch("theirs", b="theirs")
    git("checkout", "-q", "ours")
    git("config", "--remove-section", "merge.drystone")
    assert sh(team, "git", "merge", "theirs", "-m", "merge").returncode == 1
    assert "unresolved merge conflicts" in drystone("status").stderr


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_the_same_file_conflicts_and_either_line_has_all_that_merges(
    team: Path, git: Git, drystone: Drystone, branch: Callable[..., None], side: str
) -> None:
    branch("ours", a="mine", b="mine")
    branch("theirs", a="other one", c="other one")
    git("checkout", "-q", "ours")
    ended = sh(team, "git", "merge", "theirs", "-m", "merge")
    assert ended.returncode == 1
    assert "CONFLICT in `data/images/a`: ours b3:" in ended.stderr
    assert "drystone git-merge --ours" in ended.stderr
    assert git("diff", "--name-only", "--diff-filter=U") == "drystone.lock\n"
    refused = drystone("status")
    assert refused.returncode == 3
    assert "drystone git-merge --ours" in refused.stderr
    resolved = drystone("git-merge", f"--{side}", "data/images")
    assert (resolved.returncode, resolved.stdout) == (0, f"{side}  data/images\n")
    commit(team, "merged")
    assert drystone("checkout", "--force").returncode == 0
    assert present(team) == {
        "a": {"ours": "mine", "theirs": "other one"}[side],
        "b": "mine",
        "c": "other one",
    }


def test_a_merge_can_be_done_anew_from_both_sides(
    team: Path, git: Git, drystone: Drystone, branch: Callable[..., None]
) -> None:
    branch("ours", a="mine")
    branch("theirs", a="other", c="other")
    git("checkout", "-q", "ours")
    assert sh(team, "git", "merge", "theirs").returncode == 1
    first = (team / "drystone.lock").read_bytes()
    assert drystone("git-merge", "--ours").returncode == 0
    git("checkout", "--merge", "drystone.lock")
    assert (team / "drystone.lock").read_bytes() == first
    assert drystone("git-merge", "--ours", "data/nothing").returncode == 4
    assert (team / "drystone.lock").read_bytes() == first


def test_rebase_and_cherry_pick_merge_directories_too(
    team: Path, git: Git, drystone: Drystone, branch: Callable[..., None]
) -> None:
    branch("ours", a="ours")
    branch("theirs", b="theirs")
    branch("picked", c="picked")
    git("checkout", "-q", "ours")
    assert sh(team, "git", "rebase", "theirs").returncode == 0
    assert sh(team, "git", "cherry-pick", "picked").returncode == 0
    assert drystone("checkout").returncode == 0
    assert present(team) == {"a": "ours", "b": "theirs", "c": "picked"}


def test_an_octopus_that_touches_one_directory_is_gits_to_refuse(
    team: Path, git: Git, branch: Callable[..., None]
) -> None:
    branch("ours", a="ours")
    branch("theirs", b="theirs")
    branch("third", c="third")
    git("checkout", "-q", "ours")
    ended = sh(team, "git", "merge", "theirs", "third", "-m", "octopus")
    assert ended.returncode != 0
    assert "octopus" in ended.stdout + ended.stderr


def test_criss_cross_histories_merge_from_a_merged_ancestor(
    team: Path, git: Git, drystone: Drystone, branch: Callable[..., None]
) -> None:
    branch("one", a="one")
    branch("two", b="two")
    git("checkout", "-q", "-b", "left", "one")
    git("merge", "-q", "two", "-m", "left")
    git("checkout", "-q", "-b", "right", "two")
    git("merge", "-q", "one", "-m", "right")
    for name, file in (("left", "l"), ("right", "r")):
        git("checkout", "-q", name)
        assert drystone("checkout", "--force").returncode == 0
        write(team, file, name)
        assert drystone("add", "data/images").returncode == 0
        commit(team, name)
    assert sh(team, "git", "merge", "left", "-m", "both").returncode == 0
    assert drystone("checkout").returncode == 0
    assert present(team) == {"a": "one", "b": "two", "c": "old", "l": "left", "r": "right"}


def test_in_a_clone_without_the_objects_the_line_conflicts_and_the_hint_tells_how_to_fetch_them(
    team: Path, git: Git, drystone: Drystone, branch: Callable[..., None], tmp_path: Path
) -> None:
    branch("ours", a="ours")
    branch("theirs", b="theirs")
    clone = tmp_path / "clone"
    git("clone", "-q", "--branch", "ours", ".", str(clone))
    assert drystone("init", "--merge-driver", cwd=clone).returncode == 0
    ended = sh(clone, "git", "merge", "origin/theirs", "-m", "merge")
    assert ended.returncode == 1
    assert "`data/images` was changed on both sides and cannot be merged here" in ended.stderr
    assert "drystone pull" in ended.stderr
    assert (clone / "drystone.lock").read_text().count("<<<<<<<") == 1
    assert drystone("git-merge", "--theirs", cwd=clone).returncode == 0
    theirs = sh(clone, "git", "show", "origin/theirs:drystone.lock").stdout
    assert (clone / "drystone.lock").read_text() == theirs


def test_what_is_no_lock_is_merged_as_git_merges_text(team: Path, git: Git, drystone: Drystone) -> None:
    for name in ("ours", "theirs"):
        git("checkout", "-q", "-B", name, "main")
        (team / "drystone.lock").write_text(f"rubbish of {name}\n")
        commit(team, name)
    ended = sh(team, "git", "merge", "ours")
    assert ended.returncode == 1
    assert "cannot be understood" in ended.stderr
    assert "rubbish of ours" in (team / "drystone.lock").read_text()
    assert "<<<<<<<" in (team / "drystone.lock").read_text()


def test_a_driver_whose_drystone_is_gone_leaves_the_merge_to_git(
    team: Path, git: Git, branch: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    branch("ours", a="ours")
    branch("theirs", a="theirs")
    git("checkout", "-q", "ours")
    driver = git("config", "merge.drystone.driver").strip()
    interpreter = driver.split()[1]
    git("config", "merge.drystone.driver", driver.replace(interpreter, "/nowhere/python"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert sh(team, "git", "merge", "theirs").returncode == 1
    assert (team / "drystone.lock").read_text().count("<<<<<<< ours") == 1


def test_attributes_and_settings_of_others_are_kept(repository: Path, git: Git, drystone: Drystone) -> None:
    attributes = repository / ".gitattributes"
    attributes.write_text("*.lock -diff merge=union")
    assert drystone("init", "--merge-driver").returncode == 0
    assert attributes.read_text() == "*.lock -diff merge=union\ndrystone.lock merge=drystone\n"
    assert drystone("init", "--merge-driver").returncode == 0
    assert attributes.read_text().count("drystone") == 2
    assert drystone("init", "--remove").returncode == 0
    assert attributes.read_text() == "*.lock -diff merge=union\n"
    assert "drystone" not in git("config", "--local", "--list")
    git("config", "merge.drystone.driver", "mine %A")
    said = drystone("init", "--merge-driver")
    assert said.returncode == 5
    assert "git config --unset merge.drystone.driver" in said.stderr
    assert drystone("init", "--remove").returncode == 0
    assert git("config", "merge.drystone.driver") == "mine %A\n"


def test_a_killed_driver_leaves_a_whole_lock_and_a_second_try_merges(
    team: Path, git: Git, branch: Callable[..., None]
) -> None:
    branch("ours", a="ours", b=None)
    branch("theirs", c="theirs", d="new")
    git("checkout", "-q", "ours")
    before = (team / "drystone.lock").read_bytes()
    driver = git("config", "merge.drystone.driver").strip()
    start = time.monotonic()
    git("merge", "-q", "theirs", "-m", "merge")
    whole = time.monotonic() - start
    merged, after = git("rev-parse", "HEAD^{tree}"), (team / "drystone.lock").read_bytes()
    names = sorted(path.name for path in team.iterdir())
    digits = Lock.parse(after).paths["data/images"].object.removeprefix("b3:")
    listing = team / ".drystone" / "objects" / digits[:2] / digits[2:]
    killed = 0
    for share in range(16):
        git("reset", "-q", "--hard", "HEAD~1")
        listing.unlink()  # what a driver stores first
        script = f"timeout -s KILL {whole * share / 12 + 0.01:.3f} sh -c {shlex.quote(driver)} driver"
        git("config", "merge.drystone.driver", script)
        ended = sh(team, "git", "merge", "theirs", "-m", "merge")
        if ended.returncode:
            killed += 1
            assert Lock.read(team / "drystone.lock").encode() in (before, after)  # whole, whichever it is
            assert git("status", "--porcelain") in ("", "UU drystone.lock\n")
            assert not (team / ".git" / "index.lock").exists()
            assert sorted(path.name for path in team.iterdir()) == names
            git("config", "merge.drystone.driver", driver)
            if share % 2 or not (team / ".git" / "MERGE_HEAD").exists():
                sh(team, "git", "merge", "--abort")
                assert (team / "drystone.lock").read_bytes() == before
                git("merge", "-q", "theirs", "-m", "merge")
            else:
                git("checkout", "-q", "--merge", "drystone.lock")
                commit(team, "merge")
        assert git("rev-parse", "HEAD^{tree}") == merged
        assert listing.exists()
    assert 1 < killed < 16


# hooks


@pytest.fixture
def hooked(team: Path, drystone: Drystone) -> Path:
    assert drystone("init", "--hooks").returncode == 0
    return team


def test_switching_branches_brings_the_files_of_paths_that_nobody_changed(
    hooked: Path, git: Git, drystone: Drystone
) -> None:
    git("checkout", "-q", "-b", "new")
    write(hooked, "a", "new")
    assert drystone("add", "data/images").returncode == 0
    commit(hooked, "new")
    said = sh(hooked, "git", "checkout", "main")
    assert "drystone: checked out data/images" in said.stderr
    assert present(hooked)["a"] == "old"
    git("checkout", "-q", "new")
    assert present(hooked)["a"] == "new"
    write(hooked, "b", "at work")
    said = sh(hooked, "git", "checkout", "main")
    assert said.returncode == 0
    assert "`data/images` was left alone" in said.stderr
    assert present(hooked) == {"a": "new", "b": "at work", "c": "old"}


def _tracked_on_a_branch(hooked: Path, git: Git, drystone: Drystone, *paths: str) -> None:
    """Paths with one file each that only the branch `more` tracks; it is checked out."""
    git("checkout", "-q", "-b", "more")
    for path in paths:
        (hooked / path).mkdir(parents=True)
        (hooked / path / "x").write_text("x")
    assert drystone("add", *paths).returncode == 0
    commit(hooked, "more")


def test_what_only_the_commit_before_tracked_goes_and_comes_again(
    hooked: Path, git: Git, drystone: Drystone
) -> None:
    _tracked_on_a_branch(hooked, git, drystone, "data/deep/new", "models/m")
    said = sh(hooked, "git", "checkout", "main")
    assert "drystone: removed data/deep/new, models/m, not tracked in this commit" in said.stderr
    assert not (hooked / "data" / "deep").exists() and not (hooked / "models").exists()
    assert present(hooked) == {"a": "old", "b": "old", "c": "old"}
    git("checkout", "-q", "more")
    assert (hooked / "data" / "deep" / "new" / "x").read_text() == "x"
    git("checkout", "-q", "main")
    assert drystone("undo").returncode == 0
    assert (hooked / "models" / "m" / "x").read_text() == "x"
    git("rm", "-q", "drystone.lock")
    git("commit", "-qm", "nothing is tracked")
    assert present(hooked) != {}
    git("checkout", "-q", "HEAD~1")
    git("checkout", "-q", "main")
    assert not (hooked / "data").exists()


def test_what_was_changed_stays_and_what_the_store_lacks_is_stored_first(
    hooked: Path, git: Git, drystone: Drystone
) -> None:
    _tracked_on_a_branch(hooked, git, drystone, "data/mine", "data/lost")
    (hooked / "data" / "lost" / "x").write_text("only here")
    assert drystone("add", "data/lost").returncode == 0
    commit(hooked, "lost")
    (hooked / "data" / "mine" / "x").write_text("changed")
    for name in (hooked / ".drystone" / "objects").glob("??/*"):
        if name.read_bytes() == b"only here":
            name.unlink()
    said = sh(hooked, "git", "checkout", "main")
    assert said.returncode == 0
    assert "drystone: removed data/lost, not tracked in this commit" in said.stderr
    assert "`data/mine` was left alone, it has changes of its own" in said.stderr
    assert (hooked / "data" / "mine" / "x").read_text() == "changed"
    git("checkout", "-q", "more")
    assert (hooked / "data" / "lost" / "x").read_text() == "only here"


def test_what_git_tracks_now_and_what_was_untracked_without_a_commit_stays(
    hooked: Path, git: Git, drystone: Drystone
) -> None:
    _tracked_on_a_branch(hooked, git, drystone, "data/one", "data/two")
    git("checkout", "-q", "--detach")
    lock = hooked / "drystone.lock"
    lines = lock.read_text().splitlines(keepends=True)
    lock.write_text("".join(line for line in lines if "data/two" not in line))
    git("checkout", "-q", "-b", "another")
    assert (hooked / "data" / "two" / "x").exists()
    assert drystone("undo", "--list").stdout.count("checkout") == 0
    lock.write_text("".join(line for line in lines if "data/one" not in line))
    ignored = hooked / ".gitignore"
    ignored.write_text(ignored.read_text().replace("/data/one\n", ""))
    commit(hooked, "git has it")
    assert git("ls-files", "data").split() == ["data/one/x"]
    git("checkout", "-q", "more")
    git("checkout", "-q", "another")
    assert (hooked / "data" / "one" / "x").read_text() == "x"
    assert git("status", "--porcelain") == ""


def test_a_folder_tracked_as_a_whole_gives_way_to_its_parts_and_the_reverse(
    hooked: Path, git: Git, drystone: Drystone
) -> None:
    git("checkout", "-q", "-b", "parts")
    lock = hooked / "drystone.lock"
    lines = lock.read_text().splitlines(keepends=True)
    lock.write_text("".join(line for line in lines if "data/images" not in line))
    assert drystone("add", "data/images/a", "data/images/b").returncode == 0
    (hooked / "data" / "images" / "c").unlink()
    commit(hooked, "parts")
    assert sh(hooked, "git", "checkout", "main").returncode == 0
    assert present(hooked) == {"a": "old", "b": "old", "c": "old"}
    assert sh(hooked, "git", "checkout", "parts").returncode == 0
    assert present(hooked) == {"a": "old", "b": "old"}


def test_after_a_merge_and_after_a_rebase_the_files_are_there(
    hooked: Path, git: Git, branch: Callable[..., None]
) -> None:
    branch("ours", a="ours")
    branch("theirs", b="theirs")
    git("checkout", "-q", "ours")
    git("merge", "-q", "theirs", "-m", "merge")
    assert present(hooked) == {"a": "ours", "b": "theirs", "c": "old"}
    git("reset", "-q", "--hard", "ours~1")
    git("checkout", "-q", "theirs")
    branch("again", a="again")
    git("rebase", "-q", "theirs")
    assert present(hooked) == {"a": "again", "b": "theirs", "c": "old"}


def test_files_that_cannot_be_brought_are_named_and_git_goes_on(
    hooked: Path, git: Git, tmp_path: Path, drystone: Drystone
) -> None:
    clone = tmp_path / "clone"
    git("clone", "-q", ".", str(clone))
    assert drystone("init", "--hooks", cwd=clone).returncode == 0
    said = sh(clone, "git", "checkout", "-b", "other")
    assert said.returncode == 0
    said = sh(clone, "git", "checkout", "main")
    assert said.returncode == 0
    assert "cannot be checked out" not in said.stderr  # both have the same lock
    said = sh(clone, "git", "checkout", "--orphan", "empty")
    git_rm = sh(clone, "git", "rm", "-rfq", ".")
    assert git_rm.returncode == 0
    assert sh(clone, "git", "commit", "-q", "--allow-empty", "-m", "empty").returncode == 0
    said = sh(clone, "git", "checkout", "main")
    assert said.returncode == 0
    assert "`data/images` cannot be checked out" in said.stderr


def test_a_commit_that_forgets_changed_data_is_refused(hooked: Path, git: Git, drystone: Drystone) -> None:
    write(hooked, "a", "changed")
    (hooked / "code.py").write_text("1\n")
    git("add", "code.py")
    said = sh(hooked, "git", "commit", "-m", "code")
    assert said.returncode == 1
    assert "the lock does not know these changes yet: data/images" in said.stderr
    assert "drystone add data/images" in said.stderr
    assert sh(hooked, "git", "commit", "--no-verify", "-qm", "code").returncode == 0
    assert drystone("add", "data/images").returncode == 0
    (hooked / "code.py").write_text("2\n")
    said = sh(hooked, "git", "commit", "-m", "code", "code.py")
    assert said.returncode == 0
    assert "changes that are not in this commit" in said.stderr
    said = sh(hooked, "git", "commit", "-am", "data")
    assert said.returncode == 0
    assert "drystone" not in said.stderr


def test_a_lock_with_conflicts_is_not_committed(hooked: Path, git: Git, branch: Callable[..., None]) -> None:
    branch("ours", a="ours")
    branch("theirs", a="theirs")
    git("checkout", "-q", "ours")
    assert sh(hooked, "git", "merge", "theirs").returncode == 1
    git("add", "drystone.lock")
    said = sh(hooked, "git", "commit", "-m", "merged")
    assert said.returncode == 1
    assert "has conflicts" in said.stderr


def test_before_a_push_data_is_pushed_where_there_is_a_remote(
    repository: Path, said: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    import types

    from drystone.cli import verbs

    pushes: list[str] = []

    def push(arguments: object, context: object) -> int:
        pushes.append("push")
        return 6

    verb = types.SimpleNamespace(
        SUMMARY="s", EXAMPLE="drystone push", add_arguments=lambda parser: None, run=push
    )
    load = verbs.load
    monkeypatch.setattr(verbs, "VERBS", (*verbs.VERBS, "push"))
    monkeypatch.setattr(verbs, "load", lambda name: verb if name == "push" else load(name))
    assert said("git-hook", "pre-push", "origin", "url").code == 0  # type: ignore[attr-defined]
    assert pushes == []
    (repository / "drystone.toml").write_text('[remotes.lab]\nurl = "/lab"\n')
    assert said("git-hook", "pre-push", "origin", "url").code == 6  # type: ignore[attr-defined]
    assert pushes == ["push"]
    (repository / "drystone.toml").write_text("[remotes")
    assert said("git-hook", "pre-push", "origin", "url").code == 3  # type: ignore[attr-defined]


def _own_hook(root: Path, name: str, script: str) -> Path:
    hook = root / ".git" / "hooks" / name
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)
    return hook


def test_a_users_own_hook_runs_first_with_its_arguments_and_input_and_comes_back(
    team: Path, git: Git, drystone: Drystone, tmp_path: Path
) -> None:
    heard = tmp_path / "heard"
    checks = _own_hook(team, "pre-commit", "exit ${REFUSE:-0}")
    hears = _own_hook(team, "pre-push", f'echo "$1" > {heard}; cat >> {heard}')
    own = (checks.read_text(), hears.read_text())
    assert "runs yours first" in drystone("init", "--hooks").stdout
    assert sh(team, "env", "REFUSE=3", "git", "commit", "--allow-empty", "-m", "x").returncode == 1
    git("commit", "--allow-empty", "-qm", "x")
    bare = tmp_path / "bare"
    git("init", "-q", "--bare", str(bare))
    git("push", "-q", str(bare), "main")
    remote, line = heard.read_text().splitlines()
    assert remote == str(bare)
    assert line.startswith("refs/heads/main ")
    assert drystone("init", "--hooks").returncode == 0  # again: ours is renewed, theirs stays theirs
    assert drystone("init", "--remove").returncode == 0
    assert (checks.read_text(), hears.read_text()) == own
    assert not list((team / ".git" / "hooks").glob("*.before-drystone"))
    assert not (team / ".git" / "hooks" / "post-merge").exists()


def test_hooks_that_cannot_be_moved_aside_are_left_and_nothing_is_installed(
    team: Path, drystone: Drystone, tmp_path: Path
) -> None:
    hook = _own_hook(team, "pre-push", "true")
    target = hook.rename(tmp_path / "shared-hook")
    hook.symlink_to(target)
    said = drystone("init", "--hooks")
    assert said.returncode == 5
    assert 'drystone git-hook pre-push "$@"' in said.stderr
    assert hook.readlink() == target
    states = {item["name"]: item["state"] for item in json.loads(drystone("init", "--json").stdout)["hooks"]}
    assert states == {**dict.fromkeys(HOOKS, "absent"), "pre-push": "foreign"}


def test_hooks_shared_with_other_repositories_are_left_alone(
    team: Path, git: Git, drystone: Drystone, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    git("config", "core.hooksPath", str(shared))
    said = drystone("init", "--hooks")
    assert said.returncode == 5
    assert "core.hooksPath" in said.stderr
    assert list(shared.iterdir()) == []


def test_a_hook_of_ours_that_was_edited_is_not_thrown_away(hooked: Path, drystone: Drystone) -> None:
    hook = hooked / ".git" / "hooks" / "pre-commit"
    hook.write_text(hook.read_text() + "make lint\n")
    said = drystone("init", "--remove")
    assert said.returncode == 5
    assert f"rm {hook}" in said.stderr
    assert hook.exists()


def test_hooks_of_a_drystone_that_is_gone_say_so_and_stand_in_nobodys_way(
    hooked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in HOOKS:
        hook = hooked / ".git" / "hooks" / name
        lines = hook.read_text().splitlines(keepends=True)
        hook.write_text(
            "".join(["python=/nowhere\n" if line.startswith("python=") else line for line in lines])
        )
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    said = sh(hooked, "git", "commit", "--allow-empty", "-m", "x")
    assert said.returncode == 0
    assert "drystone is not installed here" in said.stderr


def test_everything_works_in_a_second_work_tree(
    hooked: Path, git: Git, drystone: Drystone, tmp_path: Path
) -> None:
    other = tmp_path / "second"
    assert sh(hooked, "git", "worktree", "add", "-q", "-b", "second", str(other)).returncode == 0
    assert json.loads(drystone("init", "--json", cwd=other).stdout)["merge_driver"] is True
    assert os.path.lexists(other / "drystone.lock")
