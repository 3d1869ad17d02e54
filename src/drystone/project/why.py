"""`drystone why`: from any result back to its causes, as a tree."""

from __future__ import annotations

from pathlib import Path

import msgspec

from drystone.core.clock import to_iso
from drystone.core.errors import DrystoneError, NotFound
from drystone.core.ids import is_run_id, short
from drystone.core.refs import parse
from drystone.core.suggest import similar
from drystone.ledger import deployments, evidence, lineage, names, requests, runs, traces
from drystone.ledger.facts import Code, Evidence, VersionRegistered
from drystone.pipeline import trace
from drystone.project.lookup import run_or_version
from drystone.project.project import Project

#: Tag of a run that holds the recorded reason of its execution.
REASON = "drystone.reason"


class Cause(msgspec.Struct, frozen=True):
    """One node of an explanation.

    Attributes:
        what: one line, e.g. `model:churn@v3`.
        id: run id, object id or "" where the thing has none.
        facts: (word, value) pairs that say more about it.
        because: what it came from.
    """

    what: str
    id: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    because: tuple[Cause, ...] = ()


def why(project: Project, text: str) -> Cause:
    """Explain a prediction, run, step, model, dataset, view or deployment.

    Raises:
        NotFound: nothing has that name or id.
        UsageError: `text` is neither an id nor a reference.
    """
    if is_run_id(text):
        prediction = requests.find(project.layout, text)
        if prediction is not None:
            return _prediction(project, prediction)
        run = runs.get(project.ledger, text)
        if run is not None:
            return _Chain(project).run(run)
        raise NotFound(
            f"no prediction and no run `{text}`",
            because="neither the request logs nor the ledger of this project hold it",
            hints=["list runs with `drystone log`"],
        )
    reference = parse(text)
    if reference.kind == "deploy":
        return _deployment(project, reference.name)
    if reference.kind == "view":
        return _view(project, reference.name)
    found = run_or_version(project, text)
    chain = _Chain(project)
    return chain.version(found) if isinstance(found, VersionRegistered) else chain.run(found)


def _prediction(project: Project, found: requests.LoggedPrediction) -> Cause:
    line = found.line
    version = names.version(project.ledger, "model", line.model, line.version)
    outputs = ", ".join(f"{key} {_number(value)}" for key, value in line.outputs.items())
    inputs = ", ".join(f"{key}={_number(value)}" for key, value in line.inputs.items())
    return Cause(
        f"prediction {outputs}",
        line.id,
        (
            ("about", line.event_time),
            ("answered", f"{line.time} by `deploy:{found.deployment}`"),
            ("inputs", inputs),
        ),
        (_Chain(project).version(version),) if version else (),
    )


def _deployment(project: Project, name: str) -> Cause:
    history = deployments.history(project.ledger, name)
    if not history:
        known = [change.name for change in deployments.current(project.ledger)]
        near = similar(name, known)
        raise NotFound(
            f"no deployment `{name}`",
            hints=[f"a deployment with a similar name exists: `{near[0]}`"]
            if near
            else ["start one with `drystone serve model:NAME`"],
        )
    last = history[-1]
    version = names.version(project.ledger, "model", last.model, last.version)
    return Cause(
        f"deploy:{name} {last.status} model:{last.model}@v{last.version}",
        last.run,
        (("since", to_iso(last.time)), *((("at", last.url),) if last.url else ())),
        (_Chain(project).version(version),) if version else (),
    )


def _view(project: Project, name: str) -> Cause:
    paths = [f"features/{name}{suffix}" for suffix in (".sql", ".py")]
    path = next((path for path in paths if (project.layout.root / path).is_file()), None)
    if path is None:
        known = [file.stem for file in project.layout.features.glob("*.*")]
        near = similar(name, known)
        raise NotFound(
            f"no view `{name}`",
            hints=[f"a view with a similar name exists: `{near[0]}`"]
            if near
            else ["views live in `features/`"],
        )
    users = project.ledger.query(
        "SELECT DISTINCT run FROM edge WHERE path = ? AND direction = 'read' ORDER BY run DESC LIMIT 5",
        (path,),
    )
    author = project.git.author_of(path)
    facts = (("last changed", f"{author.commit[:7]} {author.subject} ({author.author})"),) if author else ()
    chain = _Chain(project)
    readers = [runs.get(project.ledger, run) for (run,) in users]
    return Cause(f"view:{name}", "", facts, tuple(chain.line(run) for run in readers if run))


