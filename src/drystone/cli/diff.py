"""`drystone diff`: what differs between two states, versions or runs."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from drystone.cli.context import Context

if TYPE_CHECKING:
    from drystone.ledger.facts import Scalar
    from drystone.project.compare import Change, Side
    from drystone.project.review import TableReview
    from drystone.workspace.diff import FileChange
    from drystone.workspace.lockfile import LockedPath

SUMMARY = "compare parameters, metrics, tracked files and tables of two states, versions or runs"
EXAMPLE = "drystone diff HEAD~1 HEAD -- data/flights.parquet"

_MARK = {"added": ("+", "green"), "removed": ("-", "red"), "modified": ("~", "yellow")}


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.usage = "%(prog)s [OLD [NEW]] [[--] PATH ...] [--key COLUMNS] [--rows N] [--json]"
    parser.add_argument(
        "words",
        nargs="*",
        metavar="WORD",
        help="OLD and NEW are each a git revision, a run, KIND:NAME@VERSION (for NEW, @VERSION too) or"
        " `workspace`; without them HEAD and workspace. A word that is none of these is a PATH: only files"
        " there are compared, and Parquet and CSV files row by row. Behind `--`, all are paths",
    )
    parser.add_argument("--key", metavar="COLUMNS", help="match rows of tables by these columns: a,b")
    parser.add_argument("--rows", metavar="N", type=_count, default=0, help="show up to N rows of each sort")
    parser.set_defaults(command=None)  # what stands behind `--`


def run(arguments: Namespace, context: Context) -> int:
    """Compare two sides."""
    from drystone.cli import sides
    from drystone.project import compare, review
    from drystone.project.origin import here

    project = context.project()
    old, new, paths = sides.read(arguments.words, arguments.command or (), project, context)
    if old is None or new is None:
        if arguments.json:
            context.json({"params": [], "metrics": [], "files": [], "tables": []})
        context.note("there is no commit yet to compare with")
        return 0
    origin = here(project)
    files = review.changed_files(origin, old, new, paths)
    found = compare.compare(project, old, new) if not paths else compare.Comparison(old, new, [], [])
    tables = review.tables(files)
    wanted = bool(paths or arguments.key or arguments.rows or old.version)
    key = arguments.key.split(",") if arguments.key else []
    reviewed = review.reviews(
        origin,
        tables if wanted else [],
        in_work_tree=new.revision == compare.WORKSPACE,
        key=key,
        samples=arguments.rows,
    )
    if arguments.json:
        from drystone.cli import tables as printed

        told = list(reviewed)
        documents = [printed.document(each) for each in told]
        context.json(
            {"params": found.params, "metrics": found.metrics, "files": document(files), "tables": documents}
        )
        return _exit(told)
    _values(context, "params", found.params, old, new)
    _values(context, "metrics", found.metrics, old, new)
    code = _print_files(files, reviewed, context)
    if not (found.params or found.metrics or files):
        context.note(f"no difference between `{old.label}` and `{new.label}`")
    elif tables and not wanted:
        context.note(f"rows and columns that changed: `drystone diff -- {tables[0].path}`")
    return code


def _exit(told: Iterable[TableReview]) -> int:
    """The exit code of the first table that could not be compared, or 0."""
    return next((each.problem.exit for each in told if each.problem is not None), 0)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ArgumentTypeError(f"not a number of rows: `{text}`")
    return min(int(text), 1000)


def _print_files(files: list[FileChange], reviewed: Iterable[TableReview], context: Context) -> int:
    from drystone.cli import tables

    told = []
    if files:
        context.out(context.style("files", "bold"))
        render_files(files, context)
    for each in reviewed:
        tables.render(each, context)
        told.append(each)
    return _exit(told)


def _values(context: Context, title: str, changes: list[Change], old: Side, new: Side) -> None:
    if not changes:
        return
    context.out(context.style(title, "bold"))
    rows = [
        [change.run, change.key, _shown(change.old), _shown(change.new), _delta(change.old, change.new)]
        for change in changes
    ]
    context.table(rows, head=("run", "key", old.label, new.label, "change"), indent="  ")


def _shown(value: Scalar) -> str:
    return "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _delta(old: Scalar, new: Scalar) -> str:
    if isinstance(old, str | bool | None) or isinstance(new, str | bool | None):
        return ""
    return f"{new - old:+.6g}"


def document(changes: Iterable[FileChange]) -> list[dict[str, Any]]:
    """File differences as they stand in a JSON document."""
    from drystone.objects.entry import printable

    return [
        {"path": printable(change.path), "change": change.change, "old": change.old, "new": change.new}
        for change in changes
    ]


def render_files(changes: Iterable[FileChange], context: Context) -> None:
    """Print one line per file that differs, with its sizes."""
    from drystone.objects.entry import printable

    for change in changes:
        mark, colour = _MARK[change.change]
        context.out(
            f"  {context.style(mark, colour)} {printable(change.path)}  {_sizes(change.old, change.new)}"
        )


def _sizes(old: LockedPath | None, new: LockedPath | None) -> str:
    if old is None or new is None:
        only = new if old is None else old
        return "" if only is None else f"{only.size:,} bytes"
    words = [f"{old.size:,} -> {new.size:,} bytes"]
    if old.kind != new.kind:
        words.append(f"{old.kind} -> {new.kind}")
    if old.executable != new.executable:
        words.append("now executable" if new.executable else "no longer executable")
    return ", ".join(words)
