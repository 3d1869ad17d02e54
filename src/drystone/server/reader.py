"""What a page may look at, and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from drystone.core.errors import NotFound
from drystone.core.layout import Layout
from drystone.ledger import runs
from drystone.ledger.ledger import Ledger
from drystone.objects.store import ObjectStore

#: Rows of a list per page.
PAGE_ROWS = 100


class Query(NamedTuple):
    """What was asked for.

    Attributes:
        path: the named parts of the address, decoded.
        values: the query string, every value of each key.
    """

    path: Mapping[str, str]
    values: Mapping[str, list[str]]

    def one(self, key: str) -> str | None:
        """The last value of `key` that is not blank."""
        return next((value for value in reversed(self.values.get(key, [])) if value.strip()), None)

    def many(self, key: str, limit: int) -> list[str]:
        """The values of `key`, each once, in order, at most `limit`."""
        return list(dict.fromkeys(value for value in self.values.get(key, []) if value.strip()))[:limit]


class Reader(NamedTuple):
    """Read access to one project at one moment.

    Attributes:
        ledger: its facts.
        store: its objects.
        layout: its paths.
    """

    ledger: Ledger
    store: ObjectStore
    layout: Layout

    def run(self, identifier: str) -> runs.RunRow:
        """The run of this id or unique beginning of one.

        Raises:
            NotFound: there is none; `Ambiguous`: there are several.
        """
        return runs.get(self.ledger, identifier) or runs.find(self.ledger, identifier)


@dataclass(frozen=True)
class Page:
    """One answer: `data` becomes the JSON document, and with `view` the web page.

    Attributes:
        template: file in `templates/`.
        title: the page's heading.
        cli: the command that prints the same.
        data: what the page says. Keys are only ever added.
        view: what only the web page needs: drawings, links of forms.
        crumbs: pages above this one, as (label, address).
        label: what the last breadcrumb says, the title if empty.
    """

    template: str
    title: str
    cli: str
    data: dict[str, object]
    view: dict[str, object] = field(default_factory=dict)
    crumbs: tuple[tuple[str, str], ...] = ()
    label: str = ""


PageFunction = Callable[[Reader, Query], Page]


def missing(what: str, hint: str) -> NotFound:
    """The error for an address that names nothing."""
    return NotFound(what, hints=[hint])
