from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from drystone.core.errors import NotARepository, NotFound, ProjectInvalid
from drystone.workspace.git import Change, Commit, Git, State

Run = Callable[..., str]

ODD = "new\nline \udcff ü*?[.txt"


@pytest.fixture
def commit(root: Path, sh: Run) -> str:
    (root / "a.txt").write_text("one\n")
    (root / "below").mkdir()
    (root / "below" / "b.bin").write_bytes(bytes(range(256)))
    sh("add", ".")
    sh("commit", "-qm", "First stones")
    return sh("rev-parse", "HEAD").strip()


def apply(patch: bytes, sh: Run, root: Path, tmp_path: Path, base: str | None) -> Path:
    """The work tree that a patch makes of a fresh clone."""
    clone = tmp_path / "clone"
    sh("clone", "-q", "--no-local", str(root), str(clone), at=tmp_path)
    if base:
        sh("checkout", "-q", base, at=clone)
    if patch:
        subprocess.run(["git", "apply", "--binary"], cwd=clone, input=patch, check=True)
    return clone


def files(root: Path) -> dict[str, bytes | str]:
    return {
        str(path.relative_to(root)): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in root.rglob("*")
        if ".git" not in path.parts and (path.is_symlink() or path.is_file())
    }


class TestDiscovery:
    def test_the_top_is_found_from_below(self, root: Path) -> None:
        (root / "a" / "b").mkdir(parents=True)
        assert Git.discover(root / "a" / "b").root == root

    def test_a_folder_without_repository_is_refused_with_a_hint(self, tmp_path: Path) -> None:
        with pytest.raises(NotARepository, match="not a git repository") as caught:
            Git.discover(tmp_path)
        assert caught.value.hints == ("make it one with `git init`",)

    def test_a_folder_that_is_not_there_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(NotARepository):
            Git.discover(tmp_path / "nowhere")

    def test_a_bare_repository_is_refused(self, tmp_path: Path, sh: Run) -> None:
        sh("init", "-q", "--bare", str(tmp_path / "bare"), at=tmp_path)
        with pytest.raises(NotARepository):
            Git.discover(tmp_path / "bare")

    def test_a_symlink_to_the_project_gives_the_real_place(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(root)
        assert Git.discover(tmp_path / "link").root == root

    def test_a_worktree_is_a_root_of_its_own(self, root: Path, tmp_path: Path, sh: Run, commit: str) -> None:
        sh("worktree", "add", "-q", "-b", "other", str(tmp_path / "tree"))
        found = Git.discover(tmp_path / "tree")
        assert found.root == (tmp_path / "tree").resolve()
        assert found.state() == State(commit, "other", False)
        (found.root / "a.txt").write_text("two\n")
        assert b"+two" in found.changes().patch

    def test_a_submodule_is_a_root_of_its_own(self, root: Path, tmp_path: Path, sh: Run, commit: str) -> None:
        outer = tmp_path / "outer"
        sh("init", "-q", str(outer), at=tmp_path)
        sh("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(root), "inner", at=outer)
        found = Git.discover(outer / "inner")
        assert found.root == (outer / "inner").resolve()
        (found.root / "new").write_text("new\n")
        assert b"+new" in found.changes().patch
        sh("commit", "-qm", "outer", at=outer)
        assert b"new" not in Git.discover(outer).changes().patch

    def test_variables_of_a_hook_do_not_lead_elsewhere(
        self, root: Path, tmp_path: Path, sh: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sh("init", "-q", str(tmp_path / "other"), at=tmp_path)
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
        monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
        monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "elsewhere"))
        assert Git.discover(root).root == root
        assert Git(root).tracked() == []

    def test_a_root_whose_name_ends_in_odd_characters_is_found(self, tmp_path: Path, sh: Run) -> None:
        place = tmp_path / " odd:\"name\\' \n"
        place.mkdir()
        sh("init", "-q", at=place)
        found = Git.discover(place)
        assert found.root == place.resolve()
        (place / "file").write_text("text\n")
        sh("add", ".", at=place)
        sh("commit", "-qm", "odd", at=place)
        (place / "file").write_text("other\n")
        assert b"+other" in found.changes().patch

    def test_without_git_the_error_says_what_to_install(
        self, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(ProjectInvalid, match="no `git` command"):
            Git.discover(root)


class TestState:
    def test_a_repository_without_commits(self, git: Git, root: Path) -> None:
        assert git.state() == State(None, "main", False)
        assert (git.head(), git.branch(), git.is_dirty()) == (None, "main", False)
        (root / "new").write_text("")
        assert git.is_dirty()
        assert git.author_of("new") is None

    def test_a_clean_commit(self, git: Git, commit: str) -> None:
        assert git.state() == State(commit, "main", False)
        assert (git.head(), git.branch(), git.is_dirty()) == (commit, "main", False)

    def test_a_detached_head_has_no_branch(self, git: Git, commit: str, sh: Run) -> None:
        sh("checkout", "-q", "--detach")
        assert git.state() == State(commit, None, False)
        assert git.branch() is None

    @pytest.mark.parametrize("how", ["edited", "staged", "untracked", "deleted"])
    def test_any_uncommitted_change_is_dirt(
        self, git: Git, root: Path, sh: Run, commit: str, how: str
    ) -> None:
        if how == "untracked":
            (root / "new").write_text("")
        elif how == "deleted":
            (root / "a.txt").unlink()
        else:
            (root / "a.txt").write_text("two\n")
        if how == "staged":
            sh("add", ".")
        assert git.is_dirty()

    def test_untracked_files_are_dirt_even_if_the_user_does_not_list_them(
        self, git: Git, root: Path, sh: Run, commit: str
    ) -> None:
        sh("config", "status.showUntrackedFiles", "no")
        (root / "new").write_text("")
        assert git.is_dirty()

    def test_ignored_files_are_no_dirt(self, git: Git, root: Path, sh: Run, commit: str) -> None:
        (root / ".gitignore").write_text("data/\n")
        sh("add", ".")
        sh("commit", "-qm", "ignore")
        (root / "data").mkdir()
        (root / "data" / "x").write_text("")
        assert not git.is_dirty()

    def test_asking_does_not_write_to_the_repository(self, git: Git, root: Path, commit: str) -> None:
        os.utime(root / "a.txt", (1, 1))  # a plain `git status` would refresh the index
        before = (root / ".git" / "index").stat()
        git.state()
        git.changes()
        after = (root / ".git" / "index").stat()
        assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


class TestQuestions:
    def test_show_gives_a_file_as_it_was(self, git: Git, root: Path, commit: str) -> None:
        (root / "a.txt").write_text("two\n")
        assert git.show("HEAD", "a.txt") == b"one\n"
        assert git.show("main", "below/b.bin") == bytes(range(256))
        assert git.show("HEAD", "nothing") is None
        assert git.show("HEAD", "below") is None

    @pytest.mark.parametrize("revision", ["nope", "--all", "", "HEAD~9"])
    def test_an_unknown_revision_is_not_found(self, git: Git, commit: str, revision: str) -> None:
        with pytest.raises(NotFound, match="no git revision"):
            git.show(revision, "a.txt")

    def test_tracked_paths_and_folders_are_told_apart(
        self, git: Git, root: Path, sh: Run, commit: str
    ) -> None:
        (root / ODD).write_text("")
        (root / "new").write_text("")
        sh("add", "--", ODD)
        asked = ["a.txt", "below", "below/b.bin", "new", "*", ODD, "bel"]
        assert git.is_tracked(asked) == {"a.txt", "below", "below/b.bin", ODD}
        assert git.is_tracked([]) == set()
        assert git.is_tracked(f"n{number}" for number in range(2000)) == set()

    def test_ignored_paths_are_known(self, git: Git, root: Path, commit: str) -> None:
        (root / ".gitignore").write_text("*.log\n/data/*\na.txt\n")
        assert git.is_ignored(["x.log", "data/x", "kept", "a.txt", "odd\n.log"]) == {
            "x.log",
            "data/x",
            "odd\n.log",
        }
        assert git.is_ignored([]) == set()

    def test_what_changed_between_revisions(self, git: Git, root: Path, sh: Run, commit: str) -> None:
        (root / "a.txt").write_text("two\n")
        (root / "below" / "b.bin").unlink()
        (root / "below" / ODD).write_text("")
        sh("add", "-A")
        sh("commit", "-qm", "second")
        changes = git.changed_between("HEAD~1", "HEAD")
        assert changes == [Change("M", "a.txt"), Change("D", "below/b.bin"), Change("A", f"below/{ODD}")]
        assert git.changed_between("HEAD~1", "HEAD", "a.txt") == [Change("M", "a.txt")]
        assert git.changed_between("HEAD", "HEAD") == []

    def test_the_author_of_a_path_is_who_last_touched_it(
        self, git: Git, root: Path, sh: Run, commit: str
    ) -> None:
        (root / "below" / "c").write_text("")
        sh("add", ".")
        sh("commit", "-qm", "Second course", "--author", "Brünhild <b@example.org>")
        assert git.author_of("a.txt") == Commit(commit, "Ada", "First stones")
        assert git.author_of("below") == Commit(git.head() or "", "Brünhild", "Second course")
        assert git.author_of("nothing") is None


class TestChanges:
    def test_no_changes_are_an_empty_patch(self, git: Git, commit: str) -> None:
        assert git.changes() == (b"", ())

    def test_everything_uncommitted_is_in_the_patch(
        self, git: Git, root: Path, sh: Run, commit: str, tmp_path: Path
    ) -> None:
        (root / ".gitignore").write_text("ignored\n")
        (root / "ignored").write_text("ignored")
        (root / "a.txt").write_text("staged\n")
        sh("add", "a.txt")
        (root / "a.txt").write_text("staged, then edited, without newline at the end")
        (root / "below" / "b.bin").write_bytes(os.urandom(500))
        (root / "below" / "tool").write_text("#!/bin/sh\n")
        (root / "below" / "tool").chmod(0o755)
        (root / ODD).write_bytes(b"\r\n\xff\0")
        (root / "link").symlink_to("a.txt")
        (root / "empty").write_text("")
        (root / "intended").write_text("intended\n")
        sh("add", "--intent-to-add", "intended")
        before = sh("status", "--porcelain=v2"), (root / ".git" / "index").read_bytes()
        objects = set((root / ".git" / "objects").rglob("*"))
        patch, skipped = git.changes()
        assert skipped == ()
        assert (sh("status", "--porcelain=v2"), (root / ".git" / "index").read_bytes()) == before
        assert set((root / ".git" / "objects").rglob("*")) == objects
        clone = apply(patch, sh, root, tmp_path, commit)
        expected = files(root)
        del expected["ignored"]
        assert files(clone) == expected
        assert os.access(clone / "below" / "tool", os.X_OK)

    def test_deletions_and_renames_are_in_the_patch(
        self, git: Git, root: Path, sh: Run, commit: str, tmp_path: Path
    ) -> None:
        (root / "a.txt").rename(root / "c.txt")
        sh("rm", "-q", "below/b.bin")
        clone = apply(git.changes().patch, sh, root, tmp_path, commit)
        assert files(clone) == {"c.txt": b"one\n"}

    def test_a_file_that_became_a_folder_and_the_reverse_are_in_the_patch(
        self, git: Git, root: Path, sh: Run, commit: str, tmp_path: Path
    ) -> None:
        (root / "a.txt").unlink()
        (root / "a.txt").mkdir()
        (root / "a.txt" / "inside").write_text("inside\n")
        shutil.rmtree(root / "below")
        (root / "below").write_text("a file\n")
        clone = apply(git.changes().patch, sh, root, tmp_path, commit)
        assert files(clone) == files(root)

    def test_the_users_diff_settings_do_not_change_the_patch(
        self, git: Git, root: Path, sh: Run, commit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for setting in (
            "diff.noprefix=true",
            "diff.mnemonicPrefix=true",
            "color.ui=always",
            "diff.context=0",
            "diff.external=false",
            "diff.own.command=false",
            "diff.own.textconv=false",
        ):
            sh("config", *setting.split("="))
        (root / ".git" / "info" / "attributes").write_text("*.txt diff=own\n")
        (root / "a.txt").write_text("".join(f"{line}\n" for line in range(50)))
        sh("commit", "-qam", "longer")
        (root / "a.txt").write_text("".join(f"{line}\n" for line in range(50) if line != 20))
        with monkeypatch.context() as changed:
            changed.setenv("GIT_EXTERNAL_DIFF", "false")
            changed.setenv("GIT_DIFF_OPTS", "--unified=0")
            patch = git.changes().patch
        clone = apply(patch, sh, root, tmp_path, git.head())
        assert (clone / "a.txt").read_bytes() == (root / "a.txt").read_bytes()

    def test_a_repository_without_commits_has_a_patch_against_nothing(
        self, git: Git, root: Path, sh: Run, tmp_path: Path
    ) -> None:
        (root / "a").write_text("staged\n")
        sh("add", "a")
        (root / "b").write_text("untracked\n")
        fresh = tmp_path / "fresh"
        sh("init", "-q", str(fresh), at=tmp_path)
        subprocess.run(["git", "apply"], cwd=fresh, input=git.changes().patch, check=True)
        assert files(fresh) == {"a": b"staged\n", "b": b"untracked\n"}

    def test_large_untracked_files_and_embedded_repositories_are_named_not_included(
        self, git: Git, root: Path, sh: Run, commit: str
    ) -> None:
        (root / "large").write_bytes(bytes(1001))
        (root / "small").write_bytes(bytes(1000))
        sh("init", "-q", str(root / "inner"))
        (root / "inner" / "x").write_text("x")
        patch, skipped = git.changes(large=1000)
        assert skipped == ("inner/", "large")
        assert b"small" in patch
        assert b"large" not in patch

    def test_a_merge_in_conflict_is_captured_as_it_stands(
        self, git: Git, root: Path, sh: Run, commit: str, tmp_path: Path
    ) -> None:
        sh("checkout", "-qb", "other")
        (root / "a.txt").write_text("theirs\n")
        sh("commit", "-qam", "theirs")
        sh("checkout", "-q", "main")
        (root / "a.txt").write_text("ours\n")
        sh("commit", "-qam", "ours")
        subprocess.run(["git", "merge", "other"], cwd=root, capture_output=True)
        clone = apply(git.changes().patch, sh, root, tmp_path, git.head())
        assert (clone / "a.txt").read_bytes() == (root / "a.txt").read_bytes()
        assert b"<<<<<<<" in (clone / "a.txt").read_bytes()

    def test_a_root_without_an_index_has_changes_too(
        self, git: Git, root: Path, sh: Run, commit: str
    ) -> None:
        shutil.copy(root / ".git" / "index", root / ".git" / "kept")
        (root / ".git" / "index").unlink()
        assert b"deleted" not in git.changes().patch
