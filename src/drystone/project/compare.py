"""Two states of a project, two versions or two runs, side by side: parameters and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from drystone.core.errors import NotFound
from drystone.core.refs import parse
from drystone.ledger import lineage, runs, traces
from drystone.ledger.facts import Scalar, VersionRegistered
from drystone.project.project import Project
from drystone.workspace.lockfile import Lock

#: How the two states are named that have no name of their own.
WORKSPACE = "workspace"


class Side(NamedTuple):
    """One side of a comparison.

    Attributes:
        label: what the user called it.
        runs: the run that stands for each step (or for itself), by name.
        revision: the git revision it is, `workspace`, or None where it is no state of the tree.
        version: the version that it is, if it is one.
    """

    label: str
    runs: dict[str, str]
    revision: str | None = None
    version: VersionRegistered | None = None


class Change(NamedTuple):
    """One value that differs; None on the side where it is absent."""

    run: str
    key: str
    old: Scalar
    new: Scalar


class Comparison(NamedTuple):
    """What differs between two sides; equal values are left out."""

    old: Side
    new: Side
    params: list[Change]
    metrics: list[Change]


def side(project: Project, text: str) -> Side:
    """What `text` means: `workspace`, a git revision, a run, or a version of data or a model.

    Raises:
        NotFound: it means none of these.
    """
    if text == WORKSPACE:
        lock = Lock.read(project.layout.lock)
        return Side(WORKSPACE, _runs_of(project, lock), WORKSPACE)
    head, colon, rest = text.partition(":")
    if head == "git":
        return _revision(project, rest)
    if colon and head == "run":
        return _run(project, rest)
    if colon or "@" in text:
        return _version(project, text)
    try:
        return _run(project, text)
    except NotFound:
        return _revision(project, text)


def compare(project: Project, old: Side, new: Side) -> Comparison:
    """Parameters and metrics that differ, by run and key.

    Two runs are set against each other whatever their names; states of the tree step by step.
    """
    pairs = _pairs(old, new)
    params: list[Change] = []
    metrics: list[Change] = []
    ledger = project.ledger
    for name, *both in pairs:
        params += _changes(name, *(runs.params(ledger, run) if run else {} for run in both))
        metrics += _changes(name, *(runs.latest_metrics(ledger, run) if run else {} for run in both))
    return Comparison(old, new, params, metrics)


def _pairs(old: Side, new: Side) -> list[tuple[str, str | None, str | None]]:
    if len(old.runs) == len(new.runs) == 1:
        ((before, first),), ((after, second),) = old.runs.items(), new.runs.items()
        return [(before if before == after else f"{before} / {after}", first, second)]
    names = sorted({*old.runs, *new.runs})
    return [(name, old.runs.get(name), new.runs.get(name)) for name in names]


def _changes(name: str, old: Mapping[str, Scalar], new: Mapping[str, Scalar]) -> list[Change]:
    # repr, so that NaN equals itself and 1 is not 1.0.
    return [
        Change(name, key, old.get(key), new.get(key))
        for key in sorted({*old, *new})
        if repr(old.get(key)) != repr(new.get(key))
    ]


def _revision(project: Project, revision: str) -> Side:
    commit = project.git.resolve(revision)
    data = project.git.show(commit, project.layout.lock.name)
    lock = Lock.parse(data) if data is not None else Lock()
    return Side(revision, _runs_of(project, lock), revision)


def _runs_of(project: Project, lock: Lock) -> dict[str, str]:
    found = {step: traces.of_object(project.ledger, trace) for step, trace in lock.steps.items()}
    return {step: fact.run for step, fact in found.items() if fact is not None}


def _run(project: Project, text: str) -> Side:
    row = runs.find(project.ledger, text)
    return Side(text, {row.name: row.run})


def _version(project: Project, text: str) -> Side:
    """The run that made a version, and the newest run of each step that read it, such as its evaluation."""
    parse(text)
    version = project.resolve(text)
    found: dict[str, str] = {}
    for row in lineage.readers(project.ledger, version.object):
        if row.kind == "step":
            found.setdefault(row.name, row.run)
    maker = runs.get(project.ledger, version.run) if version.run else None
    if maker is not None:
        found[maker.name] = maker.run
    return Side(text, found, version=version)
