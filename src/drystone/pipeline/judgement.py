"""What a successful execution must not have done, given what all the other steps do."""

from __future__ import annotations

from collections.abc import Mapping

from drystone.core.errors import Conflict
from drystone.pipeline.flow import Flow, Lookups, circle
from drystone.pipeline.trace import Trace
from drystone.pipeline.tracing import Findings
from drystone.workspace.lockfile import Lock, is_safe_path


def objection(
    step: str, found: Findings, traces: Mapping[str, Trace], settled: Mapping[str, Trace], lock: Lock
) -> Conflict | None:
    """The conflict between an execution and everybody else, if there is one.

    Args:
        step: whose execution it is; `found` its effects.
        traces: the last trace of each step.
        settled: traces of the steps that have come to rest in this `drystone run`.
        lock: what is tracked.
    """
    return (
        _unsafe(step, found)
        or _two_writers(step, found, traces)
        or _inside_tracked(step, found, traces, lock)
        or _circle(step, found, settled)
    )


def _unsafe(step: str, found: Findings) -> Conflict | None:
    for name in found.outputs:
        if not is_safe_path(name):
            return Conflict(f"step `{step}` wrote {name!a}, which cannot be tracked")
    return None


def _two_writers(step: str, found: Findings, traces: Mapping[str, Trace]) -> Conflict | None:
    others = {name: trace.writes for name, trace in traces.items() if name != step}
    for other, path in Flow(others).overlaps(found.outputs).items():
        return Conflict(
            f"two steps write `{path}`: `{other}` and `{step}`",
            at=[traces[other].file],
            because="what is there would depend on which of them ran last",
            hints=[f"let one of them write elsewhere, then `drystone run {step}`"],
        )
    return None


def _inside_tracked(step: str, found: Findings, traces: Mapping[str, Trace], lock: Lock) -> Conflict | None:
    """Folders that were added whole hold no outputs of steps, and outputs hold nothing that was added."""
    mine = traces[step].writes if step in traces else {}
    tracked = [path for path in lock.paths if path not in mine and path not in found.outputs]
    for path in Flow({"": tracked}).overlaps(found.outputs).values():
        around = next(
            other for other in tracked if other.startswith(f"{path}/") or path.startswith(f"{other}/")
        )
        return Conflict(
            f"step `{step}` cannot own `{path}`: `{around}` is tracked by itself",
            at=["drystone.lock"],
            hints=["let the step write outside of it"],
        )
    return None


def _circle(step: str, found: Findings, settled: Mapping[str, Trace]) -> Conflict | None:
    lookups = Lookups(frozenset((*found.reads, *found.present)), frozenset(found.absent))
    closed = circle(step, lookups, found.outputs, settled)
    if closed is None:
        return None
    return Conflict(
        f"steps `{step}` and `{closed.other}` wait for each other",
        because=[
            f"`{closed.other}` looks at `{closed.given}`, which `{step}` writes",
            f"`{step}` looks at `{closed.taken}`, which `{closed.giver}` writes",
        ],
        hints=[f"let one of them keep its state elsewhere, then `drystone run {step}`"],
    )
