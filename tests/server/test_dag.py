from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from drystone.server.dag import Card, layout

names = [f"s{index}" for index in range(8)]
paths = st.lists(st.sampled_from([f"data/{index}" for index in range(10)]), max_size=12, unique=True)
wiring = st.dictionaries(st.sampled_from(names), paths)


def overlap(a: Card, b: Card) -> bool:
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height


@given(st.lists(st.sampled_from(names), unique=True, max_size=8), wiring, wiring)
def test_any_pipeline_can_be_drawn_even_one_that_runs_in_a_circle(
    steps: list[str], reads: dict[str, list[str]], writes: dict[str, list[str]]
) -> None:
    drawing = layout(steps, reads, writes)
    assert sorted(card.step for card in drawing.cards) == sorted(steps)
    assert not any(overlap(a, b) for a, b in combinations(drawing.cards, 2))
    for card in drawing.cards:
        assert card.x >= 0 and card.y >= 0
        assert card.x + card.width <= drawing.width and card.y + card.height <= drawing.height
        assert all(card.y < row.y < card.y + card.height for row in card.rows)


def test_a_reader_stands_to_the_right_of_every_step_it_depends_on() -> None:
    drawing = layout(
        ["report", "train", "ingest", "features"],
        {"features": ["raw"], "train": ["training"], "report": ["metrics", "raw"]},
        {"ingest": ["raw"], "features": ["training"], "train": ["metrics"]},
    )
    assert [card.step for card in drawing.cards] == ["ingest", "features", "train", "report"]
    assert len({card.x for card in drawing.cards}) == 4
    assert len(drawing.curves) == 4


def test_a_curve_past_a_column_runs_beside_its_cards_not_behind_them() -> None:
    drawing = layout(["a", "b", "c"], {"b": ["x"], "c": ["y", "x"]}, {"a": ["x"], "b": ["y"]})
    middle = next(card for card in drawing.cards if card.step == "b")
    passing = next(curve for curve in drawing.curves if "H" in curve)
    height = float(passing.partition("H")[0].split()[-1])
    assert not middle.y <= height <= middle.y + middle.height


def test_a_card_with_many_paths_says_how_many_it_does_not_list() -> None:
    drawing = layout(["a", "b"], {"b": ["p19"]}, {"a": [f"p{index}" for index in range(20)]})
    assert drawing.cards[0].rows[-1].text == "and 13 more"
    assert len(drawing.curves) == 1
