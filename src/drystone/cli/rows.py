"""`drystone get --rows`: some rows of a Parquet file, of which no more is fetched than holds them."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from drystone.cli.context import Context

if TYPE_CHECKING:
    from pathlib import Path

    from drystone.project.lazyfile import LazyFile
    from drystone.workspace.workspace import Workspace


def give(arguments: Namespace, context: Context, lazy: LazyFile, home: Workspace | None) -> int:
    """Give the rows that `--rows` names: to a file, or as CSV or a document to standard output.

    Args:
        arguments: of `get`.
        context: of this process.
        lazy: the file.
        home: the work tree in which a file that is replaced is stored first.
    """
    from drystone.project.lazyfile import buffered
    from drystone.project.rows import Rows, form_of, parse_range

    wanted = parse_range(arguments.rows)
    place = None if arguments.output in (None, "-") else context.cwd / arguments.output
    if place is not None:
        form_of(place)
    with buffered(lazy) as file:
        rows = Rows(file, wanted, lazy.name)
        if place is None and context.json_mode:
            context.json({"reference": lazy.name, "total": rows.total, "rows": rows.documents()})
        elif place is None:
            context.flush()
            rows.write(sys.stdout.buffer, "csv")
        else:
            done, replaced = rows.write_file(place, force=arguments.force, home=home, dry_run=context.dry_run)
            if context.json_mode:
                told = {"reference": lazy.name, "path": str(place), "total": rows.total}
                aside = str(replaced.aside) if replaced.aside else None
                context.json({**told, "written": done, "aside": aside, "dry_run": context.dry_run})
            else:
                written = context.words("written", "write")
                context.out(f"{written}  {arguments.output}  {done:,} of {rows.total:,} rows")
                tell_aside(replaced.aside, context)
                context.untouched()
    if wanted.stop is not None and wanted.stop > rows.total and not context.json_mode:
        context.note(f"note: `{lazy.name}` has only {rows.total:,} rows")
    return 0


def tell_aside(aside: Path | None, context: Context) -> None:
    """Say where what was replaced outside of a work tree is now."""
    if aside is not None:
        from drystone.objects.entry import printable

        kept = context.words("kept", "keep")
        context.note(f"{kept} what was there as `{printable(str(aside))}`: `undo` knows only the project")
