"""Makes an observed Python fast: see `startup/sitecustomize.py`, which it is given to run first."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from drystone.pipeline.observer.record import Scope

STARTUP = Path(__file__).with_name("startup")
_PYTHON = re.compile(r"python[0-9.]*")


def hastened(command: Sequence[str], env: Mapping[str, str], scope: Scope) -> dict[str, str]:
    """The environment for an observed `command`.

    Python gets two variables, which its start-up takes away again before the program runs. Every other
    command, and a Python told to ignore such variables, gets exactly `env`.
    """
    if not _PYTHON.fullmatch(Path(command[0]).name) or _is_isolated(command[1:]):
        return dict(env)
    path = [str(STARTUP), *filter(None, [env.get("PYTHONPATH")])]
    unseen = (os.fsdecode(prefix) for prefix in scope.dropped if os.pathsep.encode() not in prefix)
    return {**env, "PYTHONPATH": os.pathsep.join(path), "DRYSTONE_UNSEEN": os.pathsep.join(unseen)}


def _is_isolated(arguments: Sequence[str]) -> bool:
    """Whether an option before the program is -I, -E or -S, alone or in a cluster."""
    words = iter(arguments)
    for word in words:
        if not word.startswith("-") or word in ("-", "--") or word.startswith(("-c", "-m")):
            return False
        if word in ("-W", "-X", "--check-hash-based-pycs"):
            next(words, None)
        elif not word.startswith(("--", "-W", "-X")) and set(word) & set("IES"):
            return True
    return False
