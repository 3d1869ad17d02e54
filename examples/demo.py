"""The whole cycle on real data: `make demo`.

Copies `examples/flights` into a fresh git repository and goes from raw data to a monitored model,
one command at a time. Every line that begins with `$` was really run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent


class Demo:
    """Runs commands in the demo's folder and shows them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "DRYSTONE_"))},
            "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
            "VIRTUAL_ENV": str(BIN.parent),
            **{f"GIT_{role}_NAME": "Ada" for role in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{role}_EMAIL": "ada@example.org" for role in ("AUTHOR", "COMMITTER")},
        }
        self.bold = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def say(self, text: str) -> None:
        """A sentence between commands."""
        print(f"\n\033[1m# {text}\033[0m" if self.bold else f"\n# {text}", flush=True)

    def run(self, *words: str, expect: int = 0, lines: int | None = None) -> str:
        """Show and run one command; stop the demo unless it exits with `expect`.

        Args:
            words: the command.
            expect: the exit code it must have.
            lines: show at most so many lines of what it prints.

        Returns:
            what it printed.
        """
        print(f"$ {' '.join(_quoted(words))}", flush=True)
        began = time.monotonic()
        ended = subprocess.run(
            words,
            cwd=self.folder,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        shown = ended.stdout.splitlines()
        for line in shown[:lines]:
            print(f"  {line}")
        if lines is not None and len(shown) > lines:
            print(f"  ... {len(shown) - lines} more lines")
        print(f"  ({time.monotonic() - began:.1f} s)", flush=True)
        if ended.returncode != expect:
            sys.exit(f"error: `{' '.join(words)}` exited with {ended.returncode}, not {expect}")
        return ended.stdout

    def quiet(self, *words: str) -> str:
        """Run a command that is not part of the story."""
        return subprocess.run(
            words, cwd=self.folder, env=self.environ, check=True, capture_output=True, text=True
        ).stdout

    def edit(self, name: str, old: str, new: str) -> None:
        """Change one thing in a file, and show it."""
        path = self.folder / name
        text = path.read_text()
        if text.count(old) != 1:
            sys.exit(f"error: `{old}` is not once in {name}")
        path.write_text(text.replace(old, new))
        print(f"$ sed -i 's/{old}/{new}/' {name}")


def _quoted(words: Sequence[str]) -> list[str]:
    return [f"'{word}'" if " " in word else word for word in words]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def prepare(folder: Path) -> Demo:
    """A fresh git repository with the example in it."""
    shutil.copytree(
        HERE / "flights",
        folder,
        ignore=shutil.ignore_patterns(".drystone", "data", "models", "labels", "__pycache__"),
    )
    demo = Demo(folder)
    demo.quiet("git", "init", "-q", "-b", "main")
    demo.quiet("git", "add", "-A")
    demo.quiet("git", "commit", "-q", "-m", "Will a flight arrive late?")
    return demo


def build(demo: Demo) -> None:
    """From raw data to two versions of a model."""
    demo.say("an ordinary git repository: steps, features, checks, parameters; nothing configured")
    demo.run("git", "ls-files")
    demo.say("run every step: nobody declared what reads what, it is observed")
    demo.run("drystone", "run")
    demo.quiet("git", "add", "-A")
    demo.quiet("git", "commit", "-q", "-m", "First model")
    demo.say("again: nothing changed, nothing runs")
    demo.run("drystone", "run")
    demo.say("change one parameter: only what depends on it runs")
    demo.edit("params.toml", *CHANGE)
    demo.run("drystone", "run")
    demo.run("drystone", "why", "train", lines=14)
    demo.say("what that did, against the last commit")
    demo.run("drystone", "diff")
    demo.quiet("git", "commit", "-q", "-a", "-m", "More trees")


def release(demo: Demo) -> None:
    """From a version to the champion, through its gate."""
    demo.say("check data and model; verdicts are kept as evidence, measures with their 95 % interval")
    demo.run("drystone", "test", "model:late-arrival@v1", expect=1)
    demo.run("drystone", "test")
    demo.say("the gate of `champion` demands that evidence: version 1 is refused, version 2 passes")
    demo.run("drystone", "promote", "model:late-arrival@v1", "champion", expect=1)
    demo.run("drystone", "promote", "model:late-arrival@v2", "champion")


def operate(demo: Demo, months: str) -> None:
    """Serve, watch, and trace one prediction back."""
    port = free_port()
    demo.say("serve the champion, and send it the flights from April on, in time order, over HTTP")
    print(f"$ drystone serve model:late-arrival@champion --port {port} &", flush=True)
    server = subprocess.Popen(
        ["drystone", "serve", "model:late-arrival@champion", "--port", str(port)],
        cwd=demo.folder,
        env=demo.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        print(f"  {server.stdout.readline().rstrip()}")
        demo.run("python", "traffic.py", f"http://127.0.0.1:{port}", "--months", months)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)
    demo.say("each month's verdict, inputs and answers against March; it exits with 1, since months failed")
    demo.run("drystone", "monitor", "late-arrival", expect=1)
    demo.say("any one prediction, back to its data")
    demo.run("drystone", "why", demo.quiet("python", "traffic.py", "--example").strip())


#: What the demo changes in params.toml.
CHANGE = ("iterations = 10", "iterations = 200")


def main() -> int:
    """Run the story."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to put the project (a new temporary folder)")
    parser.add_argument("--months", default="2013-04..2013-12", help="which months to serve")
    arguments = parser.parse_args()
    folder = arguments.folder or Path(tempfile.mkdtemp(prefix="drystone-demo-")) / "flights"
    began = time.monotonic()
    demo = prepare(folder.absolute())
    build(demo)
    release(demo)
    operate(demo, arguments.months)
    demo.say(f"that took {time.monotonic() - began:.0f} seconds; see it in the browser:")
    print(f"$ cd {demo.folder} && {BIN / 'drystone'} ui", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
