"""One project: its rooms, loaded and opened when they are needed."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from drystone.core.clock import Clock, SystemClock
from drystone.core.layout import Layout
from drystone.core.refs import Reference, parse
from drystone.objects.store import ObjectStore
from drystone.project.settings import Settings
from drystone.workspace.git import Git
from drystone.workspace.lockfile import Lock

if TYPE_CHECKING:
    from drystone.ledger.facts import Code, VersionRegistered
    from drystone.ledger.ledger import Ledger
    from drystone.pipeline.rooms import Rooms
    from drystone.tracking.recorder import Recorder


class Project:
    """The rooms of one project, wired together.

    Args:
        root: top of a git work tree, absolute and resolved.
        settings: who acts and with what.
        clock: tells the time.
    """

    def __init__(self, root: Path, settings: Settings, clock: Clock | None = None) -> None:
        self.layout = Layout(root)
        self.settings = settings
        self.clock = clock or SystemClock()

    @classmethod
    def discover(cls, start: Path, settings: Settings, clock: Clock | None = None) -> Project:
        """The project around a folder: the git work tree that holds it.

        Raises:
            NotARepository: there is none.
        """
        return cls(Git.discover(start).root, settings, clock)

    @cached_property
    def git(self) -> Git:
        return Git(self.layout.root)

    @cached_property
    def store(self) -> ObjectStore:
        store = ObjectStore(self.layout.objects, read_only=self.settings.dry_run)
        if not store.read_only:
            store.sharing.register_reader()  # what its lock names is needed, whether or not it ever stores
        return store

    @cached_property
    def ledger(self) -> Ledger:
        from drystone.ledger.ledger import Ledger

        return Ledger.open(self.layout, self.clock, in_memory=self.settings.dry_run)

    @cached_property
    def recorder(self) -> Recorder:
        from drystone.tracking.recorder import Recorder

        return Recorder(self.ledger, self.store, self.clock, self.settings.actor)

    @cached_property
    def rooms(self) -> Rooms:
        """What the pipeline works with."""
        from drystone.pipeline.rooms import Rooms
        from drystone.pipeline.settings import PipelineSettings

        return Rooms(
            layout=self.layout,
            store=self.store,
            ledger=self.ledger,
            recorder=self.recorder,
            git=self.git,
            code=self.code,
            clock=self.clock,
            settings=PipelineSettings(
                interpreter=self.settings.interpreter,
                variables=self.settings.environ,
                pid=self.settings.actor.pid or 0,
            ),
        )

    def pipeline_steps(self) -> list[str]:
        """Names of the steps in `steps/`."""
        from drystone.pipeline.steps import discover

        return list(discover(self.layout.root).steps)

    @property
    def ledger_note(self) -> str | None:
        """A sentence if the ledger's index had to be rebuilt, for the user to know."""
        if self.settings.dry_run or not self.layout.ledger_index.exists():
            return None
        self.ledger.refresh()
        return self.ledger.recovered

    def close(self) -> None:
        """Let go of open files."""
        if "ledger" in self.__dict__:
            self.ledger.close()

    def code(self) -> Code:
        """The code as it is now; uncommitted changes are kept as an object."""
        from drystone.ledger.facts import Code

        state = self.git.state()
        if not state.dirty:
            return Code(state.commit, state.branch)
        changes = self.git.changes()
        return Code(state.commit, state.branch, True, self.store.put_bytes(changes.patch), changes.skipped)

    def lock(self) -> Lock:
        """The lock of the work tree.

        Raises:
            Corrupt, ProjectInvalid: it cannot be understood.
        """
        return Lock.read(self.layout.lock)

    def resolve(self, text: str) -> VersionRegistered:
        """The version that a reference names.

        Raises:
            UsageError, NotFound, Ambiguous: see `registry.resolve`.
        """
        from drystone.registry.resolve import resolve

        reference: Reference = parse(text)
        return resolve(self.ledger, reference, locked_at=self._locked_at)

    def _locked_at(self, revision: str, path: str) -> str | None:
        data = self.git.show(revision, self.layout.lock.name)
        locked = Lock.parse(data).paths.get(path) if data is not None else None
        return locked.object if locked else None
