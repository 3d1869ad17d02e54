"""Writes `docs/reference/cli.md` from the parser; with --check only says whether it is up to date."""

from __future__ import annotations

import argparse

from generated import settle

from drystone.cli import parse, verbs


def reference() -> str:
    """The whole page."""
    parts = [
        "# Command line\n",
        "Made from the parser by `make format`; `make check` fails when it is out of date.\n",
        f"```\n{parse.overview()}\n```\n",
        "Data goes to standard output, everything else to standard error. Every verb takes `--json`.\n",
    ]
    for name in (*verbs.VERBS, *verbs.PLUMBING):
        if name == verbs.PLUMBING[0]:
            parts.append(
                "# Plumbing\n\nWhat git calls where `drystone init` told it to; not in `drystone --help`.\n"
            )
        parser = parse.verb_parser(name)
        parser.formatter_class = lambda prog: argparse.RawDescriptionHelpFormatter(prog, width=100)
        parts.append(f"## drystone {name}\n\n```\n{parser.format_help().rstrip()}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    raise SystemExit(settle("cli.md", reference()))
