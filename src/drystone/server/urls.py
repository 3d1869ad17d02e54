"""Addresses of pages. Names are hostile: whatever they hold stands in one path segment."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

from drystone.core.errors import UsageError

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.")
_ESCAPE = re.compile(r"~([0-9A-F]{2})")


def segment(name: str) -> str:
    """A name as one path segment: bytes outside `A-Za-z0-9_-.` become `~XX`.

    Percent signs would be undone before routing, and then `a/b` were two segments. A trailing
    `.json` is escaped too, for it asks for the JSON twin; so are names of dots alone.
    """
    text = "".join(chr(byte) if byte in _PLAIN else f"~{byte:02X}" for byte in name.encode())
    if text.endswith(".json"):
        text = text.removesuffix(".json") + "~2Ejson"
    return text.replace(".", "~2E") if text in (".", "..") else text


def unsegment(text: str) -> str:
    """Inverse of `segment`; what was never one comes back as it is, and then names nothing."""
    plain = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    try:
        return plain.encode("latin-1").decode()
    except UnicodeError:
        return text


def run(identifier: str) -> str:
    """Page of a run."""
    return f"/runs/{segment(identifier)}"


def runs(**filters: str | Iterable[str] | None) -> str:
    """The list of runs, filtered."""
    return with_query("/runs", filters)


def compare(a: str, b: str) -> str:
    """Two runs side by side."""
    return with_query("/runs/compare", {"a": a, "b": b})


def asset(kind: str, name: str, version: int | None = None) -> str:
    """Page of a model or dataset, or of one version of it."""
    base = f"/{'models' if kind == 'model' else 'data'}/{segment(name)}"
    return base if version is None else f"{base}/v{version}"


def deployment(name: str) -> str:
    """Page of a deployment."""
    return f"/deployments/{segment(name)}"


def monitor(name: str) -> str:
    """Page of a deployment's monitor."""
    return f"/monitors/{segment(name)}"


def stored(object_id: str) -> str:
    """Page of an object."""
    return f"/objects/{segment(object_id.removeprefix('b3:'))}"


def with_query(path: str, values: Mapping[str, str | Iterable[str] | None]) -> str:
    """`path` with those values that are there."""
    pairs: list[tuple[str, str]] = []
    for key, value in values.items():
        pairs += [(key, one) for one in ([value] if isinstance(value, str) else value or ()) if one]
    return f"{path}?{urlencode(pairs)}" if pairs else path


def paging_token(last: str) -> str:
    """An opaque token for the page behind run `last`."""
    return base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")


def read_token(token: str) -> str:
    """The run behind which a page starts.

    Raises:
        UsageError: this server never gave out such a token.
    """
    try:
        return base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise _not_ours(token) from None


def read_number(token: str) -> int:
    """As `read_token`, of a token that holds a whole number."""
    try:
        return int(read_token(token))
    except ValueError:
        raise _not_ours(token) from None


def _not_ours(token: str) -> UsageError:
    return UsageError(
        f"not a paging token: `{token}`",
        because="a token is copied from `next` of the page before",
        hints=["leave `page` out to start at the newest"],
    )
