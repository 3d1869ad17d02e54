"""Claims about datasets: shares are exact, misuse is explained, every format reads the same."""

from __future__ import annotations

import datetime
import gzip
import json
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drystone.checks.claims import Claim
from drystone.core.errors import Ambiguous, Conflict, NotFound, ProjectInvalid, UsageError
from drystone.ledger.facts import Verdict
from drystone.objects.hashing import hash_file

from .conftest import Bench, Project

DAY = datetime.datetime(2013, 4, 1, tzinfo=datetime.UTC)


def judged(bench: Bench, project: Project, columns: dict[str, Any], schema: pa.Schema | None = None) -> Any:
    """The dataset `t` with these columns."""
    project.data("t", pa.table(columns, schema=schema))
    return bench.data("t")


def last(bench: Bench) -> tuple[Verdict, float | None, int | None]:
    claim = bench.last
    return claim.verdict, claim.value, claim.n


def test_a_share_is_judged_exactly_and_its_interval_only_told(bench: Bench, project: Project) -> None:
    table = judged(bench, project, {"x": [1.0, None, 3.0, 4.0]})
    table.expect("x").missing(max=0.25)
    assert last(bench) == ("pass", 0.25, 4), "one of four is one in four, however few they are"
    assert bench.last.interval is not None
    assert bench.last.interval[1] > 0.25
    table.expect("x").missing(max=0.24)
    assert bench.last.verdict == "fail"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.one_of(st.none(), st.integers(-5, 5)), max_size=20), limit=st.sampled_from([0, 0.5, 1])
)
def test_shares_are_what_counting_gives(
    bench: Bench, project: Project, values: list[int | None], limit: float
) -> None:
    bench.subjects.cache.clear()
    bench.subjects._found.clear()
    table = judged(bench, project, {"x": pa.array(values, pa.int64())})

    def expected(bad: int, n: int) -> tuple[Verdict, float | None, int]:
        return ("unsure", None, 0) if not n else ("pass" if bad / n <= limit else "fail", bad / n, n)

    there = [value for value in values if value is not None]
    table.expect("x").missing(max=limit)
    assert last(bench) == expected(len(values) - len(there), len(values))
    table.expect("x").between(-2, 2, max=limit)
    assert last(bench) == expected(sum(abs(value) > 2 for value in there), len(there))
    table.expect("x").one_of([1, 2], max=limit)
    assert last(bench) == expected(sum(value not in (1, 2) for value in there), len(there))
    table.unique("x", max=limit)
    assert last(bench) == expected(len(values) - len(set(values)), len(values))


def test_nan_is_missing_and_not_out_of_range(bench: Bench, project: Project) -> None:
    table = judged(bench, project, {"x": [1.0, float("nan"), 2.0]})
    table.expect("x").between(0, 5).missing()
    between, missing = bench.log.claims
    assert (between.verdict, between.n) == ("pass", 2)
    assert (missing.verdict, missing.value) == ("fail", pytest.approx(1 / 3))


def test_a_range_of_times_and_of_texts(bench: Bench, project: Project) -> None:
    table = judged(bench, project, {"ts": [DAY], "code": ["b"]})
    table.expect("ts").between("2013-01-01T00:00:00Z", "2013-12-31T00:00:00Z")
    table.expect("code").between("a", "c")
    assert [claim.verdict for claim in bench.log.claims] == ["pass", "pass"]
    assert "2013-04-01T00:00:00+00:00" in bench.log.claims[0].why


def test_the_values_that_are_not_allowed_are_named(bench: Bench, project: Project) -> None:
    judged(bench, project, {"x": ["a", "b", "c", None]}).expect("x").one_of(["a", "b"])
    assert bench.last.verdict == "fail"
    assert bench.last.why == "1 of 3 rows have other values: 'c'"


def test_values_known_from_another_dataset(bench: Bench, project: Project) -> None:
    project.data("old", pa.table({"x": pa.array(["a", "b"]).dictionary_encode()}))
    judged(bench, project, {"x": ["a", "a", "z"]}).expect("x").known(bench.data("old"), max=0.4)
    assert last(bench) == ("pass", pytest.approx(1 / 3), 3)
    assert set(bench.log.judged) == {"data:t"}, "the other dataset only serves to judge this one"


def test_unique_over_several_columns(bench: Bench, project: Project) -> None:
    table = judged(bench, project, {"a": [1, 1, 2], "b": ["x", "y", "x"]})
    table.unique("a", "b").unique("a")
    assert [claim.verdict for claim in bench.log.claims] == ["pass", "fail"]


