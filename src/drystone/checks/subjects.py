"""Finding what a check is about, and making sure that it is what the evidence will say it was."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, NoReturn

from drystone.checks.outcome import Session
from drystone.checks.subject import Subject, stamp
from drystone.core.errors import Ambiguous, NotFound, ProjectInvalid
from drystone.core.layout import Layout
from drystone.core.refs import Reference, parse
from drystone.core.suggest import similar
from drystone.ledger import names
from drystone.ledger.facts import AssetKind, VersionRegistered
from drystone.ledger.ledger import Ledger
from drystone.objects.entry import HEADER, Entry
from drystone.objects.intake import identify_path
from drystone.objects.restore import restore
from drystone.objects.store import ObjectStore
from drystone.registry.resolve import resolve
from drystone.workspace.lockfile import Lock

#: Suffixes of files that are tables, longest first, with pyarrow's name of the format.
FORMATS = {
    ".csv.gz": "csv",
    ".feather": "ipc",
    ".parquet": "parquet",
    ".jsonl": "json",
    ".arrow": "ipc",
    ".csv": "csv",
}
_MOST_LISTED = 1000


class Elsewhere(Exception):
    """A check asks for a model that the session is not about.

    Attributes:
        about: the model it asks for, without version.
    """

    def __init__(self, about: str, asked: list[str]) -> None:
        super().__init__(f"about {about}, not {', '.join(asked)}")
        self.about = about


class Subjects:
    """All that the checks of one session may look at, found once.

    Args:
        layout: the project.
        session: what `drystone test` asked for; None under plain pytest, where nothing is hashed
            because nothing is recorded.
        scratch: folder for versions taken from the store.
    """

    def __init__(self, layout: Layout, session: Session | None, scratch: Path) -> None:
        self.layout = layout
        self.session = session
        #: Tables, loaded models and predictions, by whatever names them; nothing is read twice.
        self.cache: dict[tuple[str, ...], Any] = {}
        self._found: dict[str, Subject] = {}
        self._scratch = scratch
        self._restored = itertools.count()

    def find(self, kind: AssetKind, text: str) -> Subject:
        """The dataset or model of that name, in the work tree or at a version (`NAME@v3`).

        Raises:
            NotFound, Ambiguous, UsageError: it names nothing, or several things.
            Conflict: it is being written.
            Elsewhere: it is a model, and the session is about others.
        """
        reference = parse(text)
        if reference.version is not None:
            return self.version(kind, reference)
        key = f"{kind}:{reference.name}"
        if key not in self._found:
            self._found[key] = self._given(kind, reference.name) or self._in_work_tree(kind, reference.name)
        return self._found[key]

    def version(self, kind: AssetKind, reference: Reference) -> Subject:
        """A registered version, restored from the store to where checks can read it.

        Raises:
            NotFound, Ambiguous: there is no such version, or the store lacks it.
        """
        with self.ledger() as ledger:
            version = resolve(ledger, Reference(kind, reference.name, reference.version))
        about = f"{kind}:{version.name}@v{version.version}"
        if about not in self._found:
            path = self._scratch / str(next(self._restored)) / Path(version.path).name
            restore_version(ObjectStore(self.layout.objects), version, path)
            self._found[about] = Subject(
                kind, version.name, about, version.path, path, version.object, stamp(path)
            )
        return self._found[about]

    def ledger(self) -> Ledger:
        """The project's ledger, to be closed by the caller."""
        return Ledger.open(self.layout)

    def alias_exists(self, name: str, alias: str) -> bool:
        """Whether the model of that name has an alias of that name.

        Raises:
            NotFound: it has not, but one with a similar name.
        """
        if not self.layout.journals.is_dir():
            return False
        with self.ledger() as ledger:
            known = names.aliases(ledger, "model", name)
        if alias not in known and (near := similar(alias, known)):
            raise NotFound(
                f"`model:{name}` has no alias `{alias}`",
                hints=[f"an alias with a similar name exists: `{other}`" for other in near],
            )
        return alias in known

    def default(self, kind: AssetKind, file: Path) -> Subject:
        """What the bare fixture means in a file: the one that the session is about, the one that the
        file is named after, or the only one there is.

        Raises:
            NotFound, Ambiguous: none of these.
        """
        known = self.names(kind)
        given = [one.name for one in self.session.given if one.kind == kind] if self.session else []
        named = [name for name in known if _plain(name) in _stems(file.stem, kind)]
        for candidates in (named, given, known):
            if len(candidates) == 1:
                return self.find(kind, candidates[0])
        example = (named or known or ["NAME"])[0]
        hints = [f'say which, as in `{kind}("{example}")`']
        if not known:
            folder = "data" if kind == "data" else "models"
            raise NotFound(
                f"there is no {_noun(kind)} to check", because=f"`{folder}/` has none", hints=hints
            )
        raise Ambiguous(
            f"`{kind}` could be any of {len(named or known)} {_noun(kind)}s",
            because=f"`{file.name}` is not named after one: {', '.join(f'`{name}`' for name in known[:8])}",
            hints=hints,
        )

    def names(self, kind: AssetKind) -> list[str]:
        """What lies in `data/` or `models/`, or is given to the session, by name."""
        given = {one.name for one in self.session.given if one.kind == kind} if self.session else set()
        if kind == "model":
            found = (path.parent for path in self.layout.models.glob("**/model.json"))
            return sorted(given | {path.relative_to(self.layout.models).as_posix() for path in found})
        paths = itertools.islice(self.layout.data.rglob("*"), _MOST_LISTED)
        tables = (path.relative_to(self.layout.data).as_posix() for path in paths if format_of(path))
        return sorted(given | {_without_suffix(name) for name in tables})

    def _given(self, kind: AssetKind, name: str) -> Subject | None:
        for one in self.session.given if self.session else ():
            if (one.kind, one.name) == (kind, name):
                path = Path(one.path)
                return Subject(kind, name, one.about, one.place, path, one.object, stamp(path))
        asked = [one.about for one in self.session.given if one.kind == "model"] if self.session else []
        if kind == "model" and asked:
            raise Elsewhere(f"model:{name}", asked)
        return None

    def _in_work_tree(self, kind: AssetKind, name: str) -> Subject:
        folder = self.layout.data if kind == "data" else self.layout.models
        suffixes = ("", *FORMATS) if kind == "data" else ("",)
        found = [path for suffix in suffixes if (path := folder / f"{name}{suffix}").exists()]
        if not found:
            self._no_such(kind, name)
        if len(found) > 1:
            raise Ambiguous(
                f"several files are `{kind}:{name}`",
                at=[path.relative_to(self.layout.root).as_posix() for path in found],
                hints=[f'say which, as in `data("{found[0].relative_to(folder).as_posix()}")`'],
            )
        path = found[0]
        place = path.relative_to(self.layout.root).as_posix()
        before = stamp(path)
        content = identify_path(path).object if self.session else ""
        subject = Subject(
            kind, _without_suffix(name), f"{kind}:{_without_suffix(name)}", place, path, content, before
        )
        subject.check_unchanged()
        return subject

    def _no_such(self, kind: AssetKind, name: str) -> NoReturn:
        folder = "data" if kind == "data" else "models"
        wanted = f"{folder}/{_without_suffix(name)}"
        for place in Lock.read(self.layout.lock).paths:
            if _without_suffix(place) == wanted or wanted.startswith(f"{place}/"):
                raise NotFound(
                    f"`{kind}:{name}` is not in the work tree",
                    because=f"`drystone.lock` lists `{place}`, and nothing is there",
                    hints=[f"fetch it with `drystone checkout {place}`"],
                )
        known = self.names(kind)
        raise NotFound(
            f"no {_noun(kind)} named `{name}`",
            because=f"nothing in `{folder}/` has that name",
            hints=[
                *(f"a {_noun(kind)} with a similar name exists: `{near}`" for near in similar(name, known)),
                f"{_noun(kind)}s are {', '.join(f'`{one}`' for one in known[:8])}"
                if known
                else f"there is no {_noun(kind)} yet: `drystone run` makes what steps write",
            ],
        )


