"""Models and datasets: the lists, one name, one version."""

from __future__ import annotations

from shlex import quote

import msgspec

from drystone.core.errors import DrystoneError
from drystone.core.ids import short
from drystone.ledger import deployments, lineage, names, runs
from drystone.ledger.facts import AliasMoved, AssetKind, VersionRegistered
from drystone.objects.tree import read_tree
from drystone.registry import manifest
from drystone.server import urls
from drystone.server.pages.common import (
    Record,
    deployment_record,
    run_record,
    tally,
    upstream,
    verdicts,
    with_versions,
)
from drystone.server.reader import PAGE_ROWS, Page, Query, Reader, missing
from drystone.server.render import fact

_TITLES: dict[AssetKind, str] = {"model": "Models", "data": "Data"}
_NOUNS: dict[AssetKind, str] = {"model": "model", "data": "dataset"}
#: Entries of a directory that are listed.
_ENTRIES = 200
#: Version numbers end where the index cannot hold them.
_NUMBERS = 2**63
#: Runs that read a version that are listed.
_READERS = 20


def models(reader: Reader, query: Query) -> Page:
    """Every model."""
    return _listing(reader, query, "model")


def datasets(reader: Reader, query: Query) -> Page:
    """Every dataset."""
    return _listing(reader, query, "data")


def model(reader: Reader, query: Query) -> Page:
    """One model: versions and aliases."""
    return _asset(reader, query, "model")


def dataset(reader: Reader, query: Query) -> Page:
    """One dataset: versions and aliases."""
    return _asset(reader, query, "data")


def model_version(reader: Reader, query: Query) -> Page:
    """One version of a model."""
    return _version(reader, query, "model")


def dataset_version(reader: Reader, query: Query) -> Page:
    """One version of a dataset."""
    return _version(reader, query, "data")


def _listing(reader: Reader, query: Query, kind: AssetKind) -> Page:
    token = query.one("page")
    every = names.names(reader.ledger, kind)
    if token is not None:
        last = urls.read_token(token)
        every = [name for name in every if name > last]
    more, shown = len(every) > PAGE_ROWS, every[:PAGE_ROWS]
    following = urls.paging_token(shown[-1]) if more else None
    base = f"/{_TITLES[kind].lower()}"
    records: list[Record] = []
    for name in shown:
        newest = names.newest(reader.ledger, kind, name)
        aliases = names.aliases(reader.ledger, kind, name)
        records.append(
            {
                "name": name,
                "newest": None if newest is None else fact(newest),
                "aliases": {alias: move.version for alias, move in aliases.items()},
                "evidence": tally(verdicts(reader, newest.object)) if newest else None,
            }
        )
    return Page(
        "assets.html",
        _TITLES[kind],
        f"drystone ls {kind}",
        {"kind": kind, "names": records, "next": following},
        {
            "noun": _NOUNS[kind],
            "next": following and urls.with_query(base, {"page": following}),
            "first": base if token else None,
        },
    )


def _asset(reader: Reader, query: Query, kind: AssetKind) -> Page:
    name = query.path["name"]
    every = names.versions(reader.ledger, kind, name)[::-1]
    if not every:
        raise missing(f"no {_NOUNS[kind]} named `{name}`", f"list them with `drystone ls {kind}`")
    token = query.one("page")
    if token is not None:
        last = urls.read_number(token)
        every = [one for one in every if one.version < last]
    more, shown = len(every) > PAGE_ROWS, every[:PAGE_ROWS]
    following = urls.paging_token(str(shown[-1].version)) if more else None
    aliases = names.aliases(reader.ledger, kind, name)
    history = names.alias_history(reader.ledger, kind, name)[::-1]
    base = urls.asset(kind, name)
    return Page(
        "asset.html",
        name,
        f"drystone ls {quote(f'{kind}:{name}')}",
        {
            "kind": kind,
            "name": name,
            "versions": [
                {
                    **fact(one),
                    "aliases": _pointing(aliases, one.version),
                    "evidence": tally(verdicts(reader, one.object)),
                }
                for one in shown
            ],
            "aliases": {alias: move.version for alias, move in aliases.items()},
            "history": [fact(move) for move in history[:PAGE_ROWS]],
            "next": following,
        },
        {
            "next": following and urls.with_query(base, {"page": following}),
            "first": base if token else None,
            "older_moves": max(0, len(history) - PAGE_ROWS),
        },
        crumbs=((_TITLES[kind], f"/{_TITLES[kind].lower()}"),),
    )


