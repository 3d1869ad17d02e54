"""The pipeline as a layered drawing: a card per step listing what it writes, curves to who reads that.

Columns follow from the longest way from a source. A curve that passes a column gets a lane of its
own in it, so that it never runs behind a card.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

CARD_WIDTH, HEAD, ROW = 190.0, 48.0, 21.0
_GAP_X, _GAP_Y, _MARGIN, _LANE = 44.0, 18.0, 3.0, 10.0
#: Rows of a card; what is more than that shares the last one.
_ROWS = 8
_SWEEPS = 6


class Row(NamedTuple):
    """Something written, on a card; `y` is its middle."""

    text: str
    y: float


class Card(NamedTuple):
    """A step where it stands."""

    step: str
    x: float
    y: float
    width: float
    height: float
    rows: list[Row]


class Drawing(NamedTuple):
    """Cards in the order of the pipeline and the curves between them, in drawing units."""

    width: float
    height: float
    cards: list[Card]
    curves: list[str]


class Flow(NamedTuple):
    """What row `text` of the writer's card stands for passes to a reader."""

    writer: str
    text: str
    reader: str


def layout(steps: Sequence[str], rows: Mapping[str, Sequence[str]], flows: Sequence[Flow]) -> Drawing:
    """Place the steps.

    Args:
        steps: their names.
        rows: per step, what its card lists.
        flows: what passes between different steps.
    """
    if not steps:
        return Drawing(0, 0, [], [])
    forward = _without_circles(steps, list(dict.fromkeys((flow.writer, flow.reader) for flow in flows)))
    depth = _depths(steps, forward)
    lanes = {
        (start, end): [f"{start}\0{end}\0{layer}" for layer in range(depth[start] + 1, depth[end])]
        for start, end in forward
    }
    columns = _columns(steps, depth, lanes)
    cards, lane_heights = _place(_ordered(columns, lanes), rows)
    curves = [_curve(flow, cards, lane_heights, lanes.get((flow.writer, flow.reader), [])) for flow in flows]
    ordered = sorted(cards.values(), key=lambda card: (card.x, card.y))
    bottom = max([card.y + card.height for card in ordered] + list(lane_heights.values()))
    return Drawing(
        ordered[-1].x + CARD_WIDTH + _MARGIN, bottom + _MARGIN, ordered, list(dict.fromkeys(curves))
    )


def _without_circles(steps: Sequence[str], arrows: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The arrows but those that close a circle."""
    following: dict[str, list[str]] = defaultdict(list)
    for start, end in arrows:
        following[start].append(end)
    state: dict[str, int] = {}
    closing: set[tuple[str, str]] = set()
    for root in steps:
        if root in state:
            continue
        state[root] = 1
        stack = [(root, iter(following[root]))]
        while stack:
            node, rest = stack[-1]
            child = next(rest, None)
            if child is None:
                state[node] = 2
                stack.pop()
            elif child not in state:
                state[child] = 1
                stack.append((child, iter(following[child])))
            elif state[child] == 1:
                closing.add((node, child))
    return [arrow for arrow in arrows if arrow not in closing]


def _depths(steps: Sequence[str], arrows: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Each step one column behind the last of those it depends on."""
    depth, waiting = dict.fromkeys(steps, 0), dict.fromkeys(steps, 0)
    following: dict[str, list[str]] = defaultdict(list)
    for start, end in arrows:
        following[start].append(end)
        waiting[end] += 1
    ready = [step for step in steps if not waiting[step]]
    for step in ready:
        for end in following[step]:
            depth[end] = max(depth[end], depth[step] + 1)
            waiting[end] -= 1
            if not waiting[end]:
                ready.append(end)
    return depth


def _columns(
    steps: Sequence[str], depth: Mapping[str, int], lanes: Mapping[tuple[str, str], Sequence[str]]
) -> list[list[str]]:
    columns: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for step in steps:
        columns[depth[step]].append(step)
    for (start, _), chain in lanes.items():
        for offset, lane in enumerate(chain, depth[start] + 1):
            columns[offset].append(lane)
    return columns


def _ordered(columns: list[list[str]], lanes: Mapping[tuple[str, str], Sequence[str]]) -> list[list[str]]:
    """Fewer crossings: each node goes to the mean place of its neighbours, back and forth."""
    neighbours: dict[str, list[str]] = defaultdict(list)
    for (start, end), chain in lanes.items():
        whole = [start, *chain, end]
        for one, other in pairwise(whole):
            neighbours[one].append(other)
            neighbours[other].append(one)
    place = {node: (index + 0.5) / len(column) for column in columns for index, node in enumerate(column)}
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wanted = {
                node: sum(place[other] for other in neighbours[node]) / len(neighbours[node])
                if neighbours[node]
                else place[node]
                for node in column
            }
            column.sort(key=wanted.__getitem__)
            place |= {node: (index + 0.5) / len(column) for index, node in enumerate(column)}
    return columns


def _place(
    columns: Sequence[Sequence[str]], rows: Mapping[str, Sequence[str]]
) -> tuple[dict[str, Card], dict[str, float]]:
    """Cards by step, and the height at which each lane runs."""

    def height(node: str) -> float:
        count = min(len(rows.get(node, ())), _ROWS)
        return _LANE if "\0" in node else HEAD + count * ROW + (7 if count else 0)

    tall = [sum(map(height, column)) + _GAP_Y * (len(column) - 1) for column in columns]
    cards: dict[str, Card] = {}
    lanes: dict[str, float] = {}
    for index, column in enumerate(columns):
        x = _MARGIN + index * (CARD_WIDTH + _GAP_X)
        y = _MARGIN + (max(tall) - tall[index]) / 2
        for node in column:
            if "\0" in node:
                lanes[node] = y + _LANE / 2
            else:
                texts = _shown(rows.get(node, ()))
                listed = [Row(text, y + HEAD + (place + 0.5) * ROW) for place, text in enumerate(texts)]
                cards[node] = Card(node, x, y, CARD_WIDTH, height(node), listed)
            y += height(node) + _GAP_Y
    return cards, lanes


def _shown(texts: Sequence[str]) -> list[str]:
    if len(texts) <= _ROWS:
        return list(texts)
    return [*texts[: _ROWS - 1], f"and {len(texts) - _ROWS + 1} more"]


def _curve(flow: Flow, cards: Mapping[str, Card], heights: Mapping[str, float], chain: Sequence[str]) -> str:
    start, end = cards[flow.writer], cards[flow.reader]
    row = next((row for row in start.rows if row.text == flow.text), start.rows[-1])
    x, y = start.x + start.width, row.y
    pieces = [f"M{x:g} {y:g}"]
    target = (end.x, end.y + HEAD / 2)
    if end.x <= x:  # back to an earlier column: around below, so that it is seen as what it is
        low = max(start.y + start.height, end.y + end.height) + _GAP_Y / 2
        return f"{pieces[0]}C{x + 40:g} {low:g} {target[0] - 40:g} {low:g} {target[0]:g} {target[1]:g}"
    for lane in chain:
        left = x + _GAP_X
        pieces.append(_bend(x, y, left, heights[lane]) + f"H{left + CARD_WIDTH:g}")
        x, y = left + CARD_WIDTH, heights[lane]
    pieces.append(_bend(x, y, *target))
    return "".join(pieces)


def _bend(x1: float, y1: float, x2: float, y2: float) -> str:
    middle = (x1 + x2) / 2
    return f"C{middle:g} {y1:g} {middle:g} {y2:g} {x2:g} {y2:g}"
