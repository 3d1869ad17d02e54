from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from drystone.core.clock import ManualClock
from drystone.core.errors import UsageError, WorkFailed
from drystone.core.ids import new_id
from drystone.ledger import names
from drystone.ledger.facts import Edge, Evidence, RunStarted, Tags, VersionRegistered
from drystone.ledger.ledger import Ledger
from drystone.registry import aliases, gates

from .registry_world import Registering, object_id

AUC, SLICES = "checks/churn.py::test_auc", "checks/churn.py::test_slices"


class World:
    """One project's ledger, filled as the other rooms would."""

    def __init__(self, ledger: Ledger, clock: ManualClock, registering: Registering) -> None:
        self.ledger, self.clock, self._registering = ledger, clock, registering

    def run(self, kind: Any, *facts: Any) -> str:
        self.clock.advance(1)
        run = new_id(self.clock.now())
        self.ledger.record(RunStarted(run, kind, "x", self.clock.now()), *facts)
        return run

    def trained(self, digits: str, *inputs: str, name: str = "churn") -> VersionRegistered:
        """A model trained on these data objects."""
        run = self.run("step")
        edges = [Edge(run, "read", f"data/{data}", object_id(data)) for data in inputs]
        self.ledger.record(Edge(run, "write", f"models/{name}", object_id(digits), True), *edges)
        return self._registering(name, digits, run=run)

    def tested(
        self,
        verdicts: dict[str, str],
        subject: str,
        *,
        about: str = "model:churn",
        known: Sequence[str] = (),
        kind: str = "model",
        against: str | None = None,
        opponent: str = "champion",
        threshold: str | None = ">= 0.82",
        more: Sequence[dict[str, Any]] = (),
    ) -> None:
        """A test run that gave these verdicts and knew, beside them, of more checks of models."""
        run = self.run("test")
        compared = dict.fromkeys(verdicts, opponent) if against is not None else {}
        catalogue: list[dict[str, Any]] = [
            {"check": check.partition("[")[0], "kind": kind, "about": [about], "opponents": compared}
            for check in verdicts
        ]
        catalogue += [{"check": check, "kind": "model", "about": []} for check in known]
        catalogue += more
        self.ledger.record(Tags(run, {gates.CATALOGUE: json.dumps(catalogue)}, self.clock.now()))
        for check, verdict in verdicts.items():
            self.ledger.record(
                Evidence(
                    new_id(self.clock.now()),
                    check,
                    object_id(subject),
                    about,
                    verdict,  # type: ignore[arg-type]
                    run,
                    self.clock.now(),
                    value=0.79,
                    threshold=threshold,
                    against=against and object_id(against),
                )
            )

    def promoted(self, version: VersionRegistered, alias: str = "champion") -> None:
        self.clock.advance(1)
        gates.promote(self.ledger, version, alias, by=None, clock=self.clock)

    def verdicts(self, version: VersionRegistered, alias: str = "champion") -> dict[str, str]:
        findings = gates.evaluate(self.ledger, version, alias).findings
        return {finding.check: finding.verdict for finding in findings}

    def passes(self, version: VersionRegistered, alias: str = "champion") -> bool:
        return gates.evaluate(self.ledger, version, alias).passed


@pytest.fixture
def world(ledger: Ledger, clock: ManualClock, registering: Registering) -> World:
    return World(ledger, clock, registering)


def test_a_model_that_no_check_has_judged_stays_out(world: World) -> None:
    assert not world.passes(world.trained("aa"))


def test_a_model_whose_checks_all_pass_gets_in(world: World) -> None:
    version = world.trained("aa")
    world.tested({AUC: "pass", SLICES: "pass"}, "aa")
    assert world.passes(version)


@pytest.mark.parametrize("verdict", ["fail", "unsure"])
def test_one_verdict_that_is_not_pass_keeps_it_out(world: World, verdict: str) -> None:
    version = world.trained("aa")
    world.tested({AUC: "pass", SLICES: verdict}, "aa")
    result = gates.evaluate(world.ledger, version, "champion")
    assert [(finding.check, finding.verdict) for finding in result.refusals] == [(SLICES, verdict)]


def test_evidence_about_another_object_of_the_model_does_not_count(world: World) -> None:
    world.trained("aa")
    world.tested({AUC: "pass"}, "aa")
    version = world.trained("bb")
    result = gates.evaluate(world.ledger, version, "champion")
    assert [finding.verdict for finding in result.refusals] == ["missing"]


def test_a_check_known_to_the_newest_test_run_must_have_judged_it(world: World) -> None:
    version = world.trained("aa")
    world.tested({AUC: "pass"}, "aa", known=[SLICES])
    assert not world.passes(version)
    world.tested({AUC: "pass", SLICES: "pass"}, "aa")
    assert world.passes(version)


