"""Pages that are made from the code: written, or with --check only compared."""

from __future__ import annotations

import sys
from pathlib import Path

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"


def settle(name: str, page: str) -> int:
    """Write the page `docs/reference/NAME`, or say whether it is up to date; an exit code."""
    target = REFERENCE / name
    if "--check" not in sys.argv[1:]:
        target.write_text(page)
        return 0
    if not target.exists() or target.read_text() != page:
        print(f"{name} is out of date; run `make format`", file=sys.stderr)
        return 1
    return 0
