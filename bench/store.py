"""Versioning data: every row of the table of figures, against `dvc`, `git`, `cp -r` and `cp` with `sync`.

All sides work on the same tree, on the same disk, in one run. The S3 server is `rclone serve s3`, whose
log gives the requests of both sides. `dvc[s3]` is installed in `.venv-peers/dvc` at the root of the
repository; where that fails, its side is left out, and said so.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
PEER = "dvc[s3]==3.67.1"
DVC = ROOT / ".venv-peers" / "dvc" / "bin" / "dvc"
MB = 1 << 20
_REQUEST = re.compile(rb"serve s3: (?!bucketname|Listed|No auth)")
ENVIRON = {
    **os.environ,
    "GIT_CONFIG_GLOBAL": os.devnull,
    **{f"GIT_{role}_NAME": "Ada" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_EMAIL": "ada@example.org" for role in ("AUTHOR", "COMMITTER")},
    "AWS_ACCESS_KEY_ID": "ada",
    "AWS_SECRET_ACCESS_KEY": "lovelace",
    "AWS_DEFAULT_REGION": "us-east-1",
    "DVC_NO_ANALYTICS": "1",
}


class Took(NamedTuple):
    """Wall seconds of a command and the most memory that it, or one it started, had resident.

    The kernel counts this process's own memory before the command is loaded, so it is kept small here.
    """

    wall: float
    peak_mb: float
    out: str = ""


def run(*words: object, cwd: Path) -> Took:
    with tempfile.TemporaryFile() as out:
        began = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in words], cwd=cwd, env=ENVIRON, stdout=out, stderr=out
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read().decode(errors="replace")
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, words))} failed:\n{said}")
    return Took(wall, usage.ru_maxrss / 1024, said)


def drystone(*words: object, cwd: Path) -> Took:
    return run(BIN / "drystone", *words, cwd=cwd)


def dvc(*words: object, cwd: Path) -> Took:
    return run(DVC, *words, cwd=cwd)


def repository(at: Path, *, peer: bool = False) -> Path:
    at.mkdir(parents=True)
    run("git", "init", "-q", "-b", "main", cwd=at)
    if peer:
        dvc("init", "-q", cwd=at)
    run("git", "commit", "-q", "--allow-empty", "-m", "begin", cwd=at)
    return at


def small_files(folder: Path, number: int, size: int) -> None:
    """Files that do not compress, a hundred to a folder."""
    source = random.Random(0)
    for index in range(number):
        if index % 100 == 0:
            home = folder / f"{index // 100:05}"
            home.mkdir(parents=True)
        (home / f"{index:07}").write_bytes(source.randbytes(size))


def large_file(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    source = random.Random(1)
    with path.open("wb") as file:
        for _ in range(size // MB):
            file.write(source.randbytes(MB))


class Server:
    """`rclone serve s3` on a folder; counts requests by its log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "s3"
        (self.folder / "bench").mkdir(parents=True)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._log = (folder / "s3.log").open("wb+")
        command = [BIN / "rclone", "serve", "s3", "-vv", "--addr", self.url.removeprefix("http://")]
        words = [*map(str, command), "--auth-key", "ada,lovelace", str(self.folder)]
        self._process = subprocess.Popen(words, stdout=self._log, stderr=self._log)
        self._at = 0
        while b"Starting s3 server" not in Path(self._log.name).read_bytes():
            if self._process.poll() is not None:
                raise SystemExit("rclone does not start")

    def requests(self) -> int:
        """How many there were since this was asked last."""
        with Path(self._log.name).open("rb") as file:
            file.seek(self._at)
            found = sum(1 for line in file if _REQUEST.search(line))
            self._at = file.tell()
        return found

    def size(self) -> int:
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    serving = Server(folder)
    try:
        yield serving
    finally:
        serving.close()


