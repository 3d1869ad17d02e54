"""Reviews of tables against a plain Python oracle, and of files as they should not be."""

from __future__ import annotations

import csv
import datetime
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drystone.core.errors import Corrupt, DrystoneError, UsageError
from drystone.tables.facts import ColumnReview, Review
from drystone.tables.review import review
from drystone.tables.source import Side

Compare = Callable[..., Review]


@pytest.fixture
def compare(tmp_path: Path) -> Compare:
    """Reviews two tables, each given as columns, as the text of a CSV or as the bytes of a file."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    def call(old: Any, new: Any, form: str = "csv", **options: Any) -> Review:
        sides = [_side(tmp_path, name, content, form) for name, content in (("old", old), ("new", new))]
        return review(*sides, scratch, **options)

    return call


def _side(folder: Path, name: str, content: Any, form: str) -> Side | None:
    if content is None:
        return None
    if isinstance(content, dict):
        content, form = pa.table(content), "parquet"
    if isinstance(content, pa.Table):
        pq.write_table(content, folder / name, row_group_size=3)
        return Side(folder / name, "parquet", name)
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return Side(folder / name, form, name)  # type: ignore[arg-type]


def column(found: Review, name: str) -> ColumnReview:
    return next(each for each in found.columns if each.column == name)


def counts(found: Review) -> tuple[int, int, int]:
    return found.rows.removed, found.rows.added, found.rows.changed


# the oracle


def _same(value: Any) -> Any:
    """A value by which equal cells are equal: NaN is itself, 1 and 1.0 and -0.0 and 0.0 are one."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value + 0.0
    return value


_floats = st.sampled_from([0.0, -0.0, 1.0, 2.5, math.nan, math.inf, -1e308, 1e308, None])
_words = st.sampled_from(["", "a", "b", 'q"u', "x'y", "NULL", None])
_ids = st.one_of(st.none(), st.integers(0, 6))
_rows = st.lists(st.tuples(_ids, _floats, _words), max_size=9)
_TYPES = {"the id": pa.int64(), "select": pa.float64(), 'a"b': pa.string()}


