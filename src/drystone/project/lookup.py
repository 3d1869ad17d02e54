"""What a user means by a word: a run, or a version of data or a model."""

from __future__ import annotations

from drystone.core.errors import Ambiguous, NotFound, UsageError
from drystone.core.refs import Reference, parse
from drystone.core.suggest import similar
from drystone.ledger import names, runs
from drystone.ledger.facts import VersionRegistered
from drystone.project.project import Project


def run_or_version(project: Project, text: str) -> runs.RunRow | VersionRegistered:
    """The run or version that `text` names.

    A word without kind is the newest run of that step, else the newest version of that name, else the
    run whose id begins so or the newest run of that name.

    Raises:
        UsageError: it is no reference, or a version is asked of what has none.
        NotFound: it names nothing; similar names are told.
        Ambiguous: several ids begin so.
    """
    reference = parse(text)
    if reference.kind in ("data", "model"):
        return project.resolve(text)
    if reference.kind in ("view", "deploy"):
        raise UsageError(f"a {reference.kind} has no run of its own", hints=[f"see `drystone why {text}`"])
    if reference.kind is None and reference.version is not None:
        return project.resolve(text)
    if reference.version is not None:
        raise UsageError(
            f"a {reference.kind} has no versions: `{text}`",
            hints=[f"its runs are listed by `drystone log {reference.name}`"],
        )
    if reference.kind == "step":
        return _step(project, reference)
    if reference.kind == "run":
        return runs.find(project.ledger, reference.name)
    newest = _newest_step(project, reference.name)
    if newest is None and _is_asset(project, reference.name):
        return project.resolve(text)
    return newest or _unqualified(project, reference.name)


def _newest_step(project: Project, name: str) -> runs.RunRow | None:
    newest = runs.recent(project.ledger, kind="step", name=name, limit=1)
    return newest[0] if newest else None


def _is_asset(project: Project, name: str) -> bool:
    return any(names.newest(project.ledger, kind, name) for kind in ("data", "model"))


def _step(project: Project, reference: Reference) -> runs.RunRow:
    newest = _newest_step(project, reference.name)
    if newest is not None:
        return newest
    known = dict.fromkeys(run.name for run in runs.recent(project.ledger, kind="step", limit=500))
    raise NotFound(
        f"step `{reference.name}` has never run",
        hints=[
            *(f"a step with a similar name exists: `{name}`" for name in similar(reference.name, known)[:1]),
            f"run it with `drystone run {reference.name}`",
        ],
    )


def _unqualified(project: Project, name: str) -> runs.RunRow:
    try:
        return runs.find(project.ledger, name)
    except Ambiguous:
        raise
    except NotFound:
        known = [*names.names(project.ledger, "model"), *names.names(project.ledger, "data")]
        known += [run.name for run in runs.recent(project.ledger, limit=200)]
        raise NotFound(
            f"nothing is called `{name}`",
            hints=[
                *(f"a similar name exists: `{near}`" for near in similar(name, dict.fromkeys(known))),
                "list what there is with `drystone ls`",
            ],
        ) from None
