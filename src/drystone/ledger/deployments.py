"""Reading deployments and the monitors' verdicts about them."""

from __future__ import annotations

from drystone.ledger.facts import DeploymentChanged, WindowJudged
from drystone.ledger.ledger import Ledger
from drystone.ledger.names import decoded


def history(ledger: Ledger, name: str) -> list[DeploymentChanged]:
    """Everything that happened to one deployment, oldest first."""
    rows = ledger.query("SELECT fact FROM deployment WHERE name = ? ORDER BY time, run, status", (name,))
    return decoded(rows, DeploymentChanged)


def current(ledger: Ledger) -> list[DeploymentChanged]:
    """The last change of each deployment, by name."""
    rows = ledger.query("SELECT fact, name, max(time) FROM deployment GROUP BY name ORDER BY name")
    return decoded(rows, DeploymentChanged)


def windows(ledger: Ledger, deployment: str) -> list[WindowJudged]:
    """The newest verdict about each window of a deployment, in order of time."""
    rows = ledger.query(
        'SELECT fact, max(time) FROM window WHERE deployment = ? GROUP BY start, "end" ORDER BY start, "end"',
        (deployment,),
    )
    return decoded(rows, WindowJudged)
