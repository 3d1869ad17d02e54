"""Gates: the evidence that moving an alias demands.

The aliases `champion` and `production` are guarded; every other alias moves freely. A guarded alias
moves to a version only if, for exactly the object that it is,

1. there is evidence of at least one claim about the model;
2. each check of the model known to the newest test run has evidence, and all that its newest run
   recorded is `pass`; `unsure` is not enough;
3. a comparison with another version was made with the one that stands there now;
4. no dataset in the lineage of the run that made it has failed a check.

A claim that a check no longer makes does not count: of each check only the newest run's records do. Nor
does a check that the newest test run does not know, for it was renamed or removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from drystone.core.clock import Clock
from drystone.core.errors import UsageError, WorkFailed
from drystone.core.refs import is_valid_alias
from drystone.ledger import evidence, lineage, names, runs
from drystone.ledger.facts import AliasMoved, Evidence, VersionRegistered
from drystone.ledger.ledger import Ledger
from drystone.registry import aliases
from drystone.registry.versions import reference

GUARDED = frozenset({"champion", "production"})
#: Tag of a test run: JSON list of `KnownCheck`, every check there was.
CATALOGUE = "drystone.checks"
#: Test runs looked back through to find out what a check that did not run is about.
_LOOK_BACK = 20


class KnownCheck(msgspec.Struct, frozen=True):
    """A check as a test run found it.

    Attributes:
        about: what it judged, references without versions; empty if it did not come to that.
        verdict: how it ended, None if it did not run.
        opponents: by the check of its evidence, the alias or version that a comparison was made with.
    """

    check: str
    kind: str
    about: tuple[str, ...] = ()
    verdict: str | None = None
    opponents: dict[str, str] = {}


class Finding(NamedTuple):
    """One check and what the gate saw of it.

    Attributes:
        check: id of the check, with its claim where it makes several.
        verdict: `pass`, `fail`, `unsure`, or `missing` where there is no evidence.
        about: what was judged, e.g. `model:late-arrival`.
        evidence: the record, None if missing.
        why: what is wrong with the evidence there is, where it counts as missing.
    """

    check: str
    verdict: str
    about: str
    evidence: Evidence | None
    why: str = ""


class GateResult(NamedTuple):
    """What a gate says about moving an alias to a version.

    Attributes:
        guarded: whether any gate guards the alias; one that is not guarded lets everything pass.
        findings: every check that was looked at, by check; data checks only if they failed.
        refusals: those among them that keep the gate shut.
    """

    version: VersionRegistered
    alias: str
    guarded: bool
    findings: tuple[Finding, ...] = ()
    refusals: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the alias may move."""
        return not self.guarded or (self._claimed and not self.refusals)

    @property
    def _claimed(self) -> bool:
        """Whether anything was claimed of the model: only a claim has a threshold."""
        return any(finding.evidence and finding.evidence.threshold for finding in self.findings)

    @property
    def counts(self) -> tuple[int, int]:
        """How many checks were looked at, and how many of them keep the gate shut.

        The claims and the cases of one test are one check.
        """
        both = (self.findings, self.refusals)
        looked, refusing = ({_without_claim(finding.check) for finding in those} for those in both)
        return len(looked), len(refusing)

    @property
    def evidence(self) -> tuple[str, ...]:
        """Ids of the evidence that was looked at."""
        return tuple(finding.evidence.id for finding in self.findings if finding.evidence)


def evaluate(ledger: Ledger, version: VersionRegistered, alias: str) -> GateResult:
    """Ask the gate, moving nothing.

    Raises:
        UsageError: `alias` cannot be an alias.
    """
    aliases.check_name(alias)
    if alias not in GUARDED or version.kind != "model":
        return GateResult(version, alias, guarded=False)
    findings = [*_of_model(ledger, version), *_of_data(ledger, version)]
    refusals = tuple(finding for finding in findings if finding.verdict != "pass")
    return GateResult(version, alias, True, tuple(findings), refusals)


