"""`drystone get`: a file, a folder or some rows, by reference, from wherever it is."""

from __future__ import annotations

import os
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.cli.context import Context
from drystone.core.ids import short

if TYPE_CHECKING:
    from drystone.project.contents import Content
    from drystone.project.getting import Got
    from drystone.project.reading import Reader
    from drystone.workspace.workspace import Workspace

SUMMARY = "get a file, a folder or rows by reference, from here, a remote or another repository"
EXAMPLE = "drystone get data:flights@v3 -o flights.parquet"

_COPIED = 1 << 20


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "reference",
        metavar="REF",
        help="data:NAME, model:NAME@VERSION/PATH, a tracked path, PATH@git:REV, or b3:DIGITS",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="PATH",
        help="where to put it; an existing folder: in it; `-`: standard output"
        " (a tracked path: its own place; else the current folder)",
    )
    parser.add_argument(
        "--rows", metavar="A..B", help="of a Parquet file the rows from A, counted from 0, up to B"
    )
    parser.add_argument("--repo", metavar="WHERE", help="another repository: a folder, or a URL for git")
    parser.add_argument(
        "--remote",
        metavar="REMOTE",
        help="which one to ask first: its name or address (an address is enough outside of a repository)",
    )
    parser.add_argument(
        "--force",
        action="store_true",
        help="replace what is in the way; outside of the project it is kept",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be written and do nothing")
    parser.add_argument("--verbose", action="store_true", help="tell requests and bytes")


def run(arguments: Namespace, context: Context) -> int:
    """Find, fetch, put in place."""
    from drystone.cli.rows import give
    from drystone.core.errors import UsageError

    if arguments.output == "-" and context.json_mode:
        raise UsageError(
            "standard output cannot hold both a document and the content", hints=["leave out `--json`"]
        )
    with _reader(arguments, context) as reader:
        content = reader.find(arguments.reference, under=_under(reader, context))
        if arguments.rows:
            with _home(reader, context) as home:
                code = give(arguments, context, reader.file(content), home)
        else:
            code = _whole(arguments, context, reader, content)
        if arguments.verbose and not context.json_mode:
            from drystone.cli.push import tell

            for traffic in reader.origin.sources.traffic:
                tell(traffic, context)
    return code


@contextmanager
def _reader(arguments: Namespace, context: Context) -> Iterator[Reader]:
    from drystone.core.errors import NotARepository
    from drystone.project.reading import Reader

    # beside the result, so that a large one needs not fit into /tmp, and is only renamed in the end
    near = context.cwd if arguments.output in (None, "-") else (context.cwd / arguments.output).parent
    usable = near.is_dir() and os.access(near, os.W_OK | os.X_OK) and not context.dry_run
    scratch = near if usable else Path(tempfile.gettempdir())
    try:
        reader = Reader.at(
            context.cwd, context.settings(), scratch, repo=arguments.repo, remote=arguments.remote
        )
    except NotARepository as error:
        error.hints = ("name a repository with `--repo WHERE`, or a remote alone with `--remote URL`",)
        raise
    with reader:
        yield reader


def _under(reader: Reader, context: Context) -> str:
    """The current folder as tracked paths name it."""
    root, here = reader.origin.tree, context.cwd.resolve()
    return here.relative_to(root).as_posix() if root is not None and here != root else ""


def _whole(arguments: Namespace, context: Context, reader: Reader, content: Content) -> int:
    from drystone.cli.progress import bar
    from drystone.core.errors import ProjectInvalid
    from drystone.objects.entry import printable
    from drystone.project import getting

    entry, origin = content.entry, reader.origin
    with bar(context, f"getting {content.label}", entry.size or None) as progress:
        placing = progress.then(f"writing {content.label}", entry.size or None)
        if arguments.output == "-" and not context.dry_run:
            reader.file(content)  # a folder or link is refused
            with getting.stored(origin, entry, progress) as file:
                while data := file.read(_COPIED):
                    context.raw(data)
            return 0
        if arguments.output is None and origin.tree is not None and content.path is not None:
            if not origin.own:
                raise ProjectInvalid(
                    f"`{printable(content.path)}` cannot be put in its own place",
                    at=str(origin.tree / ".drystone"),
                    because="nothing can be written there",
                    hints=["put it elsewhere with `-o PATH`"],
                )
            got = getting.to_its_place(
                origin,
                content,
                force=arguments.force,
                dry_run=context.dry_run,
                progress=progress,
                placing=placing,
            )
        else:
            place = _place(arguments, context, entry.name)
            with _home(reader, context) as home:
                got = getting.to(
                    origin,
                    entry,
                    place,
                    force=arguments.force,
                    dry_run=context.dry_run,
                    home=home,
                    progress=progress,
                    placing=placing,
                )
    _tell(context, content, got)
    return 0


def _tell(context: Context, content: Content, got: Got) -> None:
    from drystone.cli.rows import tell_aside
    from drystone.objects.entry import printable

    entry = content.entry
    shown = printable(
        str(got.path.relative_to(context.cwd) if got.path.is_relative_to(context.cwd) else got.path)
    )
    if context.json_mode:
        context.json(
            {
                "reference": content.label,
                "path": printable(str(got.path)),
                "outcome": got.outcome,
                "object": entry.object,
                "kind": entry.kind,
                "size": entry.size,
                "saved": {printable(path): name for path, name in got.saved.items()},
                "aside": printable(str(got.aside)) if got.aside else None,
                "dry_run": context.dry_run,
            }
        )
        return
    outcome = context.words("written", "write") if got.outcome == "written" else got.outcome
    context.out(f"{outcome}  {shown}  {short(entry.object)}  {entry.size:,} bytes")
    for path, name in got.saved.items():
        stored = f"{context.words('stored', 'store')} what was in `{printable(path)}` as {short(name)}"
        again = "" if context.dry_run else f": `drystone get {short(name)} -o PATH`"
        context.note(stored + again)
    tell_aside(got.aside, context)
    context.untouched()


@contextmanager
def _home(reader: Reader, context: Context) -> Iterator[Workspace | None]:
    """The work tree around the current folder, None if there is none."""
    from drystone.core.errors import NotARepository
    from drystone.workspace.workspace import Workspace

    try:
        project = reader.origin.project if reader.origin.own else context.project()
    except NotARepository:
        yield None
        return
    with Workspace.open(project.layout, project.git, project.store, project.clock) as workspace:
        yield workspace


def _place(arguments: Namespace, context: Context, name: str) -> Path:
    if arguments.output is None:
        return context.cwd / name
    place: Path = context.cwd / arguments.output
    inside = str(arguments.output).endswith("/") or place.is_dir()
    return place / name if inside else place