class _Chain:
    """Builds the tree of one explanation; what was already told is only named again."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._ledger = project.ledger
        self._told: set[str] = set()

    def version(self, version: VersionRegistered) -> Cause:
        """A registered version: its evidence, aliases and the run that made it."""
        ledger = self._ledger
        facts = [("path", version.path), ("registered", to_iso(version.time))]
        for alias, move in names.aliases(ledger, version.kind, version.name).items():
            if move.version == version.version:
                by = f", by {move.by}" if move.by else ""
                reason = f": {move.reason}" if move.reason else ""
                facts.append((f"@{alias}", f"since {to_iso(move.time)}, gate {move.gate}{by}{reason}"))
        facts += _verdicts(evidence.for_subject(ledger, version.object))
        maker = runs.get(ledger, version.run) if version.run else None
        return Cause(
            f"{version.kind}:{version.name}@v{version.version}",
            version.object,
            tuple(facts),
            (self.run(maker),) if maker else (),
        )

    def line(self, run: runs.RunRow) -> Cause:
        """A run in one line."""
        return Cause(f"{run.kind} `{run.name}` {run.status}", run.run, (("started", to_iso(run.started)),))

    def run(self, run: runs.RunRow) -> Cause:
        """A run: why it ran, its code and parameters, and everything it read."""
        if run.run in self._told:
            return Cause(f"{run.kind} `{run.name}` (told above)", run.run)
        self._told.add(run.run)
        tags = runs.tags(self._ledger, run.run)
        facts = [("started", to_iso(run.started) + (f" by {run.user}" if run.user else ""))]
        if run.kind not in ("step",) and run.command:
            facts.append(("command", " ".join(run.command)))
        if REASON in tags:
            facts.append(("ran because", tags[REASON]))
        if run.status != "succeeded":
            facts.append((run.status, run.error or f"exit code {run.exit_code}"))
        files = [name for name in self._code_read(run) if not name.startswith("features/")]
        facts.append(("code", _code(run.code) + (f": {', '.join(files)}" if files else "")))
        params = runs.params(self._ledger, run.run)
        if params:
            facts.append(("params", ", ".join(f"{key}={_number(value)}" for key, value in params.items())))
        metrics = runs.latest_metrics(self._ledger, run.run)
        if metrics:
            shown = list(metrics.items())
            facts.append(("metrics", ", ".join(f"{key}={_number(value)}" for key, value in shown[:6])))
        if run.environment:
            facts.append(("environment", short(run.environment)))
        return Cause(f"{run.kind} `{run.name}`", run.run, tuple(facts), tuple(self._inputs(run)))

    def _inputs(self, run: runs.RunRow) -> list[Cause]:
        causes = []
        for edge in lineage.edges(self._ledger, run.run):
            if edge.direction == "read":
                maker = lineage.producer(self._ledger, edge.object, path=edge.path, before=run.run)
                facts = _verdicts(evidence.for_subject(self._ledger, edge.object))
                because = (self.run(maker),) if maker else ()
                causes.append(Cause(edge.path, edge.object, tuple(facts), because))
        causes += [
            Cause(f"view:{Path(name).stem}", object_id)
            for name, object_id in self._code_read(run).items()
            if name.startswith("features/")
        ]
        return sorted(causes, key=lambda cause: (bool(cause.because), cause.what))

    def _code_read(self, run: runs.RunRow) -> dict[str, str]:
        """The files of the repository that a step read and that are no data, by path."""
        recorded = traces.of_run(self._ledger, run.run)
        if recorded is None:
            return {}
        try:
            reads = trace.load(self._project.store, recorded.trace).reads
        except DrystoneError:  # the trace is not here or damaged: the rest of the story still stands
            return {}
        data = {edge.path for edge in lineage.edges(self._ledger, run.run)}
        return {name: found for name, found in sorted(reads.items()) if name not in data and name[0] != "/"}


def _verdicts(judged: list[Evidence]) -> list[tuple[str, str]]:
    """What was not passed, one by one, and how many checks were: as a gate counts them, not their claims."""
    found: list[tuple[str, str]] = [
        (one.verdict, f"{one.check}  {one.threshold or ''}".rstrip())
        for one in judged
        if one.verdict != "pass"
    ]
    passed = {one.check.partition("[")[0] for one in judged}
    passed -= {one.check.partition("[")[0] for one in judged if one.verdict != "pass"}
    if passed:
        files = sorted({check.partition("::")[0] for check in passed})
        plural = "check" if len(passed) == 1 else "checks"
        found.append(("pass", f"{len(passed)} {plural} of {', '.join(files)}"))
    return found


def _code(code: Code | None) -> str:
    if code is None:
        return "not recorded"
    commit = f"commit {code.commit[:7]}" if code.commit else "no commit yet"
    branch = f" on {code.branch}" if code.branch else ""
    changes = f", with uncommitted changes {short(code.changes)}" if code.changes else ""
    return commit + branch + (changes or (", with uncommitted changes" if code.dirty else ""))


def _number(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