def restore_version(store: ObjectStore, version: VersionRegistered, path: Path) -> None:
    """Put the bytes of a version at `path`.

    Raises:
        NotFound: the store lacks some of them.
        Corrupt: they are damaged.
    """
    if not store.has(version.object):
        raise NotFound(
            f"`{version.kind}:{version.name}@v{version.version}` is not in the local store",
            hints=[f"see how it was made with `drystone show {version.run}`"] if version.run else [],
        )
    with store.open(version.object) as content:
        is_tree = content.read(len(HEADER)) == HEADER.encode()
    entry = Entry(path.name, "tree" if is_tree else "file", version.object, version.size)
    restore(store, entry, path)


def format_of(path: Path) -> str | None:
    """pyarrow's name of the format of a file of rows, None if its name is none of `FORMATS`."""
    return next((known for suffix, known in FORMATS.items() if path.name.endswith(suffix)), None)


def files_of(path: Path) -> list[Path]:
    """The files of a dataset: itself, or the tables below a directory.

    Raises:
        ProjectInvalid: there are none, or they are of several formats.
    """
    if path.is_file():
        return [path]
    files = sorted(file for file in path.rglob("*") if format_of(file) and file.is_file())
    formats = sorted({str(format_of(file)) for file in files})
    if len(formats) != 1:
        raise ProjectInvalid(
            f"`{path.name}` cannot be read as one table",
            because=f"it holds files of several formats: {', '.join(formats)}"
            if formats
            else "no file in it is one",
            hints=[f"tables are files that end in {', '.join(f'`{suffix}`' for suffix in FORMATS)}"],
        )
    return files


def _noun(kind: AssetKind) -> str:
    return "dataset" if kind == "data" else "model"


def _without_suffix(name: str) -> str:
    return next((name.removesuffix(suffix) for suffix in FORMATS if name.endswith(suffix)), name)


def _plain(name: str) -> str:
    return name.replace("-", "_").replace("/", "_").replace(".", "_").lower()


def _stems(stem: str, kind: AssetKind) -> set[str]:
    """What a file of checks may be named after: `flights.py`, `data_flights.py`, `test_data_flights.py`."""
    plain = _plain(stem).removeprefix("test_").removesuffix("_test")
    return {plain, plain.removeprefix(f"{kind}_")}