def _table(rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    values = zip(*rows, strict=True) if rows else ((), (), ())
    return pa.table(
        {name: pa.array(list(some), kind) for (name, kind), some in zip(_TYPES.items(), values, strict=True)}
    )


_quick = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_quick
@given(old=_rows, new=_rows)
def test_whole_rows_differ_as_multisets_do(compare: Compare, old: Any, new: Any) -> None:
    before, after = (Counter(tuple(map(_same, row)) for row in rows) for rows in (old, new))
    found = compare(_table(old), _table(new), samples=50)
    assert found.rows.key == ()
    assert counts(found) == ((before - after).total(), (after - before).total(), 0)
    assert Counter(tuple(map(_same, row.values())) for row in found.rows.samples.removed) == before - after
    assert Counter(tuple(map(_same, row.values())) for row in found.rows.samples.added) == after - before


@_quick
@given(old=_rows, new=_rows)
def test_rows_with_a_key_differ_as_dicts_do(compare: Compare, old: Any, new: Any) -> None:
    before, after = ({row[0]: row for row in rows} for rows in (old, new))
    found = compare(_table([*before.values()]), _table([*after.values()]), key=["the id"], samples=50)
    both = before.keys() & after.keys()
    differing = [
        [_same(x) != _same(y) for x, y in zip(before[each], after[each], strict=True)] for each in both
    ]
    assert found.rows.key == ("the id",)
    assert (found.rows.old, found.rows.new) == (len(before), len(after))
    assert counts(found) == (
        len(before.keys() - after.keys()),
        len(after.keys() - before.keys()),
        sum(map(any, differing)),
    )
    by_column = {name: sum(row[i] for row in differing) for i, name in enumerate(_TYPES)}
    assert found.rows.columns == {name: count for name, count in by_column.items() if count}
    assert {change.key["the id"] for change in found.rows.samples.changed} == {
        each for each, row in zip(both, differing, strict=True) if any(row)
    }


@_quick
@given(rows=st.lists(st.floats(-1e6, 1e6) | st.sampled_from([math.nan, math.inf, None]), max_size=30))
def test_a_distribution_is_what_it_is_by_hand(compare: Compare, rows: list[float | None]) -> None:
    table = pa.table({"x": pa.array(rows, pa.float64())})
    found = column(compare(table, table), "x")
    assert found.old == found.new
    finite = sorted(value for value in rows if value is not None and math.isfinite(value))
    assert found.moved == (0.0 if finite else None)
    assert found.old is not None
    assert found.old.count == len(rows) - rows.count(None)
    assert found.old.nulls == rows.count(None)
    assert found.old.odd == found.old.count - len(finite)
    if not finite:
        assert (found.old.mean, found.old.least, found.old.quantiles) == (None, None, ())
        return
    mean = math.fsum(finite) / len(finite)
    assert found.old.mean == pytest.approx(mean, rel=1e-9, abs=1e-6)
    assert (found.old.least, found.old.greatest) == (finite[0], finite[-1])
    assert all(finite[0] <= q <= finite[-1] for q in found.old.quantiles)  # type: ignore[operator]
    if len(finite) > 1:
        std = math.sqrt(math.fsum((value - mean) ** 2 for value in finite) / (len(finite) - 1))
        assert found.old.std == pytest.approx(std, rel=1e-6, abs=1e-6)


@_quick
@given(old=st.lists(_words, max_size=12), new=st.lists(_words, max_size=12))
def test_values_move_by_the_share_that_changed_hands(compare: Compare, old: Any, new: Any) -> None:
    tables = [pa.table({"w": pa.array(side, pa.string())}) for side in (old, new)]
    found = column(compare(*tables), "w")
    before, after = (Counter(value for value in side if value is not None) for side in (old, new))
    if before and after:
        lost = sum(max(0.0, before[v] / before.total() - after[v] / after.total()) for v in before)
        assert found.moved == pytest.approx(lost)
    else:
        assert found.moved is None
    assert found.old is not None
    assert dict(found.old.top).items() <= before.items()
    assert len(found.old.top) == min(5, len(before))


def test_quantiles_and_the_move_of_a_large_column_are_near_the_true_ones(compare: Compare) -> None:
    draw = random.Random(1)
    old, new = ([draw.gauss(shift, 1) for _ in range(20_000)] for shift in (0.0, 1.0))
    found = column(compare({"x": old}, {"x": new}), "x")
    assert found.old is not None
    assert found.old.quantiles == pytest.approx([-1.645, -0.674, 0, 0.674, 1.645], abs=0.05)
    assert found.moved == pytest.approx(0.383, abs=0.02)  # 2 Φ(1/2) - 1, the distance of two normal ones


# keys


def test_a_key_is_found_by_name_and_uniqueness(compare: Compare) -> None:
    table = {"plane_id": [1, 1, 2], "flight_id": [1, 2, 3], "x": [1, 2, 3]}
    assert compare(table, table).rows.key == ("flight_id",)
    table = {"plane_id": [1, 1, 2], "day_id": [1, 2, 1], "x": [1, 2, 3]}
    found = compare(table, table).rows
    assert found.key == ("plane_id", "day_id")
    assert found.why == "`plane_id`, `day_id` together are unique in both versions"
    found = compare({"a_id": [1, 1]}, {"a_id": [1, 2]}).rows
    assert (found.key, found.why) == ((), "`a_id` repeats: 1 value in the old version")
    assert compare({"x": [1]}, {"x": [1]}).rows.key == ()


def test_a_key_that_repeats_is_told_and_whole_rows_are_compared(compare: Compare) -> None:
    found = compare(
        {"k": [1, 1, None, None], "x": [1, 2, 3, 4]}, {"k": [1, 2, 3, 4], "x": [1, 2, 3, 4]}, key=["k"]
    )
    assert found.rows.key == ()
    assert "2 values in the old version" in found.rows.why
    assert counts(found) == (3, 3, 0)


def test_null_and_nan_are_keys_like_any(compare: Compare) -> None:
    old = {"k": pa.array([None, math.nan, 1.0], pa.float64()), "x": [1, 2, 3]}
    new = {"k": pa.array([1.0, math.nan, None], pa.float64()), "x": [3, 2, 9]}
    found = compare(old, new, key=["k"], samples=5)
    assert counts(found) == (0, 0, 1)
    (change,) = found.rows.samples.changed
    assert (change.key, change.old, change.new) == ({"k": None}, {"x": 1}, {"x": 9})


def test_a_key_that_is_not_there_is_refused_with_those_that_are(compare: Compare) -> None:
    with pytest.raises(UsageError) as caught:
        compare({"number": [1]}, {"number": [1]}, key=["numbre"])
    assert "`number`" in caught.value.hints[0]


# schemas


def test_columns_are_added_removed_and_retyped(compare: Compare) -> None:
    found = compare(
        {"id": [1, 2], "gone": ["a", "b"], "price": [1, 2], "code": [7, 8]},
        {"id": [1, 2], "price": [1.0, 2.5], "code": ["7", "x"], "extra": [True, False]},
    )
    assert [(each.column, each.change, each.old, each.new) for each in found.schema] == [
        ("price", "retyped", "BIGINT", "DOUBLE"),
        ("code", "retyped", "BIGINT", "VARCHAR"),
        ("extra", "added", None, "BOOLEAN"),
        ("gone", "removed", "VARCHAR", None),
    ]
    assert found.rows.columns == {"price": 1, "code": 1}
    assert counts(found) == (0, 0, 1)
    assert column(found, "code").moved is None


@pytest.mark.parametrize(
    "name",
    ['"', "'; DROP TABLE old; --", "select", "c0", "r0", "present", "old.x", "naïve\n", " ", "t0", "v"],
)
def test_any_name_of_a_column_is_only_a_name(compare: Compare, name: str) -> None:
    found = compare({name: [1, 2], "id": [1, 2]}, {name: [1, 3], "id": [1, 2]}, samples=1)
    assert found.rows.columns == {name: 1}
    quoted = name.replace('"', '""')
    found = compare(f'"{quoted}",y\n1,a\n', f'"{quoted}",y\n2,a\n') if "\n" not in name else found
    assert name in {each.column for each in found.columns}


def test_tables_without_rows_columns_or_anything_in_common(compare: Compare) -> None:
    empty = pa.table({"id": pa.array([], pa.int64())})
    assert counts(compare(empty, empty)) == (0, 0, 0)
    assert counts(compare(empty, {"id": [1, 2]})) == (0, 2, 0)
    found = compare({"a": [1]}, {"b": [1, 2]})
    assert counts(found) == (1, 2, 0)
    assert "no column in common" in found.rows.why
    assert counts(compare("", "a,b\n1,2\n")) == (0, 1, 0)
    assert counts(compare("a,b\n", "a,b\n1,2\n")) == (0, 1, 0)
    assert compare("a,b\n", "a,b\n1,2\n").schema == ()


def test_one_version_alone_is_described(compare: Compare) -> None:
    found = compare(None, {"x": [1, 2, 3]})
    assert counts(found) == (0, 3, 0)
    assert column(found, "x").old is None
    assert column(found, "x").new.mean == 2  # type: ignore[union-attr]
    assert counts(compare({"x": [1, 2, 3]}, None)) == (3, 0, 0)


def test_types_of_every_sort_are_compared(compare: Compare) -> None:
    moment = datetime.datetime(2024, 2, 29, 12)
    table = {
        "id": [1, 2],
        "list": [[1, 2], None],
        "struct": [{"a": 1}, {"a": None}],
        "map": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
        "decimal": [Decimal("1.10"), Decimal("2.20")],
        "time": [moment, None],
        "zoned": pa.array([moment, None], pa.timestamp("us", "UTC")),
        "day": [moment.date(), None],
        "clock": [datetime.time(1, 2), None],
        "blob": [b"\x00\xff", None],
        "flag": [True, None],
        "wide": pa.array([2**63, 2**64 - 1], pa.uint64()),
        "half": pa.array([1.5, None], pa.float32()),
        "word": pa.array(["a", "b"]).dictionary_encode(),
        "nothing": pa.nulls(2),
    }
    found = compare(table, table, samples=2)
    assert counts(found) == (0, 0, 0)
    assert found.schema == ()
    assert all(each.moved in (None, 0.0) for each in found.columns)
    changed = {
        **table,
        "map": pa.array([[("k", 2)], []], pa.map_(pa.string(), pa.int64())),
        "list": [[2, 1], None],
    }
    found = compare(table, changed, samples=2)
    assert found.rows.columns == {"list": 1, "map": 1}
    assert found.rows.samples.changed[0].old["list"] == "[1, 2]"
    assert column(found, "time").new.least == "2024-02-29 12:00:00"  # type: ignore[union-attr]
    assert column(found, "wide").new.greatest == 2**64 - 1  # type: ignore[union-attr]


# CSV


def test_delimiters_quotes_and_line_ends_may_differ_between_versions(compare: Compare) -> None:
    old = 'id,name,x\n1,"a,b",1.5\n2,"two\nlines",\n'
    new = '\ufeffid;name;x\r\n1;a,b;1.50\r\n2;"two\nlines";""\r\n'
    found = compare(old, new)
    assert (found.schema, counts(found), found.rows.key) == ((), (0, 0, 0), ("id",))


def test_tabs_in_a_tsv(compare: Compare) -> None:
    assert counts(compare("id\tx,y\n1\t2\n", "id\tx,y\n1\t3\n", form="tsv")) == (0, 0, 1)


def test_a_first_line_that_holds_numbers_is_a_row(compare: Compare) -> None:
    found = compare("1,a\n2,b\n", "1,a\n2,c\n", key=["column1"])
    assert [each.column for each in found.columns] == ["column1", "column2"]
    assert counts(found) == (0, 0, 1)


def test_types_come_from_all_values_and_never_lose_digits(compare: Compare) -> None:
    head = "zip,big,year,day,at,yes,x\n"
    row = "01234,12345678901234567890,2024,2024-02-29,2024-02-29 10:00,true,1e3\n"
    found = compare(head + row, head + row * 3000 + "x,y,z,2024-02-30,late,maybe,one\n")
    old = {each.column: each.old.type for each in found.columns if each.old}
    assert old == {
        "zip": "VARCHAR",
        "big": "VARCHAR",
        "year": "BIGINT",
        "day": "DATE",
        "at": "TIMESTAMP",
        "yes": "BOOLEAN",
        "x": "DOUBLE",
    }
    assert {each.new.type for each in found.columns if each.new} == {"VARCHAR"}
    assert counts(compare("k,n\n1,12345678901234567\n", "k,n\n1,12345678901234568\n", key=["k"])) == (0, 0, 1)
    assert counts(compare("k,n\n1,12345678901234567891\n", "k,n\n1,12345678901234567892\n", key=["k"])) == (
        0,
        0,
        1,
    )


_cells = st.text(st.sampled_from('a1,;"\n\t .é-'), max_size=4)


@_quick
@given(rows=st.lists(st.tuples(_cells, _cells), max_size=6), delimiter=st.sampled_from(",;\t|"))
def test_what_a_csv_writer_writes_is_read_back(
    compare: Compare, tmp_path: Path, rows: list[tuple[str, str]], delimiter: str
) -> None:
    file = tmp_path / "written"
    with file.open("w", newline="") as target:
        writer = csv.writer(target, delimiter=delimiter, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerows([("left", "right"), *rows])
    wanted = pa.table(
        {
            name: pa.array([row[i] or None for row in rows], pa.string())
            for i, name in enumerate(("left", "right"))
        }
    )
    found = compare(file.read_bytes(), wanted, samples=20)
    typed = {each.column for each in found.schema}  # a column of numbers alone is compared by its text
    if not typed:
        assert counts(found) == (0, 0, 0)
    assert found.rows.old == len(rows)


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("a,b\n1,2\n3\n", "line 3 has 1 fields where 2 are expected"),
        ("a,b\n1,2\n3,4,5\n", "line 3 has 3 fields where 2 are expected"),
        ('a,b\n1,"open\n2,3\n', "unterminated quote"),
        (b"a,b\n1,\xff\xfe\n", "unicode"),
    ],
)
def test_a_csv_with_something_wrong_is_named_with_its_line(compare: Compare, text: Any, because: str) -> None:
    with pytest.raises(Corrupt) as caught:
        compare("a,b\n1,2\n", text)
    assert "`new` cannot be read as a table" in caught.value.message
    assert because in caught.value.because[0]


