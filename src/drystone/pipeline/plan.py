"""What `drystone run` would do, without doing it."""

from __future__ import annotations

from drystone.pipeline import flow
from drystone.pipeline.explain import Reason, sentence
from drystone.pipeline.flow import Flow, Lookups
from drystone.pipeline.results import Listener, RunOptions, StepFinished, StepResult
from drystone.pipeline.situation import Situation
from drystone.pipeline.trace import Trace


def plan(
    situation: Situation, wanted: list[str], options: RunOptions, listener: Listener
) -> list[StepResult]:
    """Decide about each step as things are now.

    A step that looked at what an earlier one may write anew is said to run perhaps.
    """
    steps, remembered = situation.found.steps, situation.remembered
    selected = flow.closure(wanted, remembered) if wanted else set(steps)
    changing: dict[str, list[str]] = {}
    results = []
    for name in flow.order(selected, {name: trace for name, trace in remembered.items() if name in selected}):
        decision = situation.decide(steps[name])
        reasons = decision.reasons
        if options.force and (not wanted or name in wanted):
            reasons = (Reason("forced", "`--force` was given", name),)
        sources = Flow(changing).sources(Lookups.of(remembered[name])) if name in remembered else {}
        if reasons:
            changing[name] = _written(remembered.get(name))
            results.append(StepResult(name, "would-run", because=sentence(reasons), reasons=reasons))
        elif sources:
            changing[name] = _written(remembered[name])
            reasons = tuple(
                Reason("upstream", f"`{other}` may change `{path}`", path) for other, path in sources.items()
            )
            results.append(StepResult(name, "may-run", because=sentence(reasons), reasons=reasons))
        else:
            results.append(StepResult(name, "would-restore" if decision.restore else "unchanged"))
        listener(StepFinished(results[-1]))
    return results


def _written(trace: Trace | None) -> list[str]:
    return [*trace.writes, *trace.left] if trace is not None else []