def test_rows_and_columns(bench: Bench, project: Project) -> None:
    table = judged(bench, project, {"a": [1], "b": ["x"], "c": [1.5], "d": [True], "t": [DAY]})
    table.rows(min=1, max=1).rows(min=2)
    table.columns({"a": "int", "b": "string", "c": "number", "d": "bool", "t": "time"}, exactly=True)
    table.columns(["a", "z"]).columns({"a": "int16"}).columns(["a"], exactly=True)
    table.without("late").without("a")
    claims = bench.log.claims
    assert [claim.verdict for claim in claims] == [
        "pass",
        "fail",
        "pass",
        "fail",
        "fail",
        "fail",
        "pass",
        "fail",
    ]
    assert claims[3].why == "`z` is missing"
    assert claims[4].why == "`a` is int64, not int16"
    assert claims[5].why.startswith("`b` is not expected; `c`")
    assert claims[7].why == "it has `a`"


@pytest.mark.parametrize(
    "times",
    [
        [DAY - datetime.timedelta(days=3), DAY],
        ["2013-03-29T00:00:00", "2013-04-01T00:00:00"],
        ["2013-03-29T00:00:00Z", "2013-04-01T00:00:00Z"],
        [datetime.date(2013, 3, 29), datetime.date(2013, 4, 1)],
    ],
)
def test_fresh_is_the_age_of_the_newest_time(bench: Bench, project: Project, times: list[Any]) -> None:
    table = judged(bench, project, {"ts": times})
    table.fresh("ts", within="1d").fresh("ts", within="23h").fresh(
        "ts", within="1h", now="2013-04-01T00:30:00Z"
    )
    assert [(claim.verdict, claim.value) for claim in bench.log.claims] == [
        ("pass", 1.0),
        ("fail", 24.0),
        ("pass", 0.5),
    ]
    assert bench.log.claims[0].threshold == "<= 1 d"


def test_a_time_in_the_future_makes_nothing_fresh(bench: Bench, project: Project) -> None:
    judged(bench, project, {"ts": [DAY - datetime.timedelta(days=9), DAY.replace(year=2099)]}).fresh(
        "ts", within="2d"
    )
    assert bench.last.verdict == "fail"
    assert bench.last.why.endswith("1 times after 2013-04-02T00:00:00.000Z do not count")


def test_no_rows_are_unsure(bench: Bench, project: Project) -> None:
    table = judged(bench, project, {"x": pa.array([], pa.float64()), "t": pa.array([], pa.timestamp("us"))})
    table.expect("x").missing().between(0, 1)
    table.unique("x").fresh("t", within="1d")
    assert [claim.verdict for claim in bench.log.claims] == ["unsure"] * 4
    assert bench.last.why == "there is no time in it"


MISUSE: list[tuple[Any, str, str]] = [
    (
        lambda t: t.expect("dealy"),
        "`data:t` has no column `dealy`",
        "a column with a similar name exists: `delay`",
    ),
    (lambda t: t.unique("ID"), "`data:t` has no column `ID`", ""),
    (lambda t: t.unique(), "`unique` needs a column", ""),
    (lambda t: t.expect("delay").between("a", "b"), "`delay` cannot be compared with 'a' and 'b'", ""),
    (lambda t: t.expect("id").one_of(["a"]), "`id` cannot be among ['a']", ""),
    (lambda t: t.expect("id").missing(max=3), "`max` is a share of the rows, between 0 and 1: 3", ""),
    (lambda t: t.fresh("id", within="2d"), "`id` holds no times", ""),
    (lambda t: t.fresh("id", within="2 days"), "not a period: `2 days`", "a period is a number and one of"),
    (
        lambda t: t.columns({"id": "integer"}),
        "no such type of a column: `integer`",
        "types are `bool`, `int`",
    ),
]


@pytest.mark.parametrize(("act", "message", "hint"), MISUSE)
def test_misuse_is_explained(bench: Bench, project: Project, act: Any, message: str, hint: str) -> None:
    table = judged(bench, project, {"id": [1], "delay": [2.0]})
    with pytest.raises(UsageError) as caught:
        act(table)
    assert caught.value.message == message
    assert any(each.startswith(hint) for each in caught.value.hints) or not hint


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.jsonl", "t.arrow", "t.feather", "t/1.csv"])
def test_every_format_reads_the_same(bench: Bench, project: Project, name: str) -> None:
    table = pa.table({"x": [1, 2, 3], "s": ["a", "b", None]})
    path = project.root / "data" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "x,s\n1,a\n2,b\n3,\n"
    if name.endswith(".csv.gz"):
        path.write_bytes(gzip.compress(text.encode()))
    elif name.endswith(".csv"):
        path.write_text(text)
    elif name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    else:
        with pa.ipc.new_file(path, table.schema) as writer:
            writer.write_table(table)
    found = bench.data("t")
    found.rows(min=3, max=3).expect("x").between(1, 3)
    assert [claim.verdict for claim in bench.log.claims] == ["pass", "pass"]
    assert found.table.column_names == ["x", "s"]


