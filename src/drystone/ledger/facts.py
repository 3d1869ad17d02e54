"""Everything the ledger can hold: one frozen struct per kind of record.

A fact is written once and never changed. It is stored as MessagePack with its field names, so a
newer version may add fields with defaults; none is ever renamed or given another meaning.
Applying facts in any order, any number of times, gives the same ledger (`apply.py`).

All times are integer nanoseconds since the Unix epoch, UTC. All objects are `b3:` ids.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Scalar = str | int | float | bool | None
RunKind = Literal["step", "command", "script", "test", "serve", "monitor"]
Status = Literal["succeeded", "failed", "killed", "lost"]
AssetKind = Literal["data", "model"]
Verdict = Literal["pass", "fail", "unsure"]


class Fact(msgspec.Struct, frozen=True, tag_field="fact", omit_defaults=True):
    """Base of all records."""


class Code(msgspec.Struct, frozen=True, omit_defaults=True):
    """State of the code when a run started.

    Attributes:
        commit: 40 hex digits of HEAD, or None in a repository without commits.
        branch: the branch, or None when HEAD is detached.
        dirty: whether tracked or unignored files differed from the commit.
        changes: object holding those differences as a git patch that `git apply` takes.
        skipped: untracked files that are too large to be in it.
    """

    commit: str | None = None
    branch: str | None = None
    dirty: bool = False
    changes: str | None = None
    skipped: tuple[str, ...] = ()


class RunStarted(Fact, frozen=True, tag="run-started"):
    """A run began. `environment` is an object: JSON of interpreter, packages and host."""

    run: str
    kind: RunKind
    name: str
    time: int
    experiment: str = "default"
    command: tuple[str, ...] = ()
    parent: str | None = None
    user: str | None = None
    host: str | None = None
    pid: int | None = None
    code: Code | None = None
    environment: str | None = None


class Params(Fact, frozen=True, tag="params"):
    """Parameters of a run, dotted keys. Write-once: a second, different value is a conflict."""

    run: str
    values: dict[str, Scalar]


class Points(Fact, frozen=True, tag="points"):
    """A stretch of one metric, as columns. Identity of a point: (run, key, step, time, value)."""

    run: str
    key: str
    steps: list[int]
    times: list[int]
    values: list[float]


class Tags(Fact, frozen=True, tag="tags"):
    """Free labels of a run; per key the last writer wins."""

    run: str
    values: dict[str, str]
    time: int


class Edge(Fact, frozen=True, tag="edge"):
    """A run read or wrote `path` (relative to the root, posix) when it was `object`.

    Attributes:
        tree: whether the object is a directory's tree.
    """

    run: str
    direction: Literal["read", "write"]
    path: str
    object: str
    tree: bool = False


class OutputCaptured(Fact, frozen=True, tag="output"):
    """What a run printed, standard output and error interleaved, as an object."""

    run: str
    object: str
    size: int


class RunFinished(Fact, frozen=True, tag="run-finished"):
    """A run ended. `exit_code` is None where there was no process to ask."""

    run: str
    status: Status
    time: int
    exit_code: int | None = None
    error: str | None = None


class TraceRecorded(Fact, frozen=True, tag="trace"):
    """The trace (an object, `docs/reference/formats.md`) of one committed execution of a step."""

    run: str
    step: str
    command: str
    trace: str
    label: Literal["proven", "partial", "impure"]
    time: int


class VersionRegistered(Fact, frozen=True, tag="version"):
    """`KIND:NAME@vVERSION` is this object. `run` made it, where a run did."""

    kind: AssetKind
    name: str
    version: int
    object: str
    path: str
    time: int
    size: int
    run: str | None = None


class AliasMoved(Fact, frozen=True, tag="alias"):
    """An alias points elsewhere (`version` None: it was removed).

    Attributes:
        gate: `passed`, `overridden` (see `reason`) or `none` where no gate guards the alias.
        evidence: ids of the evidence the gate looked at.
    """

    kind: AssetKind
    name: str
    alias: str
    version: int | None
    time: int
    previous: int | None = None
    by: str | None = None
    reason: str | None = None
    gate: Literal["passed", "overridden", "none"] = "none"
    evidence: tuple[str, ...] = ()


class Evidence(Fact, frozen=True, tag="evidence"):
    """The recorded verdict of one check on one subject.

    Attributes:
        check: `checks/FILE.py::test_name`, with `[claim]` behind it when a test makes several.
        subject: the object judged.
        about: the reference it had when it was judged, e.g. `model:late-arrival`.
        value: the statistic found, `interval` its confidence interval at 95 %, `n` the rows it
            rests on, `threshold` the claim in words, e.g. `>= 0.7`.
        why: one sentence for people; for `unsure` it says how much data would do.
        against: of a comparison with another version, the object of that version, "" if there was
            none to compare with; None of everything else.
    """

    id: str
    check: str
    subject: str
    about: str
    verdict: Verdict
    run: str
    time: int
    value: float | None = None
    interval: tuple[float, float] | None = None
    n: int | None = None
    threshold: str | None = None
    why: str = ""
    against: str | None = None


class DeploymentChanged(Fact, frozen=True, tag="deployment"):
    """A deployment began or ceased to serve a version."""

    name: str
    status: Literal["serving", "stopped"]
    model: str
    version: int
    object: str
    run: str
    time: int
    url: str | None = None


class FeatureVerdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """Drift of one feature in one window.

    Attributes:
        p: p-value after Benjamini-Hochberg over the window's features, None if `unsure`.
        effect: debiased population stability index, None if `unsure`.
    """

    feature: str
    verdict: Verdict
    p: float | None = None
    effect: float | None = None
    why: str = ""


class Performance(msgspec.Struct, frozen=True, omit_defaults=True):
    """One quality measure of one window, from the labels that had arrived.

    Attributes:
        reference: the same measure on the model's reference data, if known.
        labelled: predictions of the window with a label; `coverage` is their share.
    """

    metric: str
    verdict: Verdict
    labelled: int
    coverage: float
    value: float | None = None
    interval: tuple[float, float] | None = None
    reference: float | None = None
    why: str = ""


class WindowJudged(Fact, frozen=True, tag="window"):
    """A monitor's verdict about one window of a deployment; a later one restates the same window.

    The window holds predictions with `start <= event time < end`.
    """

    deployment: str
    start: int
    end: int
    n: int
    verdict: Verdict
    object: str
    run: str
    time: int
    features: tuple[FeatureVerdict, ...] = ()
    performance: tuple[Performance, ...] = ()


AnyFact = (
    RunStarted
    | Params
    | Points
    | Tags
    | Edge
    | OutputCaptured
    | RunFinished
    | TraceRecorded
    | VersionRegistered
    | AliasMoved
    | Evidence
    | DeploymentChanged
    | WindowJudged
)

_encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder(AnyFact).decode


def encode(fact: Fact) -> bytes:
    """A fact as MessagePack. Text that is no Unicode, as in a file's name, is kept with escapes."""
    try:
        return _encode(fact)
    except UnicodeEncodeError:
        return _encode(_readable(msgspec.to_builtins(fact)))


def _readable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_readable(key): _readable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(item) for item in value]
    return value