class Figures:
    """The table as it is found, and which goals were missed."""

    def __init__(self) -> None:
        self.missed: list[str] = []
        self._worst_mb = 0.0

    def head(self, what: str) -> None:
        print(f"\n{what}", flush=True)

    def side(self, who: str, took: Took, more: str = "") -> None:
        print(f"  {who:26}{took.wall:9.2f} s {took.peak_mb:8.0f} MB  {more}", flush=True)
        if who.startswith("drystone"):
            self._worst_mb = max(self._worst_mb, took.peak_mb)

    def goal(self, what: str, found: float, limit: float, *, at_least: bool) -> None:
        met = found >= limit if at_least else found <= limit
        sign = ">=" if at_least else "<="
        print(f"  {what}: {found:.3g} (goal {sign} {limit:g}){'' if met else '  MISSED'}", flush=True)
        if not met:
            self.missed.append(what)

    def memory(self) -> None:
        self.head("memory, the most of all rows but the million files")
        self.goal("drystone, MB", self._worst_mb, 200, at_least=False)


def synced(*words: object, cwd: Path) -> Took:
    """A command and the wait until the disk has all of it."""
    return run("sh", "-c", '"$@" && sync', "sh", *words, cwd=cwd)


def many_files(work: Path, sizes: argparse.Namespace, figures: Figures, peer: bool) -> None:
    tree = work / "tree"
    small_files(tree, sizes.files, sizes.size)
    ours = repository(work / "ours")
    shutil.copytree(tree, ours / "data")
    os.sync()
    figures.head(f"add {sizes.files:,} files of {sizes.size:,} bytes")
    added = drystone("add", "data", cwd=ours)
    copied = run("cp", "-r", tree, work / "copy", cwd=work)
    figures.side("drystone add", added)
    figures.side("cp -r", copied)
    figures.side("cp -r, sync", synced("cp", "-r", tree, work / "copy2", cwd=work))
    theirs = repository(work / "git")
    shutil.copytree(tree, theirs / "data")
    figures.side("git add", run("git", "add", "data", cwd=theirs))
    if peer:
        other = repository(work / "dvc", peer=True)
        shutil.copytree(tree, other / "data")
        took = dvc("add", "-q", "data", cwd=other)
        figures.side("dvc add", took)
        figures.goal("dvc / drystone", took.wall / added.wall, 10, at_least=True)
    figures.goal("drystone / cp -r", added.wall / copied.wall, 1, at_least=False)

    figures.head("status, nothing changed")
    drystone("status", cwd=ours)
    status = drystone("status", cwd=ours)
    figures.side("drystone status", status)
    run("git", "commit", "-qm", "data", cwd=theirs)
    figures.side("git status", run("git", "status", "--short", cwd=theirs))
    if peer:
        dvc("status", "-q", cwd=other)
        took = dvc("status", "-q", cwd=other)
        figures.side("dvc status", took)
        figures.goal("dvc / drystone", took.wall / status.wall, 10, at_least=True)

    # Put aside, not deleted: ext4 keeps away from inodes deleted in the last minutes, and creating a file
    # looks past all of them, which would take either side longer than all that is to be compared.
    figures.head("checkout of all of them")
    (ours / "data").rename(work / "ours-aside")
    out = drystone("checkout", cwd=ours)
    figures.side("drystone checkout", out)
    (theirs / "data").rename(work / "theirs-aside")
    figures.side("git checkout", run("git", "checkout", "-q", "--", "data", cwd=theirs))
    if peer:
        (other / "data").rename(work / "other-aside")
        took = dvc("checkout", "-q", cwd=other)
        figures.side("dvc checkout", took)
        figures.goal("dvc / drystone", took.wall / out.wall, 5, at_least=True)
    travel(work, sizes, figures, peer)


