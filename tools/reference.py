"""Writes `docs/reference/cli.md` from the parser; with --check only says whether it is up to date."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from drystone.cli import parse, verbs

TARGET = Path(__file__).parent.parent / "docs" / "reference" / "cli.md"


def reference() -> str:
    """The whole page."""
    parts = [
        "# Command line\n",
        "Made from the parser by `make format`; `make check` fails when it is out of date.\n",
        f"```\n{parse.overview()}\n```\n",
        "Data goes to standard output, everything else to standard error. Every verb takes `--json`.\n",
    ]
    for name in verbs.VERBS:
        parser = parse.verb_parser(name)
        parser.formatter_class = lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=100)
        parts.append(f"## drystone {name}\n\n```\n{parser.format_help().rstrip()}\n```\n")
    return "\n".join(parts)


def main() -> int:
    """Write the page, or compare it."""
    page = reference()
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(page)
        return 0
    if not TARGET.exists() or TARGET.read_text() != page:
        print(f"{TARGET.name} is out of date; run `make format`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