def test_a_check_of_another_model_is_not_asked_for(world: World) -> None:
    version = world.trained("aa")
    world.trained("cc", name="fraud")
    world.tested({AUC: "pass"}, "aa")
    world.tested({"checks/fraud.py::test_auc": "fail"}, "cc", about="model:fraud")
    world.tested({AUC: "pass"}, "aa", known=["checks/fraud.py::test_auc"])
    assert world.passes(version)


def test_a_later_run_of_the_check_decides(world: World) -> None:
    version = world.trained("aa")
    world.tested({AUC: "fail"}, "aa")
    world.tested({AUC: "pass"}, "aa")
    assert world.passes(version)
    world.tested({AUC: "unsure"}, "aa")
    assert not world.passes(version)


def test_a_claim_that_the_check_no_longer_makes_does_not_count(world: World) -> None:
    version = world.trained("aa")
    world.tested({f"{AUC}[auc]": "fail", f"{AUC}[recall]": "pass"}, "aa")
    world.tested({f"{AUC}[recall]": "pass"}, "aa")
    assert world.passes(version)


@pytest.mark.parametrize("verdict", ["pass", "fail", "unsure"])
def test_a_check_that_is_no_more_counts_neither_for_nor_against(world: World, verdict: str) -> None:
    version = world.trained("aa")
    world.tested({AUC: verdict}, "aa")
    world.tested({SLICES: "pass"}, "aa")
    assert world.verdicts(version) == {SLICES: "pass"}


def test_a_check_of_data_that_is_no_more_does_not_count(world: World) -> None:
    version = world.trained("aa", "dd")
    check = "checks/flights.py::test_keys"
    world.tested({check: "fail"}, "dd", about="data:flights", kind="data", known=[AUC])
    world.tested({AUC: "pass"}, "aa")
    assert world.passes(version)


def test_a_test_that_judges_nothing_is_not_asked_for(world: World) -> None:
    version = world.trained("aa")
    idle = {"check": SLICES, "kind": "model", "about": [], "verdict": "pass"}
    world.tested({AUC: "pass"}, "aa", more=[idle])
    assert world.passes(version)


def test_passing_tests_without_a_claim_are_not_enough(
    world: World, ledger: Ledger, clock: ManualClock
) -> None:
    version = world.trained("aa")
    world.tested({AUC: "pass"}, "aa", threshold=None)
    with pytest.raises(WorkFailed) as raised:
        gates.promote(ledger, version, "champion", by=None, clock=clock)
    assert raised.value.because == ("no check makes a claim about this object",)


def test_the_first_champion_has_nothing_to_be_compared_with(world: World) -> None:
    first = world.trained("aa")
    world.tested({AUC: "pass"}, "aa", against="")
    world.promoted(first)
    assert world.passes(first), "it is not worse than itself"
    assert world.passes(first, "production")


def test_a_comparison_made_before_there_was_a_champion_is_missing_once_there_is_one(world: World) -> None:
    first, second = world.trained("aa"), world.trained("bb")
    for digits in ("aa", "bb"):
        world.tested({AUC: "pass"}, digits, against="")
    world.promoted(first)
    result = gates.evaluate(world.ledger, second, "champion")
    assert [(one.check, one.verdict) for one in result.refusals] == [(AUC, "missing")]
    error = gates.refused(world.ledger, result)
    assert error.details == (
        "test_auc  missing    it was not compared with the `champion` there is now  checks/churn.py",
    )
    assert error.hints[0] == "test exactly this version with `drystone test model:churn@v2`"
    world.tested({AUC: "pass"}, "bb", against="aa")
    assert world.passes(second)


def test_a_comparison_with_a_former_champion_is_missing(world: World) -> None:
    first, second, third = (world.trained(digits) for digits in ("aa", "bb", "cc"))
    world.tested({AUC: "pass"}, "aa", against="")
    world.promoted(first)
    for digits in ("bb", "cc"):
        world.tested({AUC: "pass"}, digits, against="aa")
    world.promoted(first, "latest")
    world.promoted(second)
    assert world.verdicts(third) == {AUC: "missing"}


def test_a_comparison_with_a_champion_that_was_taken_away_is_missing(world: World, ledger: Ledger) -> None:
    first, second = world.trained("aa"), world.trained("bb")
    world.tested({AUC: "pass"}, "aa", against="")
    world.promoted(first)
    world.tested({AUC: "pass"}, "bb", against="aa")
    world.clock.advance(1)
    aliases.remove(ledger, "model", "churn", "champion", by=None, clock=world.clock)
    assert world.verdicts(second) == {AUC: "missing"}


def test_a_comparison_with_a_numbered_version_stays_true(world: World) -> None:
    first, second = world.trained("aa"), world.trained("bb")
    world.tested({AUC: "pass"}, "aa")
    world.promoted(first)
    world.tested({AUC: "pass"}, "bb", against="ff", opponent="v1")
    assert world.passes(second)


def test_claims_of_one_test_are_one_check(world: World) -> None:
    version = world.trained("aa")
    world.tested({f"{AUC}[auc]": "fail", f"{AUC}[recall]": "fail", SLICES: "pass"}, "aa")
    result = gates.evaluate(world.ledger, version, "champion")
    assert (len(result.findings), result.counts) == (3, (2, 1))


