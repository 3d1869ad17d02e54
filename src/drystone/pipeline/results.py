"""What `drystone run` tells: one event as each step begins and ends, and the whole at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from drystone.core.errors import DrystoneError
from drystone.ledger.facts import VersionRegistered
from drystone.pipeline.explain import Reason, sentence

Outcome = Literal[
    "ran", "unchanged", "restored", "failed", "blocked", "would-run", "would-restore", "may-run"
]


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for.

    Attributes:
        steps: only these, and what they need; empty for all.
        force: execute them even if nothing changed.
        dry_run: say what would run, and run nothing.
        wait: wait for another `drystone run` instead of giving up.
        timeout: seconds that one execution may take.
    """

    steps: tuple[str, ...] = ()
    force: bool = False
    dry_run: bool = False
    wait: bool = False
    timeout: float | None = None


class StepResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one step.

    Attributes:
        outcome: `ran`; `unchanged` nothing to do; `restored` outputs came from the store; `failed`;
            `blocked` by another step's failure. A dry run says `would-run`, `would-restore`, or
            `may-run` where that depends on what a step before it writes.
        because: why, in one clause.
        reasons: the differences behind it.
        run: its execution in this `drystone run`.
        published: versions that it made, registered when all steps had come to rest.
        notes: sentences about what else a person should know.
        error: what failed.
        tail: the last lines that a failed step printed.
    """

    step: str
    outcome: Outcome
    because: str = ""
    reasons: tuple[Reason, ...] = ()
    run: str | None = None
    seconds: float = 0.0
    published: tuple[VersionRegistered, ...] = ()
    notes: tuple[str, ...] = ()
    error: dict[str, object] | None = None
    tail: str = ""


class StepStarted(msgspec.Struct, frozen=True):
    """An execution begins."""

    step: str
    reasons: tuple[Reason, ...]

    @property
    def because(self) -> str:
        """Why, in one clause."""
        return sentence(self.reasons)


class StepWaiting(msgspec.Struct, frozen=True):
    """A first try failed, quietly: another step may write what was missing."""

    step: str
    run: str
    because: str


class StepFinished(msgspec.Struct, frozen=True):
    """A step has its result."""

    result: StepResult


class StepRegistered(msgspec.Struct, frozen=True):
    """What a step made has become versions, all steps having come to rest."""

    step: str
    published: tuple[VersionRegistered, ...]


Event = StepStarted | StepWaiting | StepFinished | StepRegistered
Listener = Callable[[Event], None]


class PipelineResult(msgspec.Struct, frozen=True):
    """The whole.

    Attributes:
        steps: in the order in which they came to rest.
        others: files in `steps/` that are no steps, and why.
        notes: sentences about what was found and mended before anything ran.
        seconds: wall time.
        interrupted: whether the user stopped it.
        error: what to raise at the edge, None if all went well.
    """

    steps: tuple[StepResult, ...]
    others: dict[str, str]
    notes: tuple[str, ...]
    seconds: float
    interrupted: bool
    error: DrystoneError | None

    def as_dict(self) -> dict[str, object]:
        """The result as it appears under `--json`; keys are only ever added."""
        return {
            "steps": [msgspec.to_builtins(step) for step in self.steps],
            "others": self.others,
            "notes": list(self.notes),
            "seconds": self.seconds,
            "interrupted": self.interrupted,
            "error": self.error.as_dict() if self.error else None,
        }
