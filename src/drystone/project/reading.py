"""Reading by reference: find, list, open. What the command line, `drystone.open` and fsspec share."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Self

from drystone.core.clock import SystemClock
from drystone.core.errors import NotARepository, UsageError
from drystone.objects.entry import Entry, printable
from drystone.project import contents
from drystone.project.contents import Content
from drystone.project.lazyfile import LazyFile, opened
from drystone.project.origin import Origin, alone, elsewhere, here, may_write, untouched
from drystone.project.project import Project
from drystone.project.settings import Settings


class Reader:
    """Reads from one project, or from another repository without a clone of it.

    Args:
        origin: where names are looked up.
        in_step: whether a step of the pipeline reads. It is not seen to read what lies in a store or on a
            remote, so it may only ask for what never changes; else it would be reused when it must not.
    """

    def __init__(self, origin: Origin, *, in_step: bool = False) -> None:
        self.origin = origin
        self._in_step = in_step

    @classmethod
    def at(
        cls,
        start: Path,
        settings: Settings,
        scratch: Path,
        *,
        repo: str | None = None,
        remote: str | None = None,
    ) -> Self:
        """A reader for whoever stands in a folder.

        Args:
            start: that folder.
            settings: of this process.
            scratch: the folder in which to make one of ours, for what is learnt of another repository, or
                fetched where the project may not be written.
            repo: another repository: a folder of this machine, or whatever `git clone` takes.
            remote: the name or address of the remote that is asked first.

        Raises:
            NotARepository: there is no git repository around `start`, and neither one nor the address of
                a remote was named.
            NotFound, ProjectInvalid: the one that was named cannot be read.
        """
        if remote and "/" in remote and "://" not in remote:
            remote = str((start / remote).absolute())
        if repo is None:
            try:
                project = Project.discover(start, settings)
            except NotARepository:
                if remote is None or "/" not in remote:
                    raise
                origin = alone(remote, settings, scratch=scratch, clock=SystemClock())
            else:
                writable = may_write(project)
                origin = here(project, remote) if writable else untouched(project, remote, scratch=scratch)
        else:
            origin = elsewhere(
                repo, settings, base=start, scratch=scratch, remote=remote, clock=SystemClock()
            )
        return cls(origin, in_step="DRYSTONE_PARAMS" in settings.environ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of open files and of what was learnt."""
        self.origin.close()

    def find(self, text: str, *, under: str = "") -> Content:
        """What a reference means; see `contents.find`.

        Raises:
            UsageError: a step asks for what may come to mean something else; or as `contents.find`.
        """
        self._refuse_moving(text)
        try:
            return contents.find(self.origin, text, under=under)
        finally:
            self.origin.rest()

    def children(self, content: Content) -> tuple[Entry, ...]:
        """What lies in a folder; see `contents.children`."""
        return contents.children(self.origin, content)

    def names(self) -> list[str]:
        """All datasets and models, as `KIND:NAME`; UsageError in a step, as they may change."""
        self._refuse_moving("")
        try:
            return contents.known_names(self.origin)
        finally:
            self.origin.rest()

    def file(self, content: Content) -> LazyFile:
        """The bytes of a file, fetched as they are read.

        Raises:
            UsageError: it is a folder or a link.
            NotFound, Corrupt, RemoteUnavailable: it is nowhere to be had, whole.
        """
        entry = content.entry
        if entry.kind == "tree":
            first = next((child.name for child in self.children(content) if child.kind == "file"), None)
            more = f"{content.label.rstrip('/')}/{printable(first)}" if first else ""
            raise UsageError(
                f"`{content.label}` is a folder",
                hints=[f"name a file in it, as in `{more}`"] if more else [],
            )
        if entry.kind == "link":
            target = self.origin.sources.read(entry.object).decode(errors="replace")
            raise UsageError(f"`{content.label}` is a symbolic link to {target!a}")
        return LazyFile(self.origin.sources, entry.object, content.label, entry.size)

    def open(
        self, text: str, mode: str = "rb", encoding: str | None = None, newline: str | None = None
    ) -> io.BufferedReader | io.TextIOWrapper:
        """A file object over what a reference means; `file` and `lazyfile.opened` say how it can fail."""
        return opened(self.file(self.find(text)), mode, encoding, newline)

    def _refuse_moving(self, text: str) -> None:
        if self._in_step and not contents.is_fixed(text):
            raise UsageError(
                f"a step cannot read `{text}` by reference: what it means may change",
                because="nobody would see that it was read, and the step be reused when it has changed",
                hints=[
                    "name a version by its number, as in `data:flights@v3`",
                    "read the file itself, as in `data/flights.parquet`: that is seen",
                ],
            )