def _version(reader: Reader, query: Query, kind: AssetKind) -> Page:
    name, number = query.path["name"], int(query.path["version"])
    found = names.version(reader.ledger, kind, name, number) if number < _NUMBERS else None
    if found is None:
        raise missing(
            f"no version `v{number}` of {_NOUNS[kind]} `{name}`",
            f"list them with `drystone ls {kind}:{name}`",
        )
    maker = runs.get(reader.ledger, found.run) if found.run else None
    aliases = names.aliases(reader.ledger, kind, name)
    readers = lineage.readers(reader.ledger, found.object)
    files, problem = _files(reader, found)
    about, about_problem = _manifest(reader, files) if kind == "model" else (None, None)
    serving = [one for one in deployments.current(reader.ledger) if one.object == found.object]
    return Page(
        "version.html",
        f"{name}\u2009@\u2009v{number}",
        f"drystone show {quote(f'{kind}:{name}@v{number}')}",
        {
            "kind": kind,
            "version": fact(found),
            "aliases": _pointing(aliases, number),
            "run": None if maker is None else run_record(maker),
            "params": runs.params(reader.ledger, maker.run) if maker else {},
            "metrics": runs.latest_metrics(reader.ledger, maker.run) if maker else {},
            "manifest": about,
            "manifest_problem": about_problem,
            "evidence": verdicts(reader, found.object),
            "upstream": upstream(reader, maker.run) if maker else [],
            "files": files,
            "files_problem": problem,
            "deployments": [deployment_record(reader, one) for one in serving],
            "readers": [run_record(row) for row in readers[:_READERS]],
            "readers_total": len(readers),
            "same_object": [
                record
                for record in with_versions(reader, [{"object": found.object}])[0]["versions"]  # type: ignore[attr-defined]
                if (record["kind"], record["name"], record["version"]) != (kind, name, number)
            ],
        },
        crumbs=((_TITLES[kind], f"/{_TITLES[kind].lower()}"), (name, urls.asset(kind, name))),
        label=f"v{number}",
    )


def _pointing(aliases: dict[str, AliasMoved], number: int) -> list[str]:
    return [alias for alias, move in aliases.items() if move.version == number]


def _files(reader: Reader, version: VersionRegistered) -> tuple[list[Record], str | None]:
    """What is in a version that is a directory; nothing for a file."""
    try:
        if not reader.store.has(version.object):
            return [], f"{short(version.object)} is not in the local store"
        with reader.store.open(version.object) as file:
            if not file.read(16).startswith(b"# drystone tree "):
                return [], None
        entries = read_tree(reader.store, version.object)
    except (DrystoneError, OSError) as error:
        return [], str(error)
    return [
        {"name": one.name, "kind": one.kind, "object": one.object, "size": one.size}
        for one in entries[:_ENTRIES]
    ], None


def _manifest(reader: Reader, files: list[Record]) -> tuple[Record | None, str | None]:
    """`model.json` of a model: signature, loader, estimator."""
    found = next((str(one["object"]) for one in files if one["name"] == manifest.NAME), None)
    if found is None:
        return None, None
    try:
        document = msgspec.json.decode(reader.store.read(found), type=manifest.Manifest)
    except DrystoneError as error:
        return None, error.message
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return None, f"`{manifest.NAME}` cannot be read: {error}"
    signature = document.signature
    return {
        "loader": document.loader,
        "estimator": document.estimator,
        "library": document.library,
        "note": document.note,
        "inputs": [fact(one) for one in signature.inputs],
        "outputs": [fact(one) for one in signature.outputs],
    }, None
