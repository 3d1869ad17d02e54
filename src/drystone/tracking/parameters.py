"""Parameters: read from `params.toml` (or .json, .yaml), and known by who asked for which.

Inside a step a parameter that is read through `drystone.params` becomes an input of that step by
itself: changing another one does not run the step again.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from drystone.core.errors import NotFound, ProjectInvalid
from drystone.core.suggest import similar
from drystone.ledger.facts import Fact, Params, Scalar, Tags

#: Stands for the names in a table: `train.*`.
NAMES = "*"
#: Begins the tags that say which tables' names a run asked for.
ASKED = "drystone.asked."
_SPOKEN_FOR = frozenset(("inf", "-inf", "nan", "null"))
FILES = ("params.toml", "params.json", "params.yaml", "params.yml")


def load(root: Path) -> tuple[Path | None, dict[str, Any]]:
    """The parameters of a project: the file they are in, None without one, and what it says.

    Raises:
        ProjectInvalid: the file cannot be read, or there is more than one.
    """
    present = [root / name for name in FILES if (root / name).is_file()]
    if not present:
        return None, {}
    if len(present) > 1:
        raise ProjectInvalid(
            "parameters are in two files",
            at=[path.name for path in present],
            hints=[f"keep one of them, e.g. `git rm {present[1].name}`"],
        )
    path = present[0]
    try:
        loaded = _DECODERS[path.suffix](path.read_bytes())
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise ProjectInvalid(f"`{path.name}` cannot be read", at=path.name, because=str(error)) from None
    if not isinstance(loaded, dict):
        raise ProjectInvalid(f"`{path.name}` must hold a table of parameters", at=path.name)
    return path, _plain(path, loaded)


def _plain(path: Path, loaded: dict[Any, Any]) -> dict[str, Any]:
    """The same for a script and for a step, whatever the file's language knows: names and dates are text."""
    try:
        plain: dict[str, Any] = msgspec.to_builtins(loaded, str_keys=True)
    except (TypeError, ValueError) as error:
        raise ProjectInvalid(
            f"`{path.name}` holds what can be no parameter", at=path.name, because=str(error)
        ) from None
    return plain


def snapshot(values: Mapping[str, Any]) -> bytes:
    """The parameters as JSON, with `Infinity` and `NaN`, which JSON lacks, as Python writes them."""
    return json.dumps(values).encode()


_DECODERS: dict[str, Callable[[bytes], Any]] = {
    ".toml": lambda data: tomllib.loads(data.decode()),
    ".json": msgspec.json.decode,
    ".yaml": lambda data: msgspec.yaml.decode(data),
    ".yml": lambda data: msgspec.yaml.decode(data),
}


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Scalar]:
    """Nested tables as dotted keys. A list is a leaf, written as JSON."""
    flat: dict[str, Scalar] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = leaf(value)
    return flat


def answers(values: Mapping[str, Any], prefix: str = "") -> dict[str, Scalar]:
    """Everything that `Parameters` can be asked: `flatten`, and the names in each table, as `table.*`."""
    found: dict[str, Scalar] = {f"{prefix}{NAMES}": _names(values)}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found |= answers(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = leaf(value)
    return found


def asked(run: str, values: Mapping[str, Scalar], now: int) -> list[Fact]:
    """What was asked for as facts: parameters, and as tags, for they are none, the names in tables."""
    tables = {f"{ASKED}{key}": str(value) for key, value in values.items() if _is_table(key)}
    plain = {key: value for key, value in values.items() if not _is_table(key)}
    return [*([Params(run, plain)] if plain else []), *([Tags(run, tables, now)] if tables else [])]


def asked_tables(tags: Mapping[str, str]) -> dict[str, Scalar]:
    """The names in tables that a run asked for, by `table.*`, from its tags."""
    return {key.removeprefix(ASKED): value for key, value in tags.items() if key.startswith(ASKED)}


def _is_table(key: str) -> bool:
    return key == NAMES or key.endswith(f".{NAMES}")


def _names(values: Mapping[str, Any]) -> str:
    return msgspec.json.encode(sorted(values)).decode()


def leaf(value: Any) -> Scalar:
    """A parameter's value as the ledger holds it: text where it is neither a finite number, truth nor text.

    Text that looks like what stands for something else is in quotation marks, so that no two values are one.
    """
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str) and (value in _SPOKEN_FOR or value.startswith(("[", '"'))):
        return msgspec.json.encode(value).decode()
    if isinstance(value, str | int | float):
        return value
    return msgspec.json.encode(value).decode()


class Parameters(Mapping[str, Any]):
    """A read-only view of the parameters that reports every value it hands out.

    Args:
        values: the parameters.
        read: called with {dotted key: value} for what was just read.
    """

    def __init__(
        self, values: Mapping[str, Any], read: Callable[[dict[str, Scalar]], None], prefix: str = ""
    ) -> None:
        self._values = values
        self._read = read
        self._prefix = prefix

    def __getitem__(self, key: str) -> Any:
        try:
            value = self._values[key]
        except KeyError:
            self._read({self._prefix + key: None})  # whoever adds it later must run this again
            near = similar(key, self._values)
            hints = [f"a parameter with a similar name exists: `{self._prefix}{near[0]}`"] if near else []
            raise MissingParameter(f"no parameter `{self._prefix}{key}`", hints=hints) from None
        if isinstance(value, Mapping):
            return Parameters(value, self._read, f"{self._prefix}{key}.")
        self._read({self._prefix + key: leaf(value)})
        return value

    def __contains__(self, key: object) -> bool:
        self._read_names()
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        self._read_names()
        return iter(self._values)

    def __len__(self) -> int:
        self._read_names()
        return len(self._values)

    def __repr__(self) -> str:
        self._read(answers(self._values, self._prefix))
        return f"Parameters({flatten(self._values, self._prefix)})"

    def _read_names(self) -> None:
        """Who asks which names there are depends on them, also on one that is added later."""
        self._read({self._prefix + NAMES: _names(self._values)})


class MissingParameter(NotFound, KeyError):
    """A parameter that is not there; also a KeyError, so that `.get(key, default)` works."""

    def __str__(self) -> str:
        return "; ".join((self.message, *self.hints))  # KeyError would show the quoted message alone
