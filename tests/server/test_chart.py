from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from drystone.server.chart import BUCKETS, HEIGHT, WIDTH, Band, Series, downsample, line_chart

values = st.floats(allow_nan=True, allow_infinity=True)
points = st.lists(st.tuples(st.floats(-1e12, 1e12), values), max_size=300).map(sorted)


def test_a_spike_among_a_million_points_survives() -> None:
    many = [(float(x), math.sin(x)) for x in range(1_000_000)]
    many[654_321] = (654_321.0, 99.0)
    many[123_456] = (123_456.0, -99.0)
    drawn = downsample(many)
    assert (654_321.0, 99.0) in drawn and (123_456.0, -99.0) in drawn
    assert len(drawn) <= 2 * BUCKETS + 2
    assert drawn == sorted(drawn) and drawn[0] == many[0] and drawn[-1] == many[-1]


@given(
    st.lists(st.tuples(st.integers(0, 10**6).map(float), st.floats(-1e9, 1e9)), min_size=1, max_size=400).map(
        sorted
    ),
    st.integers(1, 20),
)
def test_lowest_and_highest_always_stay_and_nothing_is_invented(
    some: list[tuple[float, float]], buckets: int
) -> None:
    drawn = downsample(some, buckets)
    heights = [y for _, y in drawn]
    assert min(heights) == min(y for _, y in some) and max(heights) == max(y for _, y in some)
    assert set(drawn) <= set(some) and len(drawn) <= 2 * buckets + 2


@given(points, st.lists(values, min_size=2, max_size=2))
def test_whatever_is_measured_is_drawn_inside_its_frame(
    some: list[tuple[float, float]], edges: list[float]
) -> None:
    band = [Band(x, *edges) for x, _ in some[:5]]
    chart = line_chart("metric", [Series("metric", some, band)], level=edges[0])
    assert chart.empty == (not any(math.isfinite(y) for _, y in some))
    for line in chart.lines:
        assert "nan" not in line.path and "inf" not in line.path
        assert all(
            chart.left - 0.5 <= x <= chart.right + 0.5 and chart.top - 0.5 <= y <= chart.bottom + 0.5
            for x, y in line.dots
        )
    assert all(0 <= tick.at <= WIDTH for tick in chart.across) and all(
        0 <= tick.at <= HEIGHT for tick in chart.up
    )
    assert len(chart.across) <= 13 and len(chart.up) <= 13


def test_a_value_that_is_not_finite_interrupts_the_line_and_is_told_of() -> None:
    chart = line_chart(
        "loss", [Series("loss", [(0, 1.0), (1, 2.0), (2, math.nan), (3, 1.5), (4, math.inf), (5, 1.0)])]
    )
    assert chart.lines[0].path.count("M") == 3
    assert "2 of 6 points are not finite" in chart.summary
    assert "1 at step 0, 1 at step 5; lowest 1, highest 2" in chart.summary


def test_a_single_point_and_a_flat_line_have_a_scale() -> None:
    for some in ([(3.0, 7.0)], [(0.0, 0.0), (1.0, 0.0)], [(0.0, 5e-324)], [(0.0, 1.7e308), (1.0, -1.7e308)]):
        chart = line_chart("m", [Series("m", some)])
        assert chart.up and chart.across and chart.lines[0].dots


def test_ticks_of_one_axis_have_the_same_decimals() -> None:
    labels = [tick.label for tick in line_chart("m", [Series("m", [(0, 0.702), (9, 0.744)])]).up]
    assert labels == ["0.70", "0.72", "0.74", "0.76"]


def test_ticks_stay_inside_though_the_last_value_is_missing() -> None:
    some = [(0.0, 1.0), (1.0, 2.0), (2.0, math.nan)]
    chart = line_chart("auc", [Series("auc", some)], x_ticks=[0.0, 1.0, 2.0])
    assert [tick.at for tick in chart.across] == [chart.left, (chart.left + chart.right) / 2, chart.right]
