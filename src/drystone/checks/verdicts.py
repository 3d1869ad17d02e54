"""How a test ended: pytest's report of it, and the outcome that goes into the record."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from drystone.checks.claims import MARKS, Claim, ClaimLog, worst
from drystone.checks.outcome import Kind, Outcome, Read, TestVerdict
from drystone.core.errors import DrystoneError

_LONGEST = 1000


class ClaimsFailed(AssertionError):
    """A test came to its end and some of its claims had failed."""


def kind_of(item: pytest.Item) -> Kind:
    """What a test is about, by the fixtures that it uses."""
    names = getattr(item, "fixturenames", ())
    return "model" if "model" in names else "data" if "data" in names else "other"


def annotate(
    report: pytest.TestReport, item: pytest.Item, call: pytest.CallInfo[None], log: ClaimLog | None
) -> None:
    """Make a phase's report say what the claims say, and add the outcome that is to be recorded.

    `report.drystone` is the outcome as plain values, so that it survives the way from a worker
    process; a phase that settles nothing has none.
    """
    claims = log.claims if log is not None else []
    root = item.config.rootpath
    error = call.excinfo.value if call.excinfo is not None else None
    why, at = "", ""
    if isinstance(error, DrystoneError):
        report.longrepr = explained(error, _place(call, root))
    if report.failed and error is not None and not _is_claim(error, log):
        why, at = _summary(error), _place(call, root)
    elif report.failed:
        report.longrepr = "\n".join(_line(claim, root) for claim in claims if claim.verdict != "pass")
    verdict = _verdict(report, claims)
    if verdict is None:
        return
    if verdict == "unsure":
        doubts = "\n".join(_line(claim, root) for claim in claims if claim.verdict == "unsure")
        report.outcome, report.longrepr = "skipped", (str(item.path), item.location[1] or 0, doubts)
        report.drystone_unsure = True  # type: ignore[attr-defined]  # read by pytest_report_teststatus
    elif verdict == "skipped":
        why = getattr(report, "wasxfail", None) or _reason(report)
    subjects = _subjects(log)
    report.drystone = msgspec.to_builtins(  # type: ignore[attr-defined]  # read by Recording
        Outcome(
            check=report.nodeid,
            kind=kind_of(item),
            verdict=verdict,
            seconds=report.duration,
            claims=tuple(_relative(claim, root) for claim in claims),
            subjects=subjects,
            about=tuple(sorted({about.partition("@")[0] for about in subjects}))
            or ((log.elsewhere,) if log is not None and log.elsewhere else ()),
            why=why,
            at=at,
            reads=_reads(log),
        )
    )


def explained(error: DrystoneError, place: str) -> str:
    """An error of Drystone's as the command line shows it."""
    lines = [f"error: {error.message}", *(f"  at {where}" for where in (*error.at, place))]
    lines += [f"  because {reason}" for reason in error.because]
    if error.hints:
        lines += ["", *(f"hint: {hint}" for hint in error.hints)]
    return "\n".join(lines)


def _verdict(report: pytest.TestReport, claims: list[Claim]) -> TestVerdict | None:
    if report.failed:
        return "fail"
    if report.skipped:
        return "skipped"
    if report.when != "call":
        return None
    return worst([claim.verdict for claim in claims])


def _is_claim(error: BaseException, log: ClaimLog | None) -> bool:
    """Whether the exception says no more than the claims do: it comes from `assert CLAIM`."""
    if isinstance(error, ClaimsFailed):
        return True
    asserted = isinstance(error, AssertionError) and log is not None and log.denied is not None
    return asserted and log is not None and log.denied is log.claims[-1]


def _subjects(log: ClaimLog | None) -> dict[str, str]:
    """What a test judged: models where it used any, for then the data only served to judge them."""
    judged = list(log.judged.values()) if log is not None else []
    models = [subject for subject in judged if subject.kind == "model"]
    return {subject.about: subject.object for subject in models or judged}


def _reads(log: ClaimLog | None) -> tuple[Read, ...]:
    subjects = log.read.values() if log is not None else ()
    return tuple(Read(subject.place, subject.object, subject.path.is_dir()) for subject in subjects)


def _line(claim: Claim, root: Path) -> str:
    place = _relative(claim, root).at
    what = " ".join(filter(None, (claim.name, claim.scope, claim.measured)))
    text = f"{MARKS[claim.verdict]} {claim.verdict}  {what}, required {claim.threshold}"
    return "\n".join([text, *([f"    {claim.why}"] if claim.why else []), f"    {place}"])


def _relative(claim: Claim, root: Path) -> Claim:
    path, _, line = claim.at.rpartition(":")
    if not path or not Path(path).is_relative_to(root):
        return claim
    return msgspec.structs.replace(claim, at=f"{Path(path).relative_to(root).as_posix()}:{line}")


def _place(call: pytest.CallInfo[None], root: Path) -> str:
    """Where in the project's own files an exception passed last."""
    if call.excinfo is None:
        return ""
    for entry in reversed(call.excinfo.traceback):
        path = Path(entry.path)
        if path.is_relative_to(root) and not {".venv", "site-packages"} & set(path.parts):
            return f"{path.relative_to(root).as_posix()}:{entry.lineno + 1}"
    return ""


def _summary(error: BaseException) -> str:
    if isinstance(error, DrystoneError):
        return "; ".join([error.message, *error.because])
    text = str(error).strip()[:_LONGEST].splitlines()
    first = text[0] if text else "no message"
    return first if isinstance(error, AssertionError) and text else f"{type(error).__name__}: {first}"


def _reason(report: pytest.TestReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    return reason.removeprefix("Skipped: ")