def promote(
    ledger: Ledger,
    version: VersionRegistered,
    alias: str,
    *,
    by: str | None,
    clock: Clock,
    reason: str | None = None,
) -> AliasMoved:
    """Move an alias to a version if its gate lets it, or with a reason although it does not.

    A reason is always recorded; the move counts as overridden only where the gate refuses.

    Raises:
        WorkFailed: the gate refuses and no reason was given.
        UsageError: `alias` cannot be an alias, or the reason is blank.
    """
    if reason is not None and not reason.strip():
        raise UsageError("an override needs a reason", hints=['say why: `--override "REASON"`'])
    result = evaluate(ledger, version, alias)
    gate: aliases.Gate = "passed" if result.guarded else "none"
    if not result.passed:
        if reason is None:
            raise refused(ledger, result)
        gate = "overridden"
    return aliases.move(
        ledger,
        version,
        alias,
        by=by,
        clock=clock,
        gate=gate,
        reason=None if reason is None else reason.strip(),
        evidence=result.evidence,
    )


def refused(ledger: Ledger, result: GateResult) -> WorkFailed:
    """The error that tells a person why a gate stays shut and what to type next."""
    version, (looked, count) = result.version, result.counts
    subject = reference(version)
    short = f"{version.name}@v{version.version}"
    what = f"{count} of {looked} checks did not pass" if count else "it has not been tested"
    untested = "no check has judged this object" if not looked else "no check makes a claim about this object"
    hints = []
    if not count or any(finding.verdict == "missing" for finding in result.refusals):
        hints.append(f"test exactly this version with `drystone test {subject}`")
    standing = names.aliases(ledger, version.kind, version.name).get(result.alias)
    before = standing.version if standing else version.version - 1
    if before and before != version.version:
        hints.append(f"compare with `drystone diff {version.kind}:{version.name}@v{before} {subject}`")
    hints.append(f'record an override with `drystone promote {short} {result.alias} --override "reason"`')
    return WorkFailed(
        f"`{subject}` was not promoted to `{result.alias}`: {what}",
        details=table(result.refusals),
        because=() if result.refusals else untested,
        hints=hints,
    )


def table(findings: Iterable[Finding]) -> list[str]:
    """One aligned line per finding: check, what was found, what is required, where the check stands."""
    rows = [_cells(finding) for finding in findings]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _cells(finding: Finding) -> tuple[str, str, str, str, str]:
    file, _, name = finding.check.partition("::")
    if finding.evidence is None:
        return name or file, "missing", "", finding.why or "no evidence about this object", file
    value = finding.evidence.value
    required = f"required {finding.evidence.threshold}" if finding.evidence.threshold else ""
    about = "" if finding.about.startswith("model:") else f"{finding.about}  "
    return name or file, finding.verdict, "" if value is None else f"{value:.4g}", required, f"{about}{file}"


# -- looking at the evidence ---------------------------------------------------------------------


def _of_model(ledger: Ledger, version: VersionRegistered) -> list[Finding]:
    """Findings about the object itself: recorded ones, and checks that have not judged it."""
    name = f"{version.kind}:{version.name}"
    catalogues = _catalogues(ledger)
    known = _known_checks(catalogues, name)
    by_check: dict[str, list[Evidence]] = {}
    for record in _still_made(catalogues, evidence.for_subject(ledger, version.object)):
        owner = next((check for check in known if _belongs(record, check)), _without_claim(record.check))
        by_check.setdefault(owner, []).append(record)
    findings = [
        _of_record(ledger, version, record)
        for records in by_check.values()
        for record in _of_newest_run(records)
    ]
    findings += [Finding(check, "missing", name, None) for check in known if check not in by_check]
    return sorted(findings, key=lambda finding: finding.check)


