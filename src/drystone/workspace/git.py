"""What git knows about a repository, asked of the git command; only `configure` changes anything."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from drystone.core.errors import NotARepository, NotFound, ProjectInvalid
from drystone.workspace.gitcommand import GitCommand, run_git, said, split

#: Untracked files above this size are left out of `Git.changes`.
LARGE = 10_000_000
_ARGUMENTS = 500  # paths per command line, far below the kernel's limit
_LITERAL = ("--literal-pathspecs",)


class Commit(NamedTuple):
    """A commit in short: its id, who wrote it and the first line of what they said."""

    commit: str
    author: str
    subject: str


class Change(NamedTuple):
    """A path that differs: `status` is git's letter, A added, D deleted, M modified, T of another type."""

    status: str
    path: str


class State(NamedTuple):
    """HEAD's commit (None before the first), the branch (None when detached), and uncommitted changes."""

    commit: str | None
    branch: str | None
    dirty: bool


class Changes(NamedTuple):
    """Uncommitted changes: a patch that `git apply` takes, and the untracked files that are not in it."""

    patch: bytes
    skipped: tuple[str, ...]


class Git(GitCommand):
    """One git work tree. Paths given and returned are posix, relative to `root`.

    Args:
        root: the top of the work tree, absolute, without symlinks.
    """

    @classmethod
    def discover(cls, start: Path) -> Git:
        """The work tree that holds `start`.

        Raises:
            NotARepository: there is none.
            ProjectInvalid: there is no git command, or git refuses to work there.
        """
        if not start.is_dir():
            raise NotARepository(f"no such folder: `{start}`")
        answer = run_git(start, ["rev-parse", "--show-toplevel"])
        if answer.returncode == 0:
            return cls(Path(os.fsdecode(answer.stdout.removesuffix(b"\n"))))
        words = said(answer)
        if "not a git repository" in words or "must be run in a work tree" in words:
            raise NotARepository(
                "this is not a git repository",
                at=str(start),
                hints=["make it one with `git init`"],
            )
        raise ProjectInvalid("git refuses to work here", at=str(start), because=words)

    def head(self) -> str | None:
        """The commit of HEAD, None in a repository without commits."""
        answer = self._ask(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], allowed=(0, 1))
        return answer.stdout.decode().strip() or None

    def branch(self) -> str | None:
        """The branch, None when HEAD is detached."""
        answer = self._ask(["symbolic-ref", "--quiet", "--short", "HEAD"], allowed=(0, 1))
        return os.fsdecode(answer.stdout).strip() or None

    def state(self) -> State:
        """Commit, branch and dirtiness by one command."""
        commit, branch, dirty = None, None, False
        for line in split(
            self._out(["status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal"])
        ):
            word, _, rest = line.partition(" ")
            if word != "#":
                dirty = True
                break
            key, _, value = rest.partition(" ")
            if key == "branch.oid":
                commit = None if value == "(initial)" else value
            elif key == "branch.head":
                branch = None if value == "(detached)" else value
        return State(commit, branch, dirty)

    def is_dirty(self) -> bool:
        """Whether tracked files differ from HEAD or there are untracked files that are not ignored."""
        return self.state().dirty

    def resolve(self, revision: str) -> str:
        """The commit that a revision names.

        Raises:
            NotFound: none.
        """
        if not revision.startswith("-"):
            answer = self._ask(
                ["rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"], allowed=(0, 1, 128)
            )
            if answer.returncode == 0:
                return answer.stdout.decode().strip()
        raise NotFound(
            f"no git revision named `{revision}`",
            at=str(self.root),
            hints=["list recent commits with `git log --oneline`"],
        )

    def show(self, revision: str, path: str) -> bytes | None:
        """The content of a file at a revision, None where the revision has no such file.

        Raises:
            NotFound: no such revision.
        """
        name = f"{self.resolve(revision)}:{path}"
        answer = self._ask(["cat-file", "blob", name], allowed=(0, 128))
        return answer.stdout if answer.returncode == 0 else None

    def files_at(self, revision: str) -> dict[str, str]:
        """The git blob of each file at a revision; submodules are left out.

        Raises:
            NotFound: no such revision.
        """
        listed = split(self._out(["ls-tree", "-r", "-z", self.resolve(revision)]))
        parts = (line.partition("\t") for line in listed)
        return {path: about.split()[2] for about, _, path in parts if about.split()[1] == "blob"}

    def blobs(self, names: Sequence[str]) -> dict[str, bytes]:
        """The bytes of git blobs by their names, all by one command."""
        output = self._out(["cat-file", "--batch"], stdin="".join(f"{name}\n" for name in names).encode())
        found: dict[str, bytes] = {}
        position = 0
        for name in names:
            end = output.index(b"\n", position)
            start, size = end + 1, int(output[position:end].split()[2])
            found[name] = output[start : start + size]
            position = start + size + 1
        return found

    def commits_touching(self, patterns: Sequence[str]) -> list[str]:
        """Commits of any ref that changed a path matching one of git's path patterns, the newest first."""
        options = ["--all", "--full-history", "--format=%H", "--no-show-signature"]
        return self._out(["log", *options, "--", *patterns]).decode().split()

    def staged(self, path: str, index: str | None = None) -> bytes | None:
        """The content of a file in the index, None where the index has no such file, or has it in conflict.

        Args:
            path: the file.
            index: the index that a hook was given (`GIT_INDEX_FILE`); None is the repository's own.
        """
        extra = {"GIT_INDEX_FILE": index} if index else None
        answer = self._ask(["cat-file", "blob", f":{path}"], allowed=(0, 128), extra=extra)
        return answer.stdout if answer.returncode == 0 else None

    def folder(self, name: str) -> Path:
        """Where git keeps `name` (such as `hooks`), with regard to its configuration."""
        answer = self._out(["rev-parse", "--git-path", name])
        return self.root / os.fsdecode(answer.removesuffix(b"\n"))

    def common_folder(self) -> Path:
        """The folder `.git` of the clone, which all its work trees share."""
        answer = self._out(["rev-parse", "--git-common-dir"])
        return self.root / os.fsdecode(answer.removesuffix(b"\n"))

    def configuration(self, key: str) -> str | None:
        """What this clone's own configuration says, None where it says nothing."""
        answer = self._ask(["config", "--local", "--get", key], allowed=(0, 1))
        return os.fsdecode(answer.stdout.removesuffix(b"\n")) if answer.returncode == 0 else None

    def configure(self, key: str, value: str | None) -> None:
        """Sets a key of this clone's configuration, or removes it where `value` is None."""
        words = ["--unset-all", key] if value is None else [key, value]
        self._ask(["config", "--local", *words], allowed=(0, 5))

    def attribute(self, name: str, path: str) -> str:
        """The value of an attribute of a path, `unspecified` where it has none."""
        answer = self._out(["check-attr", "-z", name, "--", path])
        return split(answer)[2]

    def merge_text(self, ours: Path, base: Path, theirs: Path) -> bool:
        """Merges line by line into the file `ours`, as git does by itself; gives whether it is clean."""
        labels = [word for label in ("ours", "base", "theirs") for word in ("-L", label)]
        files = [str(path) for path in (ours, base, theirs)]
        answer = self._ask(["merge-file", *labels, *files], allowed=range(128))
        return answer.returncode == 0

    def tracked(self) -> list[str]:
        """All paths in the index."""
        return split(self._out(["ls-files", "-z"]))

    def untracked(self) -> list[str]:
        """All files that are neither in the index nor ignored; an embedded repository ends with `/`."""
        return split(self._out(["ls-files", "-z", "--others", "--exclude-standard"]))

    def is_tracked(self, paths: Iterable[str]) -> set[str]:
        """Those of `paths` that the index holds, or, of a folder, holds something in."""
        asked = list(paths)
        found: set[str] = set()
        for start in range(0, len(asked), _ARGUMENTS):
            some = asked[start : start + _ARGUMENTS]
            for path in split(self._out([*_LITERAL, "ls-files", "-z", "--", *some])):
                found.add(path)
                while path := path.rpartition("/")[0]:
                    found.add(path)
        return found.intersection(asked)

    def excluded_by(self, name: str) -> set[str]:
        """All files, in the index or not, that files called `name`, written as a `.gitignore` is, exclude."""
        options = ["-z", "--ignored", f"--exclude-per-directory={name}"]
        return {
            path
            for kind in ("--cached", "--others")
            for path in split(self._out(["ls-files", kind, *options]))
        }

    def is_ignored(self, paths: Iterable[str]) -> set[str]:
        """Those of `paths` that git ignores; a path in the index is not ignored."""
        # one that begins with `:` would be a pattern of git's
        asked = b"".join(b"./" + os.fsencode(path) + b"\0" for path in paths)
        if not asked:
            return set()
        answer = self._ask(["check-ignore", "-z", "--stdin"], allowed=(0, 1), stdin=asked)
        return {path.removeprefix("./") for path in split(answer.stdout)}

    def changed_between(self, old: str, new: str, path: str = "") -> list[Change]:
        """What differs between two revisions, at or below `path`, sorted by path.

        Raises:
            NotFound: no such revision.
        """
        options = ["-r", "-z", "--no-renames", "--name-status"]
        revisions = [self.resolve(old), self.resolve(new)]
        where = [path] if path else []
        fields = split(self._out([*_LITERAL, "diff-tree", *options, *revisions, "--", *where]))
        return [Change(*pair) for pair in zip(fields[::2], fields[1::2], strict=True)]

    def author_of(self, path: str) -> Commit | None:
        """The last commit of HEAD's history that touched `path`, None if none did."""
        options = ["-1", "--no-show-signature", "--format=%H%x00%an%x00%s"]
        answer = self._ask([*_LITERAL, "log", *options, "--", path], allowed=(0, 128))
        fields = os.fsdecode(answer.stdout.removesuffix(b"\n")).split("\0")
        return Commit(*fields) if len(fields) == 3 else None

    def every_version(self, path: str) -> Iterator[tuple[str, bytes]]:
        """Each content that a file has in the index or had in any commit that git still knows a way to.

        Those are the commits that branches, tags, stashes and reflogs lead to, of all work trees. Each
        content comes once, with one of its commits (`index` for the index).

        Raises:
            ProjectInvalid: git cannot tell, e.g. because its repository is damaged.
        """
        found: dict[str, str] = {}
        for staged in split(self._out([*_LITERAL, "ls-files", "-z", "--stage", "--", path])):
            found.setdefault(staged.split()[1], "index")
        commits = self._out(["rev-list", "--all", "--reflog", "--full-history", "--", path])
        options = ["--stdin", "-r", "-m", "--root", "--raw", "--no-renames", "--no-abbrev"]
        commit, before = "", set()
        for line in self._out([*_LITERAL, "diff-tree", *options, "--", path], stdin=commits).splitlines():
            if line.startswith(b":"):
                _, _, old, new, *_ = line.decode(errors="replace").split()
                before.add(old)
                found.setdefault(new, commit)
            else:
                commit = line.split()[0].decode()
        # what is beyond the end of a shallow clone
        found |= dict.fromkeys(before - found.keys(), "unknown")
        blobs = [blob for blob in found if blob.strip("0")]
        answer = io.BytesIO(
            self._out(["cat-file", "--batch"], stdin="".join(f"{b}\n" for b in blobs).encode())
        )
        for blob in blobs:
            header = answer.readline().split()
            if header[1:2] == [b"blob"]:
                yield found[blob], answer.read(int(header[2]))
                answer.read(1)

    def work_trees(self) -> list[Path]:
        """The tops of all work trees of this repository that are there, this one first."""
        common = self.root / os.fsdecode(self._out(["rev-parse", "--git-common-dir"]).removesuffix(b"\n"))
        marks = [common, *(Path(mark.read_text().rstrip("\n")) for mark in common.glob("worktrees/*/gitdir"))]
        tops = [self.root, *(mark.parent for mark in marks if mark.name == ".git")]
        return list(dict.fromkeys(top.resolve() for top in tops if top.is_dir()))

    def changes(self, *, large: int = LARGE) -> Changes:
        """All uncommitted changes, staged, unstaged and untracked, as one binary patch against HEAD.

        It is made with an index and an object folder of its own, so the user's stay as they are. Not in
        it are ignored files, untracked files of more than `large` bytes, unreadable ones and embedded
        repositories; all but the ignored are named in `skipped`.

        Args:
            large: bytes.
        """
        import tempfile  # 5 ms that other questions need not pay

        skipped: list[str] = []
        wanted: list[str] = []
        for path in self.untracked():
            fits = not path.endswith("/") and _is_readable(self.root / path, large)
            (wanted if fits else skipped).append(path)
        with tempfile.TemporaryDirectory(prefix="drystone-") as folder:
            private = self._private_index(Path(folder))
            # What is gone goes first: git takes no file where it still knows a folder, nor the reverse.
            wanted = split(self._out(["diff-files", "-z", "--name-only"], extra=private)) + wanted
            names = b"".join(os.fsencode(path) + b"\0" for path in wanted)
            self._out(["update-index", "--add", "--remove", "-z", "--stdin"], stdin=names, extra=private)
            base = self.head() or self._out(["hash-object", "-t", "tree", "/dev/null"]).decode().strip()
            # plumbing: what the user configured for `git diff` does not change its output
            patch = self._out(["diff-index", "--cached", "--binary", base, "--"], extra=private)
        return Changes(patch, tuple(skipped))

    def _private_index(self, folder: Path) -> dict[str, str]:
        """Environment under which git writes to `folder` and reads the repository's index and objects."""
        names = self._out(["rev-parse", "--git-path", "index", "--git-path", "objects"])
        index, objects = (self.root / os.fsdecode(name) for name in names.splitlines())
        private = folder / "index"
        if index.exists():
            status = index.stat()
            private.write_bytes(index.read_bytes())
            os.utime(private, ns=(status.st_atime_ns, status.st_mtime_ns))  # else git would read every file
        (folder / "objects").mkdir()
        quoted = os.fspath(objects).replace("\\", "\\\\").replace('"', '\\"')
        return {
            "GIT_INDEX_FILE": str(private),
            "GIT_OBJECT_DIRECTORY": str(folder / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": f'"{quoted}"',
        }


def _is_readable(path: Path, large: int) -> bool:
    try:
        return path.is_symlink() or (path.lstat().st_size <= large and os.access(path, os.R_OK))
    except OSError:
        return False
