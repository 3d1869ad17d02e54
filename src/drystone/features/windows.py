"""`f(x) FILTER (WHERE c) OVER last_24h`: taken out of a view's SELECT, to be evaluated at a spine's times.

`split` turns one SELECT into two texts. The first yields the view's rows, where each window has become
columns of its arguments; the second computes the windowed items from the aggregates of those columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from drystone.core.errors import ProjectInvalid
from drystone.features.view import duration

_TOKEN = re.compile(
    r"""(?P<skip>\s+|--[^\n]*|/\*.*?\*/)
      | (?P<text>[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
      | (?P<word>"(?:[^"]|"")*"|[^\W\d]\w*)
      | (?P<number>\d[\w.]*)
      | (?P<other>.)""",
    re.DOTALL | re.VERBOSE,
)
_OPEN, _CLOSE = "([{", ")]}"
_AFTER_SELECT_LIST = frozenset(
    {"from", "where", "group", "having", "order", "qualify", "window", "limit", "offset"}
    | {"union", "intersect", "except", "using"}
)


class Token(NamedTuple):
    """A word, text, number or sign of SQL: its text (a word in lower case) and where it stands."""

    kind: str
    text: str
    start: int
    end: int
    depth: int


class Window(NamedTuple):
    """One windowed aggregate.

    Attributes:
        column: the name under which its value is handed to `Split.items`.
        call: the aggregate over the columns of `Split.rows`, e.g. `avg(__0_0)`.
        condition: the column of `Split.rows` that tells which rows count.
        length: microseconds.
    """

    column: str
    call: str
    condition: str
    length: int


class Split(NamedTuple):
    """A SELECT taken apart.

    Attributes:
        rows: the SELECT of the view's rows, windows replaced by columns whose names start with `__`.
        windows: the aggregates to compute.
        items: the select list that turns their values into features, "" without windows.
    """

    rows: str
    windows: tuple[Window, ...]
    items: str


def split(sql: str, at: str) -> Split:
    """Take the `OVER last_N` items out of a SELECT, and the `;` off its end.

    Raises:
        ProjectInvalid: more statements follow, or a window stands where none can be evaluated or is not
            of the form above.
    """
    tokens = list(_tokens(sql))
    ends = [i for i, token in enumerate(tokens) if token.text == ";"]
    if ends:
        if ends[0] != len(tokens) - 1:
            raise ProjectInvalid("the view is more than one statement", at=at)
        sql, tokens = sql[: tokens[-1].start], tokens[:-1]
    overs = [i for i, token in enumerate(tokens) if _is_window(tokens, i)]
    if not overs:
        return Split(sql, (), "")
    first, last = _select_list(tokens, at)
    if any(not first <= i < last for i in overs):
        raise ProjectInvalid(
            "`OVER last_...` stands outside the outermost select list",
            at=at,
            because="it is evaluated at the spine's times, after the rows of the view have been selected",
        )
    windows: list[Window] = []
    items: list[str] = []
    rows, done = "", 0
    for begin, end in _parts(tokens, first, last):
        inside = [i for i in overs if begin <= i < end]
        if not inside:
            continue
        start, stop = tokens[begin].start, tokens[end - 1].end
        if tokens[end - 2].text != "as":
            raise ProjectInvalid(
                f"`{sql[start:stop]}` has no name", at=at, hints=["end the item with `AS name`"]
            )
        columns: list[str] = []
        text, position = "", start
        for i in inside:
            call, window, arguments = _window(sql, tokens, i, len(windows), at)
            text += sql[position : tokens[call].start] + window.column
            position = tokens[i + 1].end
            windows.append(window)
            columns += arguments
        items.append(text + sql[position:stop])
        rows += sql[done:start] + ", ".join(columns)
        done = stop
    return Split(rows + sql[done:], tuple(windows), ", ".join(items))


def _tokens(sql: str) -> Iterator[Token]:
    depth = 0
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup or "other"
        if kind == "skip":
            continue
        text = match[0].lower() if kind == "word" else match[0]
        depth -= text in _CLOSE
        yield Token(kind, text, match.start(), match.end(), depth)
        depth += text in _OPEN


def _is_window(tokens: Sequence[Token], i: int) -> bool:
    following = tokens[i + 1].text if i + 1 < len(tokens) else ""
    return tokens[i].kind == "word" and tokens[i].text == "over" and following.startswith("last_")


def _select_list(tokens: Sequence[Token], at: str) -> tuple[int, int]:
    """First token and the one after the last of the outermost select list."""
    outer = [i for i, token in enumerate(tokens) if token.depth == 0]
    selects = [i for i in outer if tokens[i].text == "select" and tokens[i].kind == "word"]
    clashes = {tokens[i].text for i in outer} & {"union", "intersect", "except", "window"}
    if selects and tokens[selects[0] + 1].text == "distinct":
        clashes.add("distinct")
    if clashes or len(selects) != 1:
        raise ProjectInvalid(
            "`OVER last_...` cannot stand in a query with "
            + (" and ".join(sorted(clashes)).upper() or "no SELECT or several"),
            at=at,
            hints=[
                "select the rows in a subquery: `SELECT ..., avg(x) OVER last_24h AS y FROM (SELECT ...)`"
            ],
        )
    first = selects[0] + 1
    for i in outer:
        is_from = tokens[i].text == "from" and tokens[i - 1].text == "distinct"  # IS DISTINCT FROM
        if i >= first and tokens[i].text in _AFTER_SELECT_LIST and not is_from:
            return first, i
    return first, len(tokens)


def _parts(tokens: Sequence[Token], first: int, last: int) -> Iterator[tuple[int, int]]:
    """Spans between the commas of one depth, that of the first token."""
    begin = first
    for i in range(first, last):
        if tokens[i].text == "," and tokens[i].depth == tokens[first].depth:
            yield begin, i
            begin = i + 1
    if begin < last:
        yield begin, last


def _window(
    sql: str, tokens: Sequence[Token], over: int, number: int, at: str
) -> tuple[int, Window, list[str]]:
    """The window whose OVER is token `over`: its first token, itself, and the columns it needs."""
    name = tokens[over + 1].text
    length = duration(name.removeprefix("last_"))
    if length is None:
        raise ProjectInvalid(
            f"no such window: `{name}`",
            at=at,
            hints=["windows are `last_` with a whole number and a unit: `last_15m`, `last_24h`, `last_7d`"],
        )
    condition = "true"
    closing = over - 1
    opening = _opening(tokens, closing)
    if opening is not None and opening > 0 and tokens[opening - 1].text == "filter":
        first = opening + 1 + (tokens[opening + 1].text == "where")
        condition = sql[tokens[first].start : tokens[closing - 1].end]
        closing = opening - 2
        opening = _opening(tokens, closing)
    if opening is None or opening == 0 or tokens[opening - 1].kind != "word":
        raise ProjectInvalid(f"`OVER {name}` must follow a call, as in `avg(x) OVER {name}`", at=at)
    columns = [f"{condition} AS __{number}_where"]
    arguments = []
    begin = opening + 1
    distinct = begin < closing and tokens[begin].text == "distinct"
    for i, (start, stop) in enumerate(_parts(tokens, begin + distinct, closing)):
        text = sql[tokens[start].start : tokens[stop - 1].end]
        if any(token.text == "order" for token in tokens[start:stop]):
            raise ProjectInvalid(f"ORDER BY cannot stand in a call with `OVER {name}`", at=at)
        if text == "*" or not any(token.kind == "word" for token in tokens[start:stop]):
            arguments.append(text)  # a constant, such as the 0.9 of a quantile, must stay one
        else:
            arguments.append(f"__{number}_{i}")
            columns.append(f"{text} AS __{number}_{i}")
    call = f"{tokens[opening - 1].text}({'DISTINCT ' if distinct else ''}{', '.join(arguments)})"
    return opening - 1, Window(f"__{number}", call, f"__{number}_where", length), columns


def _opening(tokens: Sequence[Token], closing: int) -> int | None:
    """The `(` that belongs to the `)` at `closing`; None where there is no `)`."""
    if closing < 0 or tokens[closing].text != ")":
        return None
    depth = tokens[closing].depth
    return next(i for i in range(closing - 1, -1, -1) if tokens[i].text == "(" and tokens[i].depth == depth)