def _of_record(ledger: Ledger, version: VersionRegistered, record: Evidence) -> Finding:
    """What a record is worth now: a comparison counts only with the version that stands there still.

    An alias that stands at this very object is no worse than it.
    """
    name = f"{version.kind}:{version.name}"
    if record.against is None:
        return Finding(record.check, record.verdict, name, record)
    made_with = [
        known.opponents for known in _catalogue(ledger, record.run) if record.check in known.opponents
    ]
    opponent = made_with[0][record.check] if made_with else None
    if opponent is not None and is_valid_alias(opponent):
        move = names.aliases(ledger, version.kind, version.name).get(opponent)
        found = None
        if move is not None and move.version is not None:
            found = names.version(ledger, version.kind, version.name, move.version)
        counts = (found.object if found else "") in (record.against, version.object)
        why = f"it was not compared with the `{opponent}` there is now"
    else:
        counts, why = opponent is not None, "nobody knows what it was compared with"
    if counts:
        return Finding(record.check, record.verdict, name, record)
    return Finding(record.check, "missing", name, None, why)


def _of_data(ledger: Ledger, version: VersionRegistered) -> list[Finding]:
    """Failed checks of what went into the run that made the version."""
    if version.run is None:
        return []
    findings, catalogues = [], _catalogues(ledger)
    for origin in lineage.upstream(ledger, version.run):
        by_check: dict[str, list[Evidence]] = {}
        for record in _still_made(catalogues, evidence.for_subject(ledger, origin.edge.object)):
            by_check.setdefault(_without_claim(record.check), []).append(record)
        for records in by_check.values():
            findings += [
                Finding(record.check, "fail", record.about, record)
                for record in _of_newest_run(records)
                if record.verdict == "fail"
            ]
    return findings


def _catalogues(ledger: Ledger) -> list[list[KnownCheck]]:
    """What the last test runs knew, newest first; those without a catalogue are left out."""
    recent = runs.recent(ledger, kind="test", limit=_LOOK_BACK)
    return [catalogue for run in recent if (catalogue := _catalogue(ledger, run.run))]


def _still_made(catalogues: Sequence[list[KnownCheck]], records: Iterable[Evidence]) -> list[Evidence]:
    """The records of checks that the newest test run knows; all where no run says what it knew."""
    if not catalogues:
        return list(records)
    known = [one for one in catalogues[0] if not _judges_nothing(one)]
    return [record for record in records if any(_belongs(record, one.check) for one in known)]


def _judges_nothing(known: KnownCheck) -> bool:
    """Whether a test came to its end and had judged neither a model nor a dataset."""
    return known.verdict == "pass" and not known.about


def _known_checks(catalogues: Sequence[list[KnownCheck]], name: str) -> list[str]:
    """Checks of this model in the newest test run's catalogue.

    A check that did not run there says not what it is about: an older run may know. One that never
    ran counts as a check of every model, for nobody can tell that it is not.
    """
    found = []
    for known in catalogues[0] if catalogues else []:
        if _judges_nothing(known):
            continue
        about = known.about or next(
            (
                old.about
                for catalogue in catalogues
                for old in catalogue
                if old.check == known.check and old.about
            ),
            (name,),
        )
        if known.kind == "model" and name in about:
            found.append(known.check)
    return found


def _catalogue(ledger: Ledger, run: str) -> list[KnownCheck]:
    tag = runs.tags(ledger, run).get(CATALOGUE)
    if tag is None:
        return []
    try:
        return msgspec.json.decode(tag, type=list[KnownCheck])
    except msgspec.MsgspecError:
        return []  # a tag is free text: somebody else wrote this one


def _belongs(record: Evidence, check: str) -> bool:
    return record.check == check or record.check.startswith(f"{check}[")


def _without_claim(check: str) -> str:
    return check.partition("[")[0]


def _of_newest_run(records: list[Evidence]) -> list[Evidence]:
    newest = max(records, key=lambda record: record.time)
    return [record for record in records if record.run == newest.run]
