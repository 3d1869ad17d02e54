"""What the faces hand to the pipeline: found out at the edge, a frozen value in here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec


class PipelineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How steps are run.

    Attributes:
        interpreter: the Python for `.py` steps when the root has no `.venv/bin/python`.
        variables: the user's environment; a step is given only those that `variables.py` lets through.
        passed: names, or beginnings of names ending in `*`, of further variables to let through.
            Their values are part of a step's trace.
        pure: steps that may speak to the network and still be reused.
        pid: this process, told to whoever finds the pipeline busy.
    """

    interpreter: Path
    variables: Mapping[str, str]
    passed: tuple[str, ...] = ()
    pure: frozenset[str] = frozenset()
    pid: int = 0