@pytest.mark.parametrize("data", [b"\xff\xfea", b"x" * (1 << 20) + b"yy"])
def test_what_is_no_text_is_no_csv(compare: Compare, data: bytes) -> None:
    with pytest.raises(Corrupt, match="first line"):
        compare(data, "a\n1\n")


# damage


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("whole") / "table"
    pq.write_table(pa.table({"id": list(range(50)), "w": [str(n) for n in range(50)]}), file)
    return file.read_bytes()


def test_a_truncated_parquet_file_is_told(compare: Compare, whole: bytes) -> None:
    for length in (0, 3, 8, len(whole) // 2, len(whole) - 1):
        with pytest.raises(Corrupt, match="`new` cannot be read as a table"):
            compare(whole, whole[:length], form="parquet")


@_quick
@given(place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_flipped_bit_gives_an_answer_or_an_error_of_ours(
    compare: Compare, whole: bytes, place: int, bit: int
) -> None:
    damaged = bytearray(whole)
    damaged[place % len(whole)] ^= 1 << bit
    try:
        found = compare(whole, bytes(damaged), form="parquet")
    except DrystoneError as error:
        assert error.message
    else:
        assert found.rows.old == 50


def test_a_file_of_another_form_is_told(compare: Compare, whole: bytes) -> None:
    with pytest.raises(Corrupt):
        compare(whole, b"id,w\n1,2\n", form="parquet")
    with pytest.raises(Corrupt):
        compare("id,w\n1,2\n", whole, form="csv")


def test_memory_is_limited_and_the_rest_goes_to_the_scratch_folder(compare: Compare, tmp_path: Path) -> None:
    count = 600_000
    numbers = list(range(count))
    random.Random(2).shuffle(numbers)
    old = pa.table({"id": numbers, "text": [f"{number:064d}" for number in numbers]})
    new = old.set_column(1, "text", pa.array([f"{number + number % 2:064d}" for number in numbers]))
    for side, table in (("old", old), ("new", new)):
        pq.write_table(table, tmp_path / side)
    sides = (Side(tmp_path / side, "parquet", side) for side in ("old", "new"))
    found = review(*sides, tmp_path / "scratch", memory=100_000_000)
    assert counts(found) == (0, 0, count // 2)
    assert list((tmp_path / "scratch").iterdir()) == []
