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

#: Width of the column of names; a longer one pushes what follows it.
_NAMES = 40
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
    from drystone.checks import report_html
    from drystone.checks.service import run_checks

    project = context.project()
    given = [project.resolve(text) for text in arguments.references]
    told = _Teller(context, quiet=arguments.json)
    session = run_checks(
        project.layout, project.recorder, _environment(project, arguments), given=given, listener=told.tell
    )
    told.flush()
    if arguments.report is not None:
        folder, stem = context.cwd / arguments.report, "checks"
    else:
        folder, stem = project.layout.state / "reports", session.run
    written = report_html.write(session, folder, stem)
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
    """Prints what comes in, under the file it comes from; the cases of one test together."""

    def __init__(self, context: Context, *, quiet: bool) -> None:
        self._context, self._quiet, self._file = context, quiet, ""
        self._cases: list[Outcome] = []

    def tell(self, outcome: Outcome) -> None:
        """Take the next outcome."""
        from drystone.checks.report import base

        if self._cases and base(self._cases[0].check) != base(outcome.check):
            self.flush()
        self._cases.append(outcome)

    def flush(self) -> None:
        """Print what has been held back to be told together."""
        from drystone.checks.claims import MARKS
        from drystone.checks.report import lines

        cases, self._cases = self._cases, []
        if self._quiet or not cases:
            return
        context, file = self._context, cases[0].check.partition("::")[0]
        if file != self._file:
            self._file = file
            context.out(context.style(file, "bold"))
        for line in lines(cases):
            verdict = context.style(f"{MARKS[line.verdict]} {line.verdict:<7}", *_STYLES[line.verdict])
            context.out(f"  {verdict} {line.test:<{_NAMES}} {line.found}".rstrip())
            if line.why:
                context.out(f"            {line.why}")


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
