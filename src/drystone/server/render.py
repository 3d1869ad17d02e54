"""Pages to bytes: HTML through the templates, JSON through one set of rules."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from drystone.core.ids import short
from drystone.core.version import __version__
from drystone.server import text, urls
from drystone.server.reader import Page

_HERE = Path(__file__).parent
STATIC = _HERE / "static"

NAVIGATION = (
    ("Overview", "/"),
    ("Runs", "/runs"),
    ("Pipeline", "/pipeline"),
    ("Data", "/data"),
    ("Models", "/models"),
    ("Deployments", "/deployments"),
)
#: Fields of facts that are times; everything else that is an integer is a count.
_TIMES = frozenset({"time", "start", "end", "started", "finished"})


def plain(value: object) -> object:
    """A value as JSON says it: ISO times, and NaN and infinities as the strings of their names.

    (JSON has no numbers for those, and null would mean something else: not measured.)
    """
    if isinstance(value, text.Moment):
        return value.iso
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value


def fact(record: msgspec.Struct) -> dict[str, object]:
    """The fields of a ledger record, times marked as such; new fields appear by themselves."""
    found: dict[str, object] = {}
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if name in _TIMES and isinstance(value, int):
            value = text.Moment(value)
        elif isinstance(value, msgspec.Struct):
            value = fact(value)
        elif isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
            value = [fact(item) for item in value]
        found[name] = value
    return found


def to_json(document: Mapping[str, object]) -> bytes:
    """One JSON document."""
    dumped = json.dumps(plain(document), ensure_ascii=False, allow_nan=False, indent=1)
    return dumped.encode("utf-8", "backslashreplace") + b"\n"


def json_address(path: str, query: str) -> str:
    """Address of a page's JSON twin."""
    twin = "/index.json" if path == "/" else f"{path}.json"
    return f"{twin}?{query}" if query else twin


class Templates:
    """The templates, compiled on first use. Every expression is escaped, and made visible first."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_finalize,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        filters = self._environment.filters
        for function in (
            text.ago,
            text.clip,
            text.count,
            text.duration,
            text.fit,
            text.interval,
            text.number,
            text.percent,
            text.plural,
            text.size,
            text.span,
            text.stamp,
            text.visible,
            text.within,
        ):
            filters[function.__name__] = function
        filters |= {"short": short, "prose": _prose, "breakable": _breakable}
        self._environment.globals |= {
            "urls": urls,
            "navigation": NAVIGATION,
            "version": __version__,
            "style": f"/static/style.css?v={_digest('style.css')}",
            "icon": f"/static/icon.svg?v={_digest('icon.svg')}",
        }

    def html(self, page: Page, *, path: str, query: str, now: int) -> bytes:
        """The web page.

        Args:
            page: what to show.
            path: its address, for the navigation and the JSON twin.
            query: its query string, undecoded.
            now: nanoseconds since the epoch, for relative times.
        """
        body = self._environment.get_template(page.template).render(
            page=page,
            data=page.data,
            view=page.view,
            now=now,
            section=_section(path),
            twin=json_address(path, query),
        )
        return body.encode("utf-8", "xmlcharrefreplace")


def _finalize(value: object) -> object:
    if value is None:
        return ""
    return text.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _prose(sentence: str | None) -> Markup:
    """A sentence with what stands in backticks as code."""
    parts = text.visible(sentence or "").split("`")
    if len(parts) % 2 == 0:  # a backtick without partner stays one
        parts[-2:] = ["`".join(parts[-2:])]
    marked = [
        escape(part) if index % 2 == 0 else Markup("<code>{}</code>").format(part)
        for index, part in enumerate(parts)
    ]
    return Markup("").join(marked)


def _breakable(name: str) -> Markup:
    """A name that may be broken behind its underscores, rather than within a word."""
    return Markup("_<wbr>").join(escape(part) for part in text.visible(name).split("_"))


def _section(path: str) -> str:
    first = "/" + path.split("/")[1]
    return "/deployments" if first == "/monitors" else first


def _digest(name: str) -> str:
    return hashlib.blake2b((STATIC / name).read_bytes(), digest_size=6).hexdigest()
