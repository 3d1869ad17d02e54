"""Which objects somebody may ask for by a name that the ledger knows."""

from __future__ import annotations

from collections.abc import Iterator

from drystone.ledger.facts import RunStarted, decode
from drystone.ledger.ledger import Ledger
from drystone.objects.entry import Entry


def of_ledger(ledger: Ledger) -> Iterator[Entry]:
    """What runs wrote, printed and ran with, and all registered versions. Sizes are not known: 0."""
    trees: set[str] = set()
    for path, name, tree in ledger.query("SELECT path, object, tree FROM edge WHERE direction = 'write'"):
        if tree:
            trees.add(name)
        yield Entry(path, "tree" if tree else "file", name, 0)
    for asset, version, name in ledger.query("SELECT name, version, object FROM version"):
        yield Entry(f"{asset}@v{version}", "tree" if name in trees else "file", name, 0)
    for run, fact, output in ledger.query("SELECT run, started_fact, output FROM run"):
        if output:
            yield Entry(f"output of run {run}", "file", output, 0)
        started = decode(fact) if fact else None
        if isinstance(started, RunStarted):
            if started.environment:
                yield Entry(f"environment of run {run}", "file", started.environment, 0)
            if started.code and started.code.changes:
                yield Entry(f"changes of run {run}", "file", started.code.changes, 0)
    for step, name in ledger.query("SELECT step, trace FROM trace"):
        yield Entry(f"trace of step {step}", "file", name, 0)
