"""Writes `docs/reference/facts.md` from the structs of the ledger; with --check only compares."""

from __future__ import annotations

import inspect
from typing import get_args, get_type_hints

import msgspec
from generated import settle

from drystone.ledger import facts


def reference() -> str:
    """The whole page."""
    parts = [
        "# Facts\n",
        "Every kind of record in a journal (`formats.md`), made from the code by `make format`.",
        "A field that has a default may be left out.",
        "Times are nanoseconds since 1970-01-01T00:00:00Z; objects are `b3:` and 64 hex digits.\n",
    ]
    nested = (facts.Code, facts.FeatureVerdict, facts.Performance)
    for struct in (*get_args(facts.AnyFact), *nested):
        tag = struct.__struct_config__.tag
        parts.append(f"## {f'`{tag}`' if tag else struct.__name__}\n")
        parts.append(f"{inspect.getdoc(struct)}\n")
        parts.append("| field | type | default |\n|---|---|---|")
        hints = get_type_hints(struct)
        for field in msgspec.structs.fields(struct):
            default = "" if field.default is msgspec.NODEFAULT else f"`{field.default!r}`"
            parts.append(f"| `{field.encode_name}` | {_type(hints[field.name])} | {default} |")
        parts.append("")
    return "\n".join(parts)


def _type(hint: object) -> str:
    text = inspect.formatannotation(hint).replace("drystone.ledger.facts.", "").replace("typing.", "")
    return f"`{text}`".replace("|", "or")


if __name__ == "__main__":
    raise SystemExit(settle("facts.md", reference()))
