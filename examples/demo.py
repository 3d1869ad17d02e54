"""The whole cycle on real data: `make demo`.

Copies `examples/flights` into a fresh git repository and goes from raw data to a monitored model,
one command at a time. Every line that begins with `$` was really run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
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
            words, cwd=self.folder, env=self.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
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
