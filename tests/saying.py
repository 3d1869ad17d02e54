"""What a verb says, run in this process."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import NamedTuple

from drystone.cli import parse
from drystone.cli.context import Context
from drystone.core.errors import DrystoneError


class Said(NamedTuple):
    """What a command said."""

    code: int
    out: str
    err: str


def said(cwd: Path, *words: str) -> Said:
    """Runs a verb in a folder."""
    out, err = io.StringIO(), io.StringIO()
    context = Context(cwd=cwd, environ=dict(os.environ), stdout=out, stderr=err, json="--json" in words)
    try:
        code = parse.dispatch(words, context)
    except DrystoneError as error:
        context.error(error)
        code = error.exit
    finally:
        context.close()
    return Said(code, out.getvalue(), err.getvalue())
