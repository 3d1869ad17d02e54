"""A request that is not answered: why, which field, and what to send instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import msgspec

from drystone.core.signature import Field
from drystone.core.suggest import similar

_MOST_NAMED = 20
_LONGEST_NAME = 100


class Refused(Exception):
    """Ends a request with a status and a body `{"error", "field"?, "hint"?}`.

    What it says is made of the signature and of names that the client sent, never of values: rows
    do not belong in error messages that end up in logs.

    Args:
        status: of HTTP, 400 to 599.
        error: what is wrong, one line.
        field: the input or key that it is about.
        hint: what to do instead.
        headers: further headers of the answer, lower case.
    """

    def __init__(
        self,
        status: int,
        error: str,
        *,
        field: str | None = None,
        hint: str | None = None,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.field = field
        self.hint = hint
        self.headers = headers

    def body(self) -> bytes:
        """The answer's JSON."""
        said = {"error": self.error, "field": self.field, "hint": self.hint}
        return msgspec.json.encode({key: value for key, value in said.items() if value is not None})


def shown(name: str) -> str:
    """A name that the client sent, made fit for one line."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in name[:_LONGEST_NAME])
    return f"`{plain}`" + ("…" if len(name) > _LONGEST_NAME else "")


def check_names(given: Sequence[str], fields: Sequence[Field], noun: str) -> None:
    """Refuse anything but exactly the signature's names, each once, in any order.

    Args:
        given: names in the request.
        fields: what the model takes.
        noun: what they are called there, `input` or `column`.
    """
    names = [field.name for field in fields]
    if len(given) == len(names) and set(given) == set(names):
        return
    known = set(names)
    taken = ", ".join(f"`{field.name}` {field.dtype}" for field in fields[:_MOST_NAMED])
    taken += ", …" if len(names) > _MOST_NAMED else ""
    for name in given:
        if name not in known:
            near = similar(name[:_LONGEST_NAME], names)
            hint = f"the model has `{near[0]}`" if near else f"the model takes {taken}"
            raise Refused(400, f"unknown {noun} {shown(name)}", field=name[:_LONGEST_NAME], hint=hint)
    for name in names:
        if name not in given:
            raise Refused(400, f"{noun} `{name}` is missing", field=name, hint=f"the model takes {taken}")
    twice = next(name for name in given if given.count(name) > 1)
    raise Refused(400, f"{noun} `{twice}` comes twice", field=twice, hint="send each once")


def refuse_json(body: bytes, error: Exception, expected: str) -> NoReturn:
    """Refuse a body that is not JSON, or not of the form that is expected here.

    Args:
        body: looked at only to tell what is wrong with it.
        error: what msgspec raised; it names keys and types, never values.
        expected: the form, for the hint.
    """
    if isinstance(error, msgspec.ValidationError):
        what, _, path = str(error).partition(" - at ")
        field = path.strip("`").removeprefix("$").lstrip(".") or None
        raise Refused(
            400, f"the request is not as it must be: {what[0].lower()}{what[1:]}", field=field, hint=expected
        )
    hint = "send one JSON document in UTF-8"
    if not body:
        hint = f"the body is empty: {expected}"
    elif b"NaN" in body or b"Infinity" in body:
        hint = "JSON has no NaN and no Infinity: send null for a missing value"
    raise Refused(400, "the body is not valid JSON", hint=hint)
