"""`drystone promote`, as a user meets it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from drystone.cli import parse
from drystone.cli.context import Context
from drystone.core.clock import ManualClock
from drystone.core.errors import DrystoneError
from drystone.core.ids import new_id
from drystone.ledger import names
from drystone.ledger.facts import Evidence
from drystone.ledger.ledger import Ledger

from .registry_world import Registering, object_id


class Said(NamedTuple):
    """What the command said."""

    code: int
    out: str
    err: str


Promote = Callable[..., Said]


@pytest.fixture
def promote(repository: Path) -> Promote:
    def call(*words: str) -> Said:
        out, err = io.StringIO(), io.StringIO()
        context = Context(
            cwd=repository, environ={"USER": "ada"}, stdout=out, stderr=err, json="--json" in words
        )
        try:
            code = parse.dispatch(["promote", *words], context)
        except DrystoneError as error:
            context.error(error)
            code = error.exit
        context.close()
        return Said(code, out.getvalue(), err.getvalue())

    return call


@pytest.fixture
def judged(ledger: Ledger, clock: ManualClock, registering: Registering) -> Callable[[str, Any], None]:
    """Registers an object as the next version of `churn`, with one verdict about it."""

    def call(digits: str, verdict: Any) -> None:
        registering("churn", digits)
        check, now = "checks/churn.py::test_auc", clock.now()
        ledger.record(
            Evidence(
                new_id(now),
                check,
                object_id(digits),
                "model:churn",
                verdict,
                "run",
                now,
                value=0.79,
                threshold=">= 0.82",
            )
        )

    return call


Judged = Callable[[str, Any], None]


def _champion(ledger: Ledger) -> Any:
    return names.aliases(ledger, "model", "churn").get("champion")


def test_a_version_that_passes_becomes_the_champion(promote: Promote, judged: Judged, ledger: Ledger) -> None:
    judged("aa", "pass")
    said = promote("model:churn@v1", "champion")
    assert said.code == 0
    assert said.out.splitlines() == [
        "`model:churn@v1` is now @champion",
        "  the gate let it pass: 1 of 1 checks passed",
    ]
    assert "drystone serve model:churn@champion" in said.err
    assert (_champion(ledger).version, _champion(ledger).by) == (1, "ada")


def test_a_version_that_fails_is_refused_with_the_figures(
    promote: Promote, judged: Judged, ledger: Ledger
) -> None:
    judged("aa", "fail")
    said = promote("churn", "champion")
    assert (said.code, said.out) == (1, "")
    assert "error: `model:churn@v1` was not promoted to `champion`: 1 of 1 checks did not pass" in said.err
    assert "test_auc  fail  0.79  required >= 0.82  checks/churn.py" in said.err
    assert _champion(ledger) is None


def test_an_override_is_recorded_with_its_reason(promote: Promote, judged: Judged, ledger: Ledger) -> None:
    judged("aa", "fail")
    said = promote("churn@v1", "champion", "--override", "the old one broke")
    assert said.code == 0
    assert "overridden" in said.out
    assert (_champion(ledger).gate, _champion(ledger).reason) == ("overridden", "the old one broke")


def test_an_override_that_was_not_needed_is_told_and_recorded(
    promote: Promote, judged: Judged, ledger: Ledger
) -> None:
    judged("aa", "pass")
    said = promote("churn@v1", "champion", "--override", "in a hurry")
    assert "the gate passed without the override; its reason is recorded all the same" in said.err
    assert (_champion(ledger).gate, _champion(ledger).reason) == ("passed", "in a hurry")


def test_data_are_not_advised_to_be_served(promote: Promote, registering: Registering) -> None:
    registering("flights", "dd", kind="data")
    said = promote("data:flights", "champion")
    assert (said.code, "serve" in said.err) == (0, False)


def test_a_dry_run_moves_nothing(promote: Promote, judged: Judged, ledger: Ledger) -> None:
    judged("aa", "pass")
    assert "`model:churn@v1` would be @champion" in promote("churn@v1", "champion", "--dry-run").out
    judged("bb", "fail")
    assert promote("churn@v2", "champion", "--dry-run").code == 1
    assert _champion(ledger) is None


def test_an_alias_without_a_gate_moves_freely(promote: Promote, judged: Judged) -> None:
    judged("aa", "fail")
    assert "no gate guards this alias" in promote("churn@v1", "candidate").out


def test_json_tells_what_the_gate_saw(promote: Promote, judged: Judged) -> None:
    judged("aa", "pass")
    promote("churn@v1", "champion")
    judged("bb", "pass")
    document = json.loads(promote("churn@v2", "champion", "--json").out)
    assert (document["version"], document["alias"], document["previous"]) == ("model:churn@v2", "champion", 1)
    assert (document["gate"], document["findings"][0]["verdict"]) == ("passed", "pass")


def test_a_refusal_in_json_is_an_error_document(promote: Promote, judged: Judged) -> None:
    judged("aa", "unsure")
    said = promote("churn@v1", "champion", "--json")
    assert (said.code, json.loads(said.out)["error"]["code"]) == (1, "work-failed")
