"""Generated programs, watched by strace and by the observer in one execution: they must agree.

strace tells results, the observer predicts them; strace prints real paths for descriptors (`-y`), the
observer resolves names itself. So agreement is no tautology.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drystone.pipeline.observer import observe

from .conftest import ENVIRONMENT, SYSTEM
from .seen import Seen

STRACE = shutil.which("strace")

FILES = ["a", "b", "d/a", "d/b", "d/e/a", "missing", "new", "d/new", "d/e/new", "nowhere/x"]
DIRECTORIES = ["d", "d/e", "f", "f/g"]

PROGRAM = """
import json, os, sys
def run(op, *names):
    if op == "open":
        name, mode = names
        with open(name, mode) as file:
            file.read(1) if "r" in mode else file.write("x")
    elif op == "touch": os.close(os.open(names[0], os.O_CREAT | os.O_RDONLY))
    elif op == "exclusive": os.close(os.open(names[0], os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    else: getattr(os, op)(*names)
for op in json.loads(sys.argv[1]):
    try: run(*op)
    except OSError: pass
"""

names = st.sampled_from(FILES)
folders = st.sampled_from(DIRECTORIES)
operations = st.one_of(
    st.tuples(st.just("open"), names, st.sampled_from(["r", "r", "w", "a", "r+"])),
    st.tuples(st.sampled_from(["touch", "exclusive", "stat", "lstat", "unlink"]), names),
    st.tuples(st.sampled_from(["mkdir", "rmdir", "listdir", "chdir", "stat"]), folders),
    st.tuples(st.sampled_from(["rename", "link"]), names, names),
    st.tuples(st.just("rename"), folders, folders),
    st.tuples(st.just("symlink"), st.sampled_from(["a", "b", "new", "missing"]), names),
    st.tuples(st.just("chdir"), st.just("..")),
)


@dataclass
class Told:
    """What strace said of the workspace, in relative names, by success and failure."""

    workspace: Path
    cwd: Path
    read: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    listed: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    linked: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)

    def name(self, path: str) -> str | None:
        """Directories are never links here, so what is above the last component can be taken as spelled."""
        whole = Path(os.path.normpath(self.cwd / path))
        inside = whole.is_relative_to(self.workspace) and whole != self.workspace
        return str(whole.relative_to(self.workspace)) if inside else None

    def add(self, target: set[str], path: str) -> None:
        if (name := self.name(path)) is not None:
            target.add(name)

    def line(self, line: str) -> None:
        match = re.match(r"(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)(?:<([^>]*)>)?(?: (\w+))?", line)
        if match is None:
            return
        call, arguments, result, opened, error = match.groups()
        # names as strings; directories of `…at` calls are all the current one
        paths = re.findall(r'"([^"]*)"', arguments)
        if error == "ENOENT" and call not in ("symlink", "readlink"):
            if call in ("stat", "lstat", "newfstatat", "openat", "chdir", "unlink", "rmdir"):
                self.add(self.missing, paths[0])
        elif int(result) >= 0:
            self.success(call, arguments, paths, opened)

    def success(self, call: str, arguments: str, paths: list[str], opened: str | None) -> None:
        if call == "chdir":
            self.cwd = Path(os.path.normpath(self.cwd / paths[0]))
        elif call == "openat" and opened is not None and "O_DIRECTORY" not in arguments:
            if "O_TRUNC" in arguments or "O_EXCL" in arguments:
                self.add(self.written, opened)
            elif "O_WRONLY" in arguments or "O_RDWR" in arguments:
                self.add(self.changed, opened)
            else:
                self.add(self.read, opened)
        elif call.startswith("getdents"):
            self.add(self.listed, re.findall(r"<([^>]*)>", arguments)[0])
        elif call in ("mkdir", "symlink"):
            self.add(self.written, paths[-1])
        elif call in ("unlink", "rmdir"):
            self.add(self.removed, paths[0])
        elif call == "rename" and self.name(paths[0]) != self.name(paths[1]):
            self.add(self.moved, paths[0])
            self.add(self.written, paths[1])
        elif call == "link" or call == "linkat":
            self.add(self.linked, paths[0])
            self.add(self.written, paths[1])


def prepare(workspace: Path) -> None:
    (workspace / "d" / "e").mkdir(parents=True)
    (workspace / "f").mkdir()
    for name in ("a", "b", "d/a", "d/e/a"):
        (workspace / name).write_text(name)


def below(names: set[str], tops: set[str]) -> set[str]:
    """Those of `names` that are one of `tops` or below one."""
    return {name for name in names if any(name == top or name.startswith(top + "/") for top in tops)}


@pytest.mark.skipif(STRACE is None, reason="needs strace")
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)
@given(st.lists(operations, min_size=5, max_size=25))
def test_the_observer_agrees_with_strace(steps: list[tuple[str, ...]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        workspace = Path(directory).resolve() / "workspace"
        prepare(workspace)
        log = workspace.parent / "strace"
        watched = [sys.executable, "-I", "-S", "-c", PROGRAM, json.dumps(steps)]
        command = [
            str(STRACE),
            "-f",
            "-y",
            "-qq",
            "-s",
            "9999",
            "-e",
            "trace=%file,getdents64",
            "-o",
            str(log),
            *watched,
        ]
        seen = Seen(
            observe(command, cwd=workspace, env=ENVIRONMENT, root=workspace, output=None, ignore=SYSTEM),
            b"",
            workspace,
        )
        assert (seen.all.exit_code, seen.all.label) == (0, "proven")
        told = Told(workspace, workspace)
        for line in log.read_text().splitlines():
            told.line(line)
        compare(seen, told)


def compare(seen: Seen, told: Told) -> None:
    own = seen.writes
    # nothing that happened is missing
    assert told.read | told.changed | told.linked <= seen.reads | own
    assert told.written | told.changed <= own
    assert told.removed | told.moved <= seen.removed | own
    # a name may be missing because a directory above it is
    assert told.missing <= own | below(told.missing, seen.absent | seen.removed)
    assert told.listed <= seen.listed | own
    # nothing was made up: what is recorded as written, read or removed, was
    assert own <= told.written | told.changed | told.read | below(own, told.written)
    assert seen.removed <= told.removed | below(seen.removed, told.moved)
    assert seen.reads <= told.read | told.changed | told.linked | below(seen.reads, told.moved)
    assert seen.listed <= told.listed
