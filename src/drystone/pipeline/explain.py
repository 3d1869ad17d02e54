"""Why a step runs: the differences between what its trace saw and what is there now, as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from drystone.core.errors import DrystoneError
from drystone.core.ids import is_object_id, short
from drystone.ledger.facts import Scalar
from drystone.objects.store import ObjectStore
from drystone.pipeline.circumstances import Circumstances
from drystone.pipeline.present import Present
from drystone.pipeline.steps import Step
from drystone.pipeline.trace import Trace
from drystone.tracking.parameters import NAMES

_SHOWN = 3
ReasonKind = Literal[
    "never-ran",
    "forced",
    "command",
    "content",
    "gone",
    "appeared",
    "listing",
    "param",
    "variable",
    "program",
    "environment",
    "unrepeatable",
    "not-stored",
    "upstream",
]


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """One difference.

    Attributes:
        kind: what kind of thing differs.
        subject: which: a path, parameter, variable, program, package or step.
        before: its value or object id in the trace; `after` the one now.
        text: the difference for people.
    """

    kind: ReasonKind
    text: str
    subject: str = ""
    before: str | None = None
    after: str | None = None


def sentence(reasons: tuple[Reason, ...]) -> str:
    """Reasons as one clause, the first few in full."""
    texts = [reason.text for reason in reasons[:_SHOWN]]
    if len(reasons) > _SHOWN:
        texts.append(f"{len(reasons) - _SHOWN} more")
    return "; ".join(texts)


def differences(
    trace: Trace, step: Step, now: Circumstances, present: Present, store: ObjectStore
) -> Iterator[Reason]:
    """What keeps a trace from standing in for an execution; nothing if it may.

    The step's own file and parameters come first, as they say most.
    """
    if trace.unrepeatable:
        yield Reason("unrepeatable", trace.unrepeatable, step.name)
    elif trace.label == "partial" or (trace.label == "impure" and not now.is_pure(step.name)):
        yield Reason("unrepeatable", f"its trace is {trace.label}: {trace.why}", step.name)
    if trace.command != step.command:
        before, after = " ".join(trace.command), " ".join(step.command)
        yield Reason("command", f"its command changed (`{before}` -> `{after}`)", step.name, before, after)
    yield from _contents(trace, step, present)
    for key, value in trace.params.items():
        new = now.params.get(key, "a table" if f"{key}.{NAMES}" in now.params else None)
        if str(new) != str(value) or type(new) is not type(value):  # as text, for 0.0 is not -0.0
            yield Reason(
                "param", f"param {key} {_shown(value)} -> {_shown(new)}", key, _shown(value), _shown(new)
            )
    for name, looks in trace.metadata.items():
        new_looks = present.metadata(name, read=name in trace.reads)
        if new_looks is not None and new_looks != looks:
            yield Reason("content", f"`{name}` changed ({looks} -> {new_looks})", name, looks, new_looks)
    for name in trace.present:
        if not present.exists(name):
            yield Reason("gone", f"`{name}` is gone", name)
    for name in trace.absent:
        if present.exists(name):
            yield Reason("appeared", f"`{name}` now exists", name)
    written = (*trace.writes, *trace.made)
    for name, listing in trace.listed.items():
        if (new_listing := present.listing(name, written, scanned=name in trace.scanned)) != listing:
            yield Reason("listing", f"the files in `{name}` are others", name, listing, new_listing)
    for name in sorted({*trace.variables, *now.variables}):
        old, new = trace.variables.get(name), now.variables.get(name)
        if old != new:
            yield Reason("variable", f"variable {name} {_shown(old)} -> {_shown(new)}", name, old, new)
    for name, was in trace.programs.items():
        if (found := now.programs.where(name)) != was:
            what = f"program {name} is another: {_shown(was)} -> {_shown(found)}"
            yield Reason("program", what, name, was, found)
    for prefix, before in trace.environments.items():
        if before != now.installed(prefix):
            what = environment_change(store, before, now.stored_installed(prefix))
            yield Reason("environment", f"environment `{prefix}` changed: {what}", prefix, before)
    environment = now.environment(python=trace.python)
    if trace.environment != environment:
        what = environment_change(store, trace.environment, now.stored_environment(python=trace.python))
        yield Reason("environment", f"environment changed: {what}", "", trace.environment, environment)


def _contents(trace: Trace, step: Step, present: Present) -> Iterator[Reason]:
    """Differences of what it read, its own file first."""
    for name, before in sorted(trace.reads.items(), key=lambda read: (read[0] != step.path, read[0])):
        after = present.content(name)
        if after is None:
            yield Reason("gone", f"`{name}` is gone", name, before)
        elif after != before:
            ids = "" if name == step.path else f" ({short(before)} -> {short(after)})"
            yield Reason("content", f"`{name}` changed{ids}", name, before, after)


def environment_change(store: ObjectStore, before: str, after: str) -> str:
    """What differs between two environments, in words."""
    try:
        old, new = (_flat(msgspec.json.decode(store.read(which))) for which in (before, after))
    except (DrystoneError, msgspec.MsgspecError):
        return f"{short(before)} -> {short(after)}"
    changed = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key) and key != "records"]
    if not changed:
        return "files of packages are others, of the same versions"
    texts = [f"{key} {old.get(key, 'absent')} -> {new.get(key, 'absent')}" for key in changed[:_SHOWN]]
    if len(changed) > _SHOWN:
        texts.append(f"{len(changed) - _SHOWN} more")
    return ", ".join(texts)


def _flat(environment: dict[str, object]) -> dict[str, object]:
    packages = environment.pop("packages", {})
    assert isinstance(packages, dict)
    return {**environment, **packages}


def _shown(value: Scalar) -> str:
    if value is None:
        return "absent"
    return short(value) if isinstance(value, str) and is_object_id(value) else str(value)