def travel(work: Path, sizes: argparse.Namespace, figures: Figures, peer: bool) -> None:
    figures.head(f"push, then pull of {sizes.files:,} files, to S3")
    with server(work) as s3:
        ours = work / "ours"
        drystone("remote", "add", "lab", "s3://bench/ours", "--endpoint", s3.url, cwd=ours)
        run("git", "add", "drystone.toml", "drystone.lock", ".gitignore", cwd=ours)
        run("git", "commit", "-qm", "data", cwd=ours)
        s3.requests()
        walls = asked = 0.0
        for what in ("push", "pull"):
            if what == "pull":
                run("git", "clone", "-q", ours, work / "ours2", cwd=work)
                ours = work / "ours2"
            took, count = drystone(what, "--json", cwd=ours), s3.requests()
            traffic = json.loads(took.out)["traffic"]
            bytes_ = traffic["sent"] + traffic["received"]
            figures.side(f"drystone {what}", took, f"{count:,} requests, {bytes_:,} bytes")
            walls, asked = walls + took.wall, asked + count
        if not peer:
            return
        other, before = work / "dvc", s3.size()
        dvc("remote", "add", "-d", "lab", "s3://bench/dvc", cwd=other)
        dvc("remote", "modify", "lab", "endpointurl", s3.url, cwd=other)
        run("git", "add", "-A", cwd=other)
        run("git", "commit", "-qm", "data", cwd=other)
        their_walls = their_asked = 0.0
        for what in ("push", "pull"):
            if what == "pull":
                run("git", "clone", "-q", other, work / "dvc2", cwd=work)
                other = work / "dvc2"
            took, count = dvc(what, "-q", cwd=other), s3.requests()
            figures.side(f"dvc {what}", took, f"{count:,} requests, {s3.size() - before:,} bytes")
            their_walls, their_asked = their_walls + took.wall, their_asked + count
        figures.goal("dvc / drystone, seconds", their_walls / walls, 10, at_least=True)
        figures.goal("dvc / drystone, requests", their_asked / asked, 100, at_least=True)


