"""The README's console blocks are run, in one folder, in order, and print what they say they print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"

#: What differs from one run to the next, and what stands for it.
VARYING = (
    (r"\d+\.\d+ s\b", "SECONDS"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z( by \w+)?", "TIME"),
    (r"b3:[0-9a-f]{8}", "OBJECT"),
    (r"commit [0-9a-f]{7}", "COMMIT"),
    (r"\b[0-9a-f]{16}\b", "RUN"),
)


def _told(text: str) -> str:
    for pattern, word in VARYING:
        text = re.sub(pattern, word, text)
    return re.sub(r" +", " ", text).strip()


def _commands() -> list[tuple[str, str]]:
    """Every command of the README with what it prints: `$ ` begins one, `> ` continues it."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"```console\n(.*?)```", README.read_text(), flags=re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], ""))
            elif line == ">" or line.startswith("> "):
                found[-1] = (f"{found[-1][0]}\n{line[2:]}", "")
            else:
                found[-1] = (found[-1][0], f"{found[-1][1]}{line}\n")
    return found


def test_the_one_minute_of_the_readme_is_true(tmp_path: Path) -> None:
    commands = _commands()
    assert len(commands) > 10
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "init.defaultBranch",
        "GIT_CONFIG_VALUE_0": "main",
    }
    for command, expected in commands:
        ended = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (command, _told(ended.stdout)) == (command, _told(expected))
        assert ended.returncode == 0, ended.stdout
