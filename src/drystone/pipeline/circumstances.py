"""What a step would be started with now: environment, variables, parameters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from drystone.ledger.facts import Scalar
from drystone.pipeline import variables
from drystone.pipeline.programs import Programs
from drystone.pipeline.rooms import Rooms
from drystone.tracking import parameters
from drystone.tracking.environment import Environment, fingerprint, installed


class Circumstances:
    """The same for all steps of one `drystone run`; each found out when it is first needed."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms
        self._installed: dict[str, str] = {}

    def environment(self, *, python: bool) -> str:
        """Id of the environment; the project's interpreter and packages count where a Python runs."""
        return (self._with_python if python else self._without).id

    def stored_environment(self, *, python: bool) -> str:
        """As `environment`; the object is in the store afterwards."""
        return self._rooms.store.put_bytes((self._with_python if python else self._without).data)

    def installed(self, prefix: str) -> str:
        """Id of what is installed below the prefix of another interpreter than the project's."""
        if prefix not in self._installed:
            self._installed[prefix] = installed(self._rooms.territory.path(prefix)).id
        return self._installed[prefix]

    def stored_installed(self, prefix: str) -> str:
        """As `installed`, looked up anew; the object is in the store afterwards."""
        found = installed(self._rooms.territory.path(prefix))
        self._installed[prefix] = found.id
        return self._rooms.store.put_bytes(found.data)

    @cached_property
    def _with_python(self) -> Environment:
        return fingerprint(self._rooms.interpreter)

    @cached_property
    def _without(self) -> Environment:
        return fingerprint(None)

    @cached_property
    def variables(self) -> Mapping[str, str]:
        """The variables that a step is given and that can change its result."""
        settings = self._rooms.settings
        return variables.telling(settings.variables, settings.passed)

    @cached_property
    def programs(self) -> Programs:
        """What a step finds through its `PATH`."""
        return Programs(self._rooms.territory, self._rooms.settings.variables.get("PATH", ""))

    @cached_property
    def _loaded(self) -> dict[str, Any]:
        return parameters.load(self._rooms.layout.root)[1]

    @cached_property
    def params(self) -> Mapping[str, Scalar]:
        """The project's parameters by dotted key."""
        return parameters.answers(self._loaded)

    @cached_property
    def snapshot(self) -> Path:
        """A file that holds the parameters as JSON, for `drystone.params` in a step."""
        store = self._rooms.store
        return store.file(store.put_bytes(parameters.snapshot(self._loaded)))

    def is_pure(self, step: str) -> bool:
        """Whether the step may be reused although it spoke to the network."""
        return step in self._rooms.settings.pure
