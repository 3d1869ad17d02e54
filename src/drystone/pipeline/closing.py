"""Who failed, who only waited, and who waited for each other: said once nothing more can be tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import takewhile
from typing import NamedTuple

from drystone.core.errors import Conflict, DrystoneError
from drystone.pipeline.execution import Failure
from drystone.pipeline.flow import Flow, Lookups
from drystone.pipeline.results import StepResult
from drystone.pipeline.situation import Situation
from drystone.pipeline.steps import Step

_SOURCE = 1_000_000
_PATTERN = frozenset("*?")

#: Per step, who may write what it missed, each with that path.
Waits = Mapping[str, Mapping[str, str]]


class Ends(NamedTuple):
    """Results of the steps that did not come to rest, and what to raise."""

    results: list[StepResult]
    error: DrystoneError | None


def close(
    failures: Mapping[str, Failure],
    waiting: Mapping[str, str],
    situation: Situation,
) -> Ends:
    """Sort failures into causes and consequences.

    Args:
        failures: the last execution of each step that failed.
        waiting: steps that were not tried, with the failed one that they need.
        situation: what is known.
    """
    waits = {
        name: writers
        for name, failure in failures.items()
        if failure.may_wait and (writers := _awaited(name, failure, failures, waiting, situation))
    }
    results, errors = [], []
    for name, failure in failures.items():
        ring = _ring(name, waits)
        if name in waits and name not in ring:
            other, path = next(iter(waits[name].items()))
            because = f"waiting for `{path}`, which `{other}` may write"
            results.append(StepResult(name, "blocked", because=because, run=failure.run, notes=failure.notes))
        else:
            errors.append(_deadlock(ring, waits) if ring else failure.error)
            results.append(_failed(name, failure, errors[-1]))
    if failures and not errors:  # the words of their files misled us: something has to be the cause
        name, failure = next(iter(failures.items()))
        errors.append(failure.error)
        results[0] = _failed(name, failure, failure.error)
    results += [StepResult(name, "blocked", because=f"`{other}` failed") for name, other in waiting.items()]
    conflicts = [error for error in errors if isinstance(error, Conflict)]
    return Ends(results, next(iter([*conflicts, *errors]), None))


def _failed(name: str, failure: Failure, error: DrystoneError) -> StepResult:
    return StepResult(
        name,
        "failed",
        because=error.message,
        run=failure.run,
        seconds=failure.seconds,
        notes=failure.notes,
        error=error.as_dict(),
        tail=failure.tail,
    )


def _awaited(
    name: str,
    failure: Failure,
    failures: Mapping[str, Failure],
    waiting: Mapping[str, str],
    situation: Situation,
) -> dict[str, str]:
    """Those that may write what a step missed, and did not because of somebody else's failure."""
    missed = {other: failures[other].lookups.absent for other in failures if other != name}
    for other, cause in waiting.items():
        if cause != name:
            missed[other] = frozenset()
    return likely_writers(failure, missed, situation)


def _ring(name: str, waits: Waits) -> list[str]:
    """The steps that wait for each other, if following who waits for whom leads back to this one."""
    way = [name]
    while (writers := waits.get(way[-1])) is not None:
        step = next((other for other in writers if other == name), next(iter(writers)))
        if step == name:
            return way
        if step in way:
            return []
        way.append(step)
    return []


def likely_writers(
    failure: Failure, among: Mapping[str, frozenset[str]], situation: Situation
) -> dict[str, str]:
    """Steps that may write what a failed one looked for in vain, each with that path.

    Those whose last trace wrote it; where there is none, those whose file names it. Only words and
    the order of trying depend on this.

    Args:
        failure: of a step.
        among: other steps, with what they missed themselves and so do not write.
        situation: what is known.
    """
    absent = frozenset(map(_meant, failure.lookups.absent))
    absent = frozenset(name for name in absent if name and not name.startswith(("/", "steps/")))
    remembered = {name: trace for name, trace in situation.remembered.items() if name in among}
    writers = Flow.of(remembered).sources(Lookups(absent=absent))
    for name in sorted(among):
        if name not in writers:
            path = _named_in(situation.found.steps[name], absent - among[name], situation)
            if path is not None:
                writers[name] = path
    return writers


def awaiting(writers: Mapping[str, str]) -> str:
    """What a step waits for in words, each path once.

    Args:
        writers: of `likely_writers`.
    """
    by_path: dict[str, list[str]] = {}
    for step, path in writers.items():
        by_path.setdefault(path, []).append(f"`{step}`")
    return (
        "; ".join(
            f"waiting for `{path}`, which {' or '.join(steps)} may write" for path, steps in by_path.items()
        )
        or "other steps may write what it missed"
    )


def _named_in(step: Step, paths: Iterable[str], situation: Situation) -> str | None:
    """The first of these paths that the text of a step names, in full or by its last part."""
    try:
        with (situation.rooms.layout.root / step.path).open("rb") as file:
            text = file.read(_SOURCE).decode("utf-8", "replace")
    except OSError:
        return None
    # A bare word is in many a text.
    telling = sorted(path for path in paths if "." in path or "/" in path)
    whole = [path for path in telling if path in text]
    return next(iter([*whole, *(path for path in telling if path.rpartition("/")[2] in text)]), None)


def _meant(name: str) -> str:
    """A path; of a pattern, which some programs look up as it stands, the folder that it begins in."""
    plain = takewhile(_PATTERN.isdisjoint, name.split("/"))
    return "/".join(plain)


def _deadlock(ring: list[str], waits: Waits) -> Conflict:
    start = ring.index(min(ring))  # told alike, whoever it is told about
    ring = ring[start:] + ring[:start]
    because = []
    for step, other in zip(ring, [*ring[1:], ring[0]], strict=True):
        because.append(f"`{step}` looked for `{waits[step][other]}`, which `{other}` may write")
    names = ", ".join(f"`{step}`" for step in ring[:-1])
    return Conflict(
        f"steps {names} and `{ring[-1]}` wait for each other",
        because=because,
        hints=[f"see what they printed with `drystone show {ring[0]}`"],
    )
