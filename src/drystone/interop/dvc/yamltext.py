"""YAML as DVC reads and writes it: version 1.2, so `yes` is text and `1e5` a number.

A file of somebody else's repository may be hostile: its size, its depth and what its aliases would
expand to are limited, and no tag makes anything but text, numbers, lists and mappings.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import yaml

from drystone.core.errors import ProjectInvalid

_LARGEST = 64 << 20  # bytes
_DEEPEST = 60
_EXPANDED = 5_000_000  # nodes, each alias counted as what it stands for

# PyYAML matches at the start only, hence the \Z
_BOOLEAN = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
# an MD5 of decimal digits only is longer: it stays text, quoted or not
_INTEGER = re.compile(r"(?:0|[1-9][0-9]{0,18})\Z")
_MERGE = re.compile(r"<<\Z")
_OTHER_NUMBER = re.compile(
    r"(?:[-+]?0b[0-1_]+|[-+]?0x[0-9a-fA-F_]+|[-+]?0o[0-7_]+"
    r"|[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # which is there is known later
    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


class _Dumper(yaml.SafeDumper):
    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]  # as the class has it

    def ignore_aliases(self, _data: Any) -> bool:
        return True


for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOLEAN, None)
    _class.add_implicit_resolver("tag:yaml.org,2002:null", _NULL, None)
    _class.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, None)
    _class.add_implicit_resolver("tag:yaml.org,2002:merge", _MERGE, ["<"])
# only for writing: text that another reader would take for something else is quoted
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _OTHER_NUMBER, None)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:timestamp", _DATE, None)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:value", re.compile(r"=\Z"), ["="])


def load(data: bytes, *, of: str) -> Any:
    """The one document in `data`; None if it is empty.

    Args:
        data: the file's bytes.
        of: its name, for errors.

    Raises:
        ProjectInvalid: it is not YAML, or too large, too deep or too expansive to be meant well.
    """
    if len(data) > _LARGEST:
        raise _refused(of, f"it has {len(data):,} bytes; at most {_LARGEST:,} are read")
    try:
        _measure(data, of)
        return yaml.load(data, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{of}:{mark.line + 1}" if mark is not None else of
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ProjectInvalid(f"`{of}` is not YAML", at=where, because=problem) from error
    except (ValueError, TypeError, RecursionError) as error:  # a tag that its value does not fit
        raise _refused(of, str(error).splitlines()[0][:200]) from error


def dump(value: dict[str, Any]) -> str:
    """Block style, keys in the order given, lists not indented, as DVC writes its files."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=False, sort_keys=False, allow_unicode=True, width=80
    )
    return text


def _measure(data: bytes, of: str) -> None:
    """Raises if the document is nested too deep or its aliases stand for too much."""
    sizes: dict[str, int] = {}
    opened: list[tuple[str | None, int]] = []
    total = 0
    for event in yaml.parse(data, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            if event.anchor in (name for name, _ in opened):
                raise _refused(of, f"the alias `*{event.anchor}` lies inside what it stands for")
            total += sizes.get(event.anchor or "", 0)
        elif isinstance(event, yaml.ScalarEvent):
            total += 1
            if event.anchor:
                sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, total))
            total += 1
            if len(opened) > _DEEPEST:
                raise _refused(of, f"it is nested more than {_DEEPEST} levels deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            if anchor:
                sizes[anchor] = total - before
        if total > _EXPANDED:
            raise _refused(of, f"with its aliases it stands for more than {_EXPANDED:,} values")


def _refused(of: str, because: str) -> ProjectInvalid:
    return ProjectInvalid(f"`{of}` is not read", at=of, because=because)