def test_the_subject_is_the_content_of_the_file_as_it_lies_there(bench: Bench, project: Project) -> None:
    path = project.data("t", pa.table({"x": [1]}))
    bench.data("t").rows(min=1)
    assert bench.last == Claim(
        "rows",
        hash_file(path)[0],
        "data:t",
        "pass",
        1.0,
        n=1,
        threshold=">= 1",
        at=bench.last.at,
    )


def test_a_file_that_changes_while_it_is_checked_gives_no_evidence(bench: Bench, project: Project) -> None:
    table = judged(bench, project, {"x": [1, 2]})
    project.data("t", pa.table({"x": [1, 2, 3, 4]}))
    with pytest.raises(Conflict, match="changed while it was checked"):
        table.expect("x")
    assert not bench.log.claims


def test_a_name_that_names_nothing_is_corrected(bench: Bench) -> None:
    with pytest.raises(NotFound) as caught:
        bench.data("trainig")
    assert caught.value.message == "no dataset named `trainig`"
    assert caught.value.hints[0] == "a dataset with a similar name exists: `training`"


def test_a_dataset_that_is_only_in_the_lock_says_how_to_get_it(bench: Bench, project: Project) -> None:
    object_id = "b3:" + "0" * 64
    project.layout.lock.write_text(f"# drystone.lock 1\n\npath data/gone.parquet {object_id} file 12\n")
    with pytest.raises(NotFound) as caught:
        bench.data("gone")
    assert caught.value.hints == ("fetch it with `drystone checkout data/gone.parquet`",)


def test_two_files_of_one_name_are_ambiguous(bench: Bench, project: Project) -> None:
    project.data("t", pa.table({"x": [1]}))
    (project.root / "data" / "t.csv").write_text("x\n1\n")
    with pytest.raises(Ambiguous, match="several files are `data:t`"):
        bench.data("t")
    assert bench.data("t.csv").table.num_rows == 1


@pytest.mark.parametrize(("name", "content"), [("t.parquet", b"not parquet"), ("t.txt", b"x")])
def test_what_is_no_table_is_an_error_and_no_crash(
    bench: Bench, project: Project, name: str, content: bytes
) -> None:
    (project.root / "data" / name).write_bytes(content)
    with pytest.raises(ProjectInvalid, match="cannot be read as a table"):
        bench.data(name).rows(min=1)


@pytest.mark.parametrize(
    "file", ["checks/evaluation.py", "checks/data_evaluation.py", "checks/test_evaluation.py"]
)
def test_the_bare_fixture_is_the_dataset_that_the_file_is_named_after(
    project: Project, bench: Bench, file: str
) -> None:
    named = Bench(project, project.root, file)
    named.data.rows(min=1)
    assert named.last.about == "data:evaluation"


def test_a_bare_fixture_that_could_be_several_says_so(bench: Bench) -> None:
    with pytest.raises(Ambiguous) as caught:
        bench.data.rows(min=1)
    assert "`evaluation`, `training`" in caught.value.because[0]
    assert caught.value.hints == ('say which, as in `data("evaluation")`',)


def test_conditions_leave_rows_out_and_are_named_in_the_claim(bench: Bench, project: Project) -> None:
    times = pa.array([DAY, DAY + datetime.timedelta(hours=5)], pa.timestamp("us", tz="America/New_York"))
    table = judged(bench, project, {"x": [1, None], "ts": times})
    # 05:00 UTC is 01:00 in New York, so a time without a zone tells the two apart only in the column's zone.
    late = table.where("ts", ">=", "2013-04-01T00:30:00")
    late.rows(min=1, max=1).expect("x").missing(max=1)
    table.where("x", "==", 1).where("ts", "<", "2013-04-01").rows(min=1)
    assert [(claim.name, claim.scope, claim.verdict) for claim in bench.log.claims] == [
        ("rows", "where ts >= 2013-04-01T00:30:00", "pass"),
        ("x missing", "where ts >= 2013-04-01T00:30:00", "pass"),
        ("rows", "where x == 1 and ts < 2013-04-01", "pass"),
    ]


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (("y", "==", 1), "`data:t` has no column `y`"),
        (("x", "=", 1), "not a comparison: `=`"),
        (("x", "<", "a"), "`x` cannot be compared with 'a'"),
    ],
)
def test_an_impossible_condition_is_explained(
    bench: Bench, project: Project, condition: tuple[Any, Any, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        judged(bench, project, {"x": [1]}).where(*condition)
    assert caught.value.message == message
