"""DVC's configuration: where its cache lies, and its remotes.

The files are those of the `configobj` package: INI with quoted section names, `['remote "name"']`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from drystone.core.errors import ProjectInvalid
from drystone.core.suggest import similar
from drystone.objects.atomic import explained

_LARGEST = 1 << 20  # bytes
_SECTION = re.compile(r"""\[\s*(?P<quote>['"]?)(?P<name>.*?)(?P=quote)\s*\](?:\s*#.*)?""")
_REMOTE = re.compile(r"""remote "(?P<name>.+)\"""")
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)")

Sections = dict[str, dict[str, str]]


class Remote(msgspec.Struct, frozen=True):
    """One of DVC's remotes.

    Attributes:
        url: an absolute path of a folder, or a URL.
        options: everything else that is configured for it; may hold secrets, so it is never printed.
    """

    name: str
    url: str
    options: dict[str, str]

    @property
    def scheme(self) -> str:
        """`s3`, `gs` ...; `local` for a folder."""
        found = _URL.fullmatch(self.url)
        return found["scheme"].lower() if found else "local"


class Config(NamedTuple):
    """What of DVC's configuration concerns us.

    Attributes:
        cache: its folder.
        remotes: the default one first, then in the order they were written.
        default: the name of the default remote.
    """

    cache: Path
    remotes: tuple[Remote, ...]
    default: str | None

    def chosen(self, name: str | None) -> tuple[Remote, ...]:
        """The remotes to look in: the named one, or all.

        Raises:
            ProjectInvalid: there is no such remote.
        """
        if name is None:
            return self.remotes
        found = tuple(remote for remote in self.remotes if remote.name == name)
        if not found:
            names = [remote.name for remote in self.remotes]
            near = similar(name, names)
            hints = [f"a remote with a similar name exists: `{near[0]}`"] if near else []
            raise ProjectInvalid(
                f"DVC has no remote named `{name}`", hints=[*hints, "list them with `dvc remote list`"]
            )
        return found


def read_config(root: Path, outer: Sequence[Path], home: Path | None) -> Config:
    """The configuration of the DVC repository at `root`.

    Args:
        root: the folder that holds `.dvc`.
        outer: the system's and the user's configuration files, the weakest first.
        home: what `~` stands for in them.

    Raises:
        ProjectInvalid: a file cannot be read or understood.
    """
    merged: Sections = {}
    for file in (*outer, root / ".dvc" / "config", root / ".dvc" / "config.local"):
        for name, values in _read(file, root).items():
            for key in ("url", "dir", "credentialpath"):
                if key in values:
                    values[key] = _resolved(values[key], file.parent, home)
            merged.setdefault(name, {}).update(values)
    remotes = {found["name"]: values for name, values in merged.items() if (found := _REMOTE.fullmatch(name))}
    default = merged.get("core", {}).get("remote")
    names = sorted(remotes, key=lambda name: name != default)
    cache = merged.get("cache", {}).get("dir") or str(root / ".dvc" / "cache")
    return Config(Path(cache), tuple(_remote(name, remotes) for name in names), default)


def parse(text: str, *, of: str) -> Sections:
    """Values by section and key; the keys in lower case.

    Raises:
        ProjectInvalid: naming the line that cannot be understood.
    """
    sections: Sections = {}
    current: dict[str, str] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        section = _SECTION.fullmatch(stripped)
        key, equals, value = stripped.partition("=")
        if section is not None:
            current = sections.setdefault(section["name"], {})
        elif equals and current is not None:
            current[_unquoted(key.strip()).lower()] = _unquoted(value.strip())
        else:
            raise ProjectInvalid("DVC's configuration cannot be understood", at=f"{of}:{number}")
    return sections


def _read(file: Path, root: Path) -> Sections:
    shown = str(file.relative_to(root)) if file.is_relative_to(root) else str(file)
    try:
        with file.open("rb") as stream:
            data = stream.read(_LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise explained(error, "DVC's configuration cannot be read", file) from error
    if len(data) > _LARGEST:
        raise ProjectInvalid("DVC's configuration is not read", at=shown, because="it is absurdly large")
    try:
        return parse(data.decode("utf-8-sig"), of=shown)
    except UnicodeDecodeError:
        raise ProjectInvalid(
            "DVC's configuration cannot be understood", at=shown, because="it is not text in UTF-8"
        ) from None


def _unquoted(text: str) -> str:
    for quote in ('"', "'"):
        if text.startswith(quote) and (end := text.find(quote, 1)) > 0:
            return text[1:end]
    return re.split(r"\s*#", text, maxsplit=1)[0]


def _resolved(value: str, folder: Path, home: Path | None) -> str:
    """Relative paths are relative to the file that they are written in."""
    if _URL.fullmatch(value):
        return value.removeprefix("file://")
    if home is not None and (value == "~" or value.startswith("~/")):
        return str(home) + value[1:]
    return str((folder / value).absolute())


def _remote(name: str, all_of_them: Mapping[str, Mapping[str, str]]) -> Remote:
    """A remote with its options; `url = remote://OTHER/path` builds on another one."""
    options: dict[str, str] = dict(all_of_them[name])
    met = {name}
    while (url := options.get("url", "")).startswith("remote://"):
        other, _, path = url.removeprefix("remote://").partition("/")
        if other in met or other not in all_of_them:
            raise ProjectInvalid(
                f"DVC's remote `{name}` builds on `{other}`, which "
                + ("builds on it in turn" if other in met else "is not configured")
            )
        met.add(other)
        options = {**all_of_them[other], **options}
        options["url"] = all_of_them[other].get("url", "").rstrip("/") + "/" + path
    if not options.get("url"):
        raise ProjectInvalid(f"DVC's remote `{name}` has no `url`")
    return Remote(name, options.pop("url"), options)
