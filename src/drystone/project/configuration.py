"""What a project's `drystone.toml`, or `[tool.drystone]` in `pyproject.toml`, says. It need not exist."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from drystone.core.errors import Conflict, NotFound, ProjectInvalid, UsageError
from drystone.core.suggest import similar
from drystone.objects.atomic import write_atomic
from drystone.objects.remote.manners import BELONG, is_secret, objection

FILE = "drystone.toml"
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_REMOTE_KEYS = ("url", "endpoint", "region", "profile")


def load(root: Path) -> dict[str, Any]:
    """The settings of a project; empty where there are none.

    Raises:
        ProjectInvalid: the file cannot be understood, or both files have settings.
    """
    own = _toml(root / FILE)
    shared = _toml(root / "pyproject.toml").get("tool", {})
    shared = shared.get("drystone", {}) if isinstance(shared, dict) else {}
    if own and shared:
        raise ProjectInvalid(
            f"both `{FILE}` and `[tool.drystone]` in `pyproject.toml` have settings",
            hints=[f"move those of `pyproject.toml` to `{FILE}`"],
        )
    found = own or shared
    if not isinstance(found, dict):
        raise ProjectInvalid("`tool.drystone` in `pyproject.toml` must be a table")
    return found


def remotes(root: Path) -> dict[str, dict[str, str]]:
    """The remotes of a project by name, in the order in which they stand; each has at least a `url`.

    Raises:
        ProjectInvalid: the settings cannot be understood.
    """
    return {name: _remote(name, table) for name, table in _tables(root).items()}


def _tables(root: Path) -> dict[str, Any]:
    tables = load(root).get("remotes", {})
    if not isinstance(tables, dict):
        raise ProjectInvalid("`remotes` must be a table of tables", at=FILE, hints=[_how("NAME")])
    return tables


def choose(found: Mapping[str, object], name: str | None) -> str:
    """The remote of that name, or the first one.

    Raises:
        NotFound: there is none.
    """
    if not found:
        raise NotFound(
            "no remote is configured",
            hints=[
                "name one with `drystone remote add lab /mnt/lab/project` or `drystone remote add s3 s3://...`"
            ],
        )
    if name is None:
        return next(iter(found))
    if name in found:
        return name
    near = similar(name, found)
    raise NotFound(
        f"no remote is named `{name}`",
        hints=[
            *(f"a remote with a similar name exists: `{other}`" for other in near[:1]),
            "list them with `drystone remote`",
        ],
    )


def _remote(name: str, table: object) -> dict[str, str]:
    if not isinstance(table, dict) or not isinstance(table.get("url"), str):
        raise ProjectInvalid(f"remote `{name}` has no `url`", at=FILE, hints=[_how(name)])
    for key, value in table.items():
        if key not in _REMOTE_KEYS:
            near = similar(key, _REMOTE_KEYS)
            secret = "key" in key or "secret" in key or "password" in key or "token" in key
            raise ProjectInvalid(
                f"remote `{name}` has an unknown setting: `{key}`",
                at=FILE,
                because="credentials must not be committed" if secret else (),
                hints=[
                    "set the environment variables of the cloud's own tools, or a `profile`"
                    if secret
                    else f"settings are {', '.join(f'`{known}`' for known in near or _REMOTE_KEYS)}"
                ],
            )
        if not isinstance(value, str):
            raise ProjectInvalid(f"`{key}` of remote `{name}` must be a text", at=FILE)
    against = objection(table["url"], table.get("endpoint"))
    if against and is_secret(against):
        raise ProjectInvalid(
            f"the address of remote `{name}` cannot be",
            at=FILE,
            because=against,
            hints=[
                BELONG,
                f"take it out with `drystone remote remove {name}`; if it was committed, revoke the key",
            ],
        )
    return dict(table)


def _how(name: str) -> str:
    return f'write `[remotes.{name}]` and below it `url = "s3://BUCKET/PREFIX"`'


def _toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectInvalid(
            f"`{path.name}` cannot be understood", at=str(path), because=str(error)
        ) from error
    except OSError as error:
        raise ProjectInvalid(
            f"`{path.name}` cannot be read", at=str(path), because=(error.strerror or str(error)).lower()
        ) from error


def add_remote(
    root: Path, name: str, settings: Mapping[str, str], write: Callable[[Path, bytes], None] = write_atomic
) -> None:
    """Writes a remote to `drystone.toml`, leaving everything else in it as it is.

    Args:
        root: of the project.
        name: of the remote.
        settings: `url` and the like.
        write: replaces a file's content.

    Raises:
        Conflict: there is one of that name.
        UsageError: it cannot be called so, or cannot be there; nothing of its address is repeated.
        ProjectInvalid: the file cannot be understood or written.
    """
    against = objection(settings["url"], settings.get("endpoint"))
    if against:
        places = "give a folder, `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or `az://CONTAINER/PREFIX`"
        raise UsageError(
            "a remote cannot have that address",
            because=against,
            hints=[BELONG if is_secret(against) else places],
        )
    if name in remotes(root):
        raise Conflict(
            f"a remote named `{name}` exists",
            hints=[f"remove it first with `drystone remote remove {name}`"],
        )
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"a remote cannot be called {name!a}", because="letters, digits, `-` and `_` make a name"
        )

    def change(document: Any) -> None:
        import tomlkit

        tables = document.setdefault("remotes", tomlkit.table(is_super_table=True))
        tables[name] = {**settings}

    _edit(root, change, write)
    remotes(root)


def remove_remote(root: Path, name: str, write: Callable[[Path, bytes], None] = write_atomic) -> None:
    """Takes a remote out of `drystone.toml`, leaving everything else in it as it is.

    Raises:
        NotFound: there is none of that name.
        ProjectInvalid: the file cannot be understood or written.
    """
    choose(_tables(root), name)  # also one whose address cannot be

    def change(document: Any) -> None:
        del document["remotes"][name]
        if not document["remotes"]:
            del document["remotes"]

    _edit(root, change, write)


def _edit(root: Path, change: Callable[[Any], None], write: Callable[[Path, bytes], None]) -> None:
    import tomlkit  # only who changes settings needs what keeps comments where they are

    path = root / FILE
    inside = not path.exists() and bool(load(root))  # they stand in pyproject.toml
    if inside:
        path = root / "pyproject.toml"
    document = tomlkit.parse(path.read_text()) if path.exists() else tomlkit.document()
    change(document["tool"]["drystone"] if inside else document)
    write(path, tomlkit.dumps(document).encode())