def rounds(ours: Path, work: Path, number: int) -> tuple[Took, Took]:
    """`cp` with `sync` and `drystone add` in turn, each first in every second round; the medians.

    Rented disks write fast for a second or two and then slowly: which of the two comes first must not count.
    """

    def copy() -> Took:
        (work / "copy.bin").unlink(missing_ok=True)
        os.sync()
        return synced("cp", ours / "model.bin", work / "copy.bin", cwd=work)

    def add() -> Took:
        shutil.rmtree(ours / ".drystone", ignore_errors=True)
        (ours / "drystone.lock").unlink(missing_ok=True)
        os.sync()
        return drystone("add", "model.bin", cwd=ours)

    took: dict[Callable[[], Took], list[Took]] = {copy: [], add: []}
    for turn in range(number):
        for work_ in (copy, add) if turn % 2 else (add, copy):
            took[work_].append(work_())
    medians = [sorted(found, key=lambda one: one.wall)[number // 2] for found in took.values()]
    if not (ours / ".drystone").exists():
        raise SystemExit("nothing was added")
    return medians[0], medians[1]


def one_large(work: Path, sizes: argparse.Namespace, figures: Figures, peer: bool) -> None:
    ours = repository(work / "ours")
    large_file(ours / "model.bin", sizes.large * MB)
    os.sync()
    run("cp", ours / "model.bin", "/dev/null", cwd=work)  # warm for all
    figures.head(f"add one file of {sizes.large:,} MiB")
    copied, added = rounds(ours, work, sizes.rounds)
    figures.side("drystone add, median", added)
    figures.side("cp, sync, median", copied)
    if peer:
        other = repository(work / "dvc", peer=True)
        shutil.copy(ours / "model.bin", other / "model.bin")
        figures.side("dvc add", dvc("add", "-q", "model.bin", cwd=other))
    figures.goal("drystone / cp and sync", added.wall / copied.wall, 1.2, at_least=False)

    figures.head(f"push and pull after {sizes.insert:,} bytes were inserted in its middle")
    with server(work) as s3:
        drystone("remote", "add", "lab", "s3://bench/ours", "--endpoint", s3.url, cwd=ours)
        run("git", "add", "-A", cwd=ours)
        run("git", "commit", "-qm", "first", cwd=ours)
        figures.side("drystone push, the first", drystone("push", cwd=ours))
        run("git", "clone", "-q", ours, work / "ours2", cwd=work)
        figures.side("drystone pull, the first", drystone("pull", cwd=work / "ours2"))
        insert(ours / "model.bin", sizes.insert)
        size = (ours / "model.bin").stat().st_size
        drystone("add", "model.bin", cwd=ours)
        run("git", "commit", "-qam", "second", cwd=ours)
        run("git", "pull", "-q", cwd=work / "ours2")
        for what, where in (("push", ours), ("pull", work / "ours2")):
            took = drystone(what, "--json", cwd=where)
            traffic = json.loads(took.out)["traffic"]
            moved = traffic["sent"] + traffic["received"]
            figures.side(f"drystone {what}", took, f"{traffic['requests']:,} requests, {moved:,} bytes")
            figures.goal(f"{what}, % of the file", 100 * moved / size, 2, at_least=False)
        run("cmp", ours / "model.bin", work / "ours2" / "model.bin", cwd=work)
        if peer:
            dvc("remote", "add", "-d", "lab", "s3://bench/dvc", cwd=other)
            dvc("remote", "modify", "lab", "endpointurl", s3.url, cwd=other)
            dvc("push", "-q", cwd=other)
            before = s3.size()
            shutil.copy(ours / "model.bin", other / "model.bin")
            dvc("add", "-q", "model.bin", cwd=other)
            took = dvc("push", "-q", cwd=other)
            figures.side("dvc push", took, f"{s3.size() - before:,} bytes")


def insert(path: Path, size: int) -> None:
    middle = path.stat().st_size // 2 // MB * MB
    old = path.rename(path.with_name("old.bin"))
    with old.open("rb") as source, path.open("wb") as target:
        while source.tell() < middle:
            target.write(source.read(MB))
        target.write(random.Random(2).randbytes(size))
        shutil.copyfileobj(source, target, MB)
    old.unlink()


def one_of_many(work: Path, sizes: argparse.Namespace, figures: Figures, _peer: bool) -> None:
    ours = repository(work / "ours")
    small_files(ours / "data", sizes.many, 64)
    drystone("add", "data", cwd=ours)
    os.sync()
    figures.head(f"one file changed among {sizes.many:,}: add, then status")
    (ours / "data" / "00000" / "0000042").write_bytes(b"changed")
    added, status = drystone("add", "data", cwd=ours), drystone("status", cwd=ours)
    for who, took in (("add", added), ("status", status)):
        print(f"  drystone {who:17}{took.wall:9.2f} s {took.peak_mb:8.0f} MB")
    figures.goal("add and status, s", added.wall + status.wall, 3, at_least=False)
    figures.goal("MB", max(added.peak_mb, status.peak_mb), 500, at_least=False)


ROWS: dict[str, Callable[[Path, argparse.Namespace, Figures, bool], None]] = {
    "many": many_files,
    "large": one_large,
    "million": one_of_many,
}


def install_peer() -> bool:
    """Whether `dvc` with what it needs for S3 is here, after it was installed if need be."""
    python = DVC.parent / "python"
    if python.exists():
        found = subprocess.run([python, "-c", "import dvc_s3"], capture_output=True)
        if found.returncode == 0:
            return True
    print(f"installing {PEER} in .venv-peers/dvc ...", flush=True)
    subprocess.run([sys.executable, "-m", "venv", DVC.parent.parent], check=True)
    words = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PEER]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        print(f"no dvc here, its side is left out: {done.stderr.strip().splitlines()[-1:]}")
    return done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"{', '.join(ROWS)} (all)")
    parser.add_argument("--files", type=int, default=50_000, help="small files (50000)")
    parser.add_argument("--size", type=int, default=4096, help="bytes of each (4096)")
    parser.add_argument("--large", type=int, default=1024, help="MiB of the large file (1024)")
    parser.add_argument("--insert", type=int, default=MB, help="bytes inserted in it (1048576)")
    parser.add_argument("--rounds", type=int, default=5, help="of adding and copying the large file (5)")
    parser.add_argument("--many", type=int, default=1_000_000, help="files of which one changes (1000000)")
    parser.add_argument("--small", action="store_true", help="a quick look: 2000 files, 64 MiB, 20000 files")
    parser.add_argument("--folder", type=Path, help="where to work (the system's temporary folder)")
    sizes = parser.parse_args()
    if sizes.small:
        sizes.files, sizes.large, sizes.insert, sizes.many = 2000, 64, MB // 16, 20_000
    # as pip leaves an installed package
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(ROOT / "src")], check=True)
    peer = install_peer()
    figures = Figures()
    for name in sizes.rows or ROWS:
        with tempfile.TemporaryDirectory(dir=sizes.folder, prefix="drystone-bench-") as work:
            ROWS[name](Path(work), sizes, figures, peer)
    figures.memory()
    print(f"\n{'missed: ' + ', '.join(figures.missed) if figures.missed else 'every goal was met'}")
    return 1 if figures.missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
