"""Which step feeds which, as far as their traces tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from drystone.pipeline.trace import Trace


class Lookups(msgspec.Struct, frozen=True):
    """What an execution looked at, whether it succeeded or not."""

    reads: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()

    @classmethod
    def of(cls, trace: Trace) -> Lookups:
        """The look-ups of a trace."""
        return cls(
            frozenset((*trace.reads, *trace.present)), frozenset(trace.absent), frozenset(trace.listed)
        )


class Circle(NamedTuple):
    """A step depends on what it feeds: `other` looked at `given`, and it looked at `taken` of `giver`."""

    other: str
    given: str
    giver: str
    taken: str


class Flow:
    """Finds the writers of what was looked at.

    A written tree concerns whoever read in it; a written file concerns whoever looked in vain for a
    folder above it, or listed one.

    Args:
        written: paths by step.
    """

    def __init__(self, written: Mapping[str, Iterable[str]]) -> None:
        self._writers: dict[str, list[str]] = {}
        self._below: dict[str, list[str]] = {}
        for step in sorted(written):
            for name in written[step]:
                self._writers.setdefault(name, []).append(step)
                for folder in _above(name):
                    steps = self._below.setdefault(folder, [])
                    if steps[-1:] != [step]:
                        steps.append(step)

    @classmethod
    def of(cls, traces: Mapping[str, Trace]) -> Flow:
        """The flow that traces tell of."""
        return cls({step: (*trace.writes, *trace.left) for step, trace in traces.items()})

    def sources(self, lookups: Lookups, *, listings: bool = True) -> dict[str, str]:
        """Steps that wrote something of what was looked at, each with one such path."""
        found: dict[str, str] = {}
        for name in sorted(lookups.reads | lookups.absent):
            for written in (name, *_above(name)):
                for step in self._writers.get(written, ()):
                    found.setdefault(step, name)
        for name in sorted(lookups.absent | (lookups.listed if listings else frozenset())):
            for step in self._below.get(name, ()):
                found.setdefault(step, name)
        return found

    def overlaps(self, names: Iterable[str]) -> dict[str, str]:
        """Steps that write one of these paths too, a tree around one or something in one."""
        found: dict[str, str] = {}
        for name in names:
            for written in (name, *_above(name)):
                for step in self._writers.get(written, ()):
                    found.setdefault(step, name)
            for step in self._below.get(name, ()):
                found.setdefault(step, name)
        return found


def order(names: Iterable[str], traces: Mapping[str, Trace]) -> list[str]:
    """Steps so that writers come before readers as their traces tell; steps without a trace come last.

    Ties are broken by name. Where traces contradict each other the order is that of the names.
    """
    names = sorted(names)
    flow = Flow.of(traces)
    upstream = {name: sorted(flow.sources(Lookups.of(traces[name]))) for name in names if name in traces}
    ordered: dict[str, None] = {}
    begun: set[str] = set()
    for first in upstream:
        stack = [first]
        while stack:
            name = stack[-1]
            waiting = (
                []
                if name in begun
                else [other for other in upstream[name] if other in upstream and other not in begun]
            )
            begun.add(name)
            if waiting:
                stack.extend(reversed(waiting))
            else:
                ordered[stack.pop()] = None
    return [*ordered, *(name for name in names if name not in traces)]


def closure(names: Iterable[str], traces: Mapping[str, Trace]) -> set[str]:
    """Steps with everything that they need, as far as traces tell."""
    flow = Flow.of(traces)
    found: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(flow.sources(Lookups.of(traces[name])) if name in traces else ())
    return found


def circle(name: str, lookups: Lookups, writes: Iterable[str], traces: Mapping[str, Trace]) -> Circle | None:
    """How a step would feed itself through others, None if it would not.

    Args:
        name: the step.
        lookups: what it looked at.
        writes: what it wrote.
        traces: of the other steps.
    """
    others = {other: trace for other, trace in traces.items() if other != name}
    # Outside of the project steps may well share what they keep for later, such as compiled code.
    ours, flow = Flow({name: writes}), Flow({other: trace.writes for other, trace in others.items()})
    pending = [(giver, giver, taken) for giver, taken in flow.sources(lookups, listings=False).items()]
    seen: set[str] = set()
    while pending:
        here, giver, taken = pending.pop()
        if here not in seen:
            seen.add(here)
            theirs = Lookups.of(others[here])
            given = ours.sources(theirs, listings=False)
            if given:
                return Circle(here, given[name], giver, taken)
            pending.extend(
                (other, giver, taken) for other in flow.sources(theirs, listings=False) if other != here
            )
    return None


def _above(name: str) -> Iterator[str]:
    """The folders that hold a path, the root last; of a path outside, those below `/`."""
    inside = not name.startswith("/")
    while name.rfind("/") > 0:
        name = name.rpartition("/")[0]
        yield name
    if inside:
        yield "."
