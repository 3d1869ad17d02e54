"""`drystone join`: rows with the features that were known at their times."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from drystone.cli.context import Context
from drystone.core.errors import UsageError

SUMMARY = "join feature views onto rows, as they were known at each row's time"
EXAMPLE = "drystone join asked.parquet weather carrier_delay --time asked_at -o training.parquet"


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "spine", metavar="SPINE", help="the rows, a .parquet or .csv file with keys and a time"
    )
    parser.add_argument("views", nargs="+", metavar="VIEW", help="a file of features/, without its suffix")
    parser.add_argument("--time", metavar="COLUMN", help="when each row asks (found by its name or type)")
    parser.add_argument(
        "--key",
        action="append",
        default=[],
        metavar="COLUMN=KEY",
        help="the column of the rows that holds a view's key of another name",
    )
    parser.add_argument("--full-names", action="store_true", help="call each feature VIEW__FEATURE")
    parser.add_argument("-o", "--output", metavar="PATH", help="write .parquet or .csv (CSV on stdout)")
    parser.add_argument("--dry-run", action="store_true", help="say what would be written and do nothing")


def run(arguments: Namespace, context: Context) -> int:
    """Join, and write or print the result."""
    from drystone.features.api import as_csv, features, write

    project = context.project()
    names = [name.removeprefix("view:") for name in arguments.views]
    table = features(project.layout, *names).at(
        context.cwd / arguments.spine,
        arguments.time,
        keys=_aliases(arguments.key),
        full_names=arguments.full_names,
    )
    if arguments.output:
        write(table, context.cwd / arguments.output, dry_run=context.dry_run)
    if context.json_mode:
        data = {} if arguments.output else {"data": table.to_pydict()}
        said = {"rows": table.num_rows, "columns": table.column_names, "output": arguments.output, **data}
        context.json({**said, "dry_run": context.dry_run})
    elif arguments.output:
        wrote = context.words("wrote", "write")
        context.note(f"{wrote} {table.num_rows:,} rows, {table.num_columns} columns to `{arguments.output}`")
    else:
        context.raw(as_csv(table))
    return 0


def _aliases(given: list[str]) -> dict[str, str]:
    aliases = {}
    for text in given:
        column, sign, key = text.partition("=")
        if not (column and sign and key):
            raise UsageError(
                f"not a key: `{text}`", because="a key is COLUMN=KEY, as in `--key origin=station_id`"
            )
        aliases[column] = key
    return aliases
