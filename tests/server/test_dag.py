from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from drystone.server.dag import Card, Flow, layout

names = [f"s{index}" for index in range(8)]
listed = st.dictionaries(
    st.sampled_from(names), st.lists(st.sampled_from([f"data/{index}" for index in range(12)]), unique=True)
)


@st.composite
def pipelines(draw: st.DrawFn) -> tuple[list[str], dict[str, list[str]], list[Flow]]:
    steps = draw(st.lists(st.sampled_from(names), unique=True, max_size=8))
    rows = {step: texts for step, texts in draw(listed).items() if step in steps}
    possible = [Flow(a, text, b) for a, texts in rows.items() for text in texts for b in steps if a != b]
    flows = draw(st.lists(st.sampled_from(possible), max_size=20, unique=True)) if possible else []
    return steps, rows, flows


def overlap(a: Card, b: Card) -> bool:
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height


@given(pipelines())
def test_any_pipeline_can_be_drawn_even_one_that_runs_in_a_circle(
    pipeline: tuple[list[str], dict[str, list[str]], list[Flow]],
) -> None:
    drawing = layout(*pipeline)
    assert sorted(card.step for card in drawing.cards) == sorted(pipeline[0])
    assert not any(overlap(a, b) for a, b in combinations(drawing.cards, 2))
    for card in drawing.cards:
        assert card.x >= 0 and card.y >= 0
        assert card.x + card.width <= drawing.width and card.y + card.height <= drawing.height
        assert all(card.y < row.y < card.y + card.height for row in card.rows)


def test_a_reader_stands_to_the_right_of_every_step_it_depends_on() -> None:
    drawing = layout(
        ["report", "train", "ingest", "features"],
        {"ingest": ["raw"], "features": ["training"], "train": ["metrics"]},
        [
            Flow("ingest", "raw", "features"),
            Flow("features", "training", "train"),
            Flow("train", "metrics", "report"),
            Flow("ingest", "raw", "report"),
        ],
    )
    assert [card.step for card in drawing.cards] == ["ingest", "features", "train", "report"]
    assert len({card.x for card in drawing.cards}) == 4
    assert len(drawing.curves) == 4


def test_a_curve_past_a_column_runs_beside_its_cards_not_behind_them() -> None:
    flows = [Flow("a", "x", "b"), Flow("b", "y", "c"), Flow("a", "x", "c")]
    drawing = layout(["a", "b", "c"], {"a": ["x"], "b": ["y"]}, flows)
    middle = next(card for card in drawing.cards if card.step == "b")
    passing = next(curve for curve in drawing.curves if "H" in curve)
    height = float(passing.partition("H")[0].split()[-1])
    assert not middle.y <= height <= middle.y + middle.height


def test_a_card_with_many_rows_says_how_many_it_does_not_list() -> None:
    drawing = layout(["a", "b"], {"a": [f"p{index}" for index in range(20)]}, [Flow("a", "p19", "b")])
    assert drawing.cards[0].rows[-1].text == "and 13 more"
    assert len(drawing.curves) == 1