def test_a_failed_check_of_data_it_was_made_from_keeps_it_out(world: World) -> None:
    version = world.trained("aa", "dd")
    world.tested({AUC: "pass"}, "aa")
    check = "checks/flights.py::test_keys"
    world.tested({check: "fail"}, "dd", about="data:flights", kind="data", known=[AUC])
    result = gates.evaluate(world.ledger, version, "champion")
    assert [(finding.check, finding.about) for finding in result.refusals] == [(check, "data:flights")]
    world.tested({check: "pass"}, "dd", about="data:flights", kind="data", known=[AUC])
    assert world.passes(version)


def test_a_failed_check_of_data_further_up_keeps_it_out(world: World) -> None:
    run = world.run("step")
    world.ledger.record(
        Edge(run, "read", "data/raw", object_id("ee")), Edge(run, "write", "data/dd", object_id("dd"))
    )
    version = world.trained("aa", "dd")
    world.tested({AUC: "pass"}, "aa")
    world.tested({"checks/raw.py::test_rows": "fail"}, "ee", about="data:raw", kind="data", known=[AUC])
    assert not world.passes(version)


def test_an_unsure_check_of_data_does_not_keep_it_out(world: World) -> None:
    version = world.trained("aa", "dd")
    world.tested({AUC: "pass"}, "aa")
    check = "checks/flights.py::test_keys"
    world.tested({check: "unsure"}, "dd", about="data:flights", kind="data", known=[AUC])
    assert world.passes(version)


@pytest.mark.parametrize(
    ("alias", "open_to_all"), [("champion", False), ("production", False), ("latest", True)]
)
def test_only_champion_and_production_are_guarded(world: World, alias: str, open_to_all: bool) -> None:
    assert world.passes(world.trained("aa"), alias) is open_to_all


def test_a_promotion_through_the_gate_records_the_evidence_it_rests_on(
    world: World, ledger: Ledger, clock: ManualClock
) -> None:
    version = world.trained("aa")
    world.tested({AUC: "pass"}, "aa")
    moved = gates.promote(ledger, version, "champion", by="ada", clock=clock)
    assert (moved.gate, moved.by, moved.reason, len(moved.evidence)) == ("passed", "ada", None, 1)
    assert names.aliases(ledger, "model", "churn")["champion"] == moved


def test_a_refusal_shows_each_failing_check_and_the_way_on(
    world: World, ledger: Ledger, clock: ManualClock
) -> None:
    first = world.trained("aa")
    world.tested({AUC: "pass", SLICES: "pass"}, "aa")
    gates.promote(ledger, first, "champion", by=None, clock=clock)
    second = world.trained("bb")
    world.tested({AUC: "fail", SLICES: "pass"}, "bb")
    with pytest.raises(WorkFailed) as raised:
        gates.promote(ledger, second, "champion", by=None, clock=clock)
    error = raised.value
    assert error.message == "`model:churn@v2` was not promoted to `champion`: 1 of 2 checks did not pass"
    assert error.details == ("test_auc  fail  0.79  required >= 0.82  checks/churn.py",)
    assert error.hints == (
        "compare with `drystone diff model:churn@v1 model:churn@v2`",
        'record an override with `drystone promote churn@v2 champion --override "reason"`',
    )
    assert names.aliases(ledger, "model", "churn")["champion"].version == 1


def test_an_untested_model_is_told_how_to_be_tested(world: World, ledger: Ledger, clock: ManualClock) -> None:
    with pytest.raises(WorkFailed) as raised:
        gates.promote(ledger, world.trained("aa"), "champion", by=None, clock=clock)
    assert raised.value.hints[0] == "test exactly this version with `drystone test model:churn@v1`"


def test_an_override_moves_the_alias_and_its_reason_is_kept(
    world: World, ledger: Ledger, clock: ManualClock
) -> None:
    version = world.trained("aa")
    world.tested({AUC: "fail"}, "aa")
    moved = gates.promote(ledger, version, "champion", by="ada", clock=clock, reason=" the old one broke ")
    assert (moved.gate, moved.reason, len(moved.evidence)) == ("overridden", "the old one broke", 1)


def test_a_reason_that_was_not_needed_overrides_nothing_and_is_kept(
    world: World, ledger: Ledger, clock: ManualClock
) -> None:
    version = world.trained("aa")
    world.tested({AUC: "pass"}, "aa")
    moved = gates.promote(ledger, version, "champion", by="ada", clock=clock, reason="in a hurry")
    assert (moved.gate, moved.reason) == ("passed", "in a hurry")


def test_a_blank_reason_is_none(world: World, ledger: Ledger, clock: ManualClock) -> None:
    with pytest.raises(UsageError, match="needs a reason"):
        gates.promote(ledger, world.trained("aa"), "champion", by=None, clock=clock, reason="  ")
