"""Names and values in SQL."""

from __future__ import annotations


def literal(text: str) -> str:
    """A text as SQL spells it."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A column's name as SQL spells it, whatever it is."""
    return '"' + name.replace('"', '""') + '"'
