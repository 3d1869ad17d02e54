"""`drystone test`: judge data and models by the files in `checks/`, and keep the verdicts."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.cli.context import Context
from drystone.core.errors import WorkFailed

if TYPE_CHECKING:
    from drystone.checks.conversation import CheckSession
    from drystone.checks.outcome import Outcome
    from drystone.checks.service import Environment
    from drystone.project import Project

SUMMARY = "judge data and models by the files in `checks/`, and keep the verdicts as evidence"
EXAMPLE = "drystone test model:late-arrival@v2 --strict"

_STYLES = {"pass": ("green",), "fail": ("red", "bold"), "unsure": ("yellow", "bold"), "skipped": ("dim",)}


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "references", nargs="*", metavar="REF", help="versions to judge instead of what lies in the work tree"
    )
    parser.add_argument("--strict", action="store_true", help="exit 1 on `unsure` too")
    parser.add_argument(
        "--report",
        metavar="DIR",
        help="write checks.md and checks.html there (.drystone/reports/RUN.md, .html)",
    )


def run(arguments: Namespace, context: Context) -> int:
    """Run the checks and tell each verdict as it comes."""
    from drystone.checks import report
    from drystone.checks.service import run_checks

    project = context.project()
    given = [project.resolve(text) for text in arguments.references]
    told = _Teller(context, quiet=arguments.json)
    session = run_checks(
        project.layout, project.recorder, _environment(project, arguments), given=given, listener=told.tell
    )
    if arguments.report is not None:
        folder, stem = context.cwd / arguments.report, "checks"
    else:
        folder, stem = project.layout.state / "reports", session.run
    written = report.write(session, folder, stem)
    code = session.exit_code(strict=arguments.strict)
    if arguments.json:
        context.json(_document(session, written, code))
        return code
    _tell_end(context, session, written[1], strict=arguments.strict)
    return code


def _environment(project: Project, arguments: Namespace) -> Environment:
    from drystone.checks.service import Environment
    from drystone.pipeline.steps import interpreter
    from drystone.tracking.environment import fingerprint

    python = interpreter(project.layout.root, project.settings.interpreter)
    described = fingerprint(python)
    return Environment(
        interpreter=python,
        environ=project.settings.environ,
        command=("drystone", "test", *arguments.references, *(["--strict"] if arguments.strict else [])),
        code=project.code(),
        fingerprint=project.store.put_bytes(described.data),
    )


class _Teller:
    """Prints outcomes under the file they come from."""

    def __init__(self, context: Context, *, quiet: bool) -> None:
        self._context, self._quiet, self._file = context, quiet, ""

    def tell(self, outcome: Outcome) -> None:
        """Print the lines of one test."""
        if self._quiet:
            return
        from drystone.checks.claims import MARKS
        from drystone.checks.report import rows_of

        context = self._context
        for row in rows_of(outcome):
            if row.file != self._file:
                self._file = row.file
                context.out(context.style(row.file, "bold"))
            verdict = context.style(f"{MARKS[row.verdict]} {row.verdict:<7}", *_STYLES[row.verdict])
            name = row.test + (f"  {row.claim}" if row.claim else "")
            required = f"  required {row.required}" if row.required else ""
            measured = f"  {row.measured}" if row.measured else ""
            context.out(f"  {verdict} {name}{measured}{required}")
            if row.why and row.verdict != "pass":
                context.out(f"            {row.why}" + (f"  ({row.at})" if row.at else ""))


def _tell_end(context: Context, session: CheckSession, page: Path, *, strict: bool) -> None:
    from drystone.checks.report import summary

    verdict = context.style(session.verdict, *_STYLES[session.verdict])
    context.out(f"{verdict}: {summary(session)}  {session.seconds:.1f} s")
    if session.verdict == "unsure" and not strict:
        context.note("`unsure` is no failure here; a gate wants `pass`, and so does `--strict`")
    context.note(f"report: {page}")
    if session.stopped or session.broken:
        what = session.stopped or f"{len(session.broken)} of the files in `checks/` cannot be read"
        hints = [f"see all that was printed with `drystone show {session.run}`"]
        if "No module named pytest" in session.tail:
            hints = ["install what checks need: `pip install 'drystone[checks]'`"]
        raise WorkFailed(
            f"the checks did not all run: {what}",
            at=[broken.path for broken in session.broken],
            because=session.tail.splitlines(),
            hints=hints,
        )


def _document(session: CheckSession, written: tuple[Path, Path], code: int) -> dict[str, object]:
    return {
        "run": session.run,
        "verdict": session.verdict,
        "about": session.about,
        "counts": {verdict: session.count(verdict) for verdict in ("pass", "fail", "unsure", "skipped")},
        "checks": session.outcomes,
        "evidence": session.evidence,
        "broken": session.broken,
        "missed": session.missed,
        "stopped": session.stopped or None,
        "reports": {"markdown": written[0], "html": written[1]},
        "exit": code,
    }
