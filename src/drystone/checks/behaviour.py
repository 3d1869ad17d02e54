"""How a model behaves when its inputs change, and how fast it answers (after CheckList, Ribeiro 2020)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from drystone.checks.claims import Judgement, number
from drystone.checks.intervals import MIN_UNITS, Estimate
from drystone.checks.measures import check_threshold, judge
from drystone.checks.metrics import Unknown
from drystone.checks.scoring import Answers
from drystone.core.errors import UsageError
from drystone.core.intervals import Array, Z, wilson
from drystone.core.suggest import similar

Columns = dict[str, Array]
Perturbation = Callable[[Columns], Mapping[str, Any]]
#: Records a claim: name, verdict, and the other fields of `Claim`.
Record = Callable[..., Judgement]

_WARM_UP = 3
_CALLS = 60
_LONGEST_S = 3.0
_SAME = 1e-9


def invariant(
    answers: Answers, perturbation: Perturbation, tolerance: float, limit: float, record: Record
) -> Judgement:
    """The share of rows whose answer a perturbation moves by more than `tolerance` is at most `limit`.

    Raises:
        UsageError: the perturbation gives columns that the model does not take.
    """
    before, is_number = answers.response()
    columns = answers.columns()
    changed = dict(perturbation(dict(columns)))
    _check_columns(changed, columns)
    after, _ = answers.response(answers.ask({**columns, **changed}))
    if len(after) != len(before):
        raise UsageError(f"the perturbation makes {len(after)} rows of {len(before)}")
    moved = np.abs(after - before) > max(tolerance, _SAME) if is_number else after != before
    touched = [name for name in changed if not np.array_equal(_plain(changed[name]), _plain(columns[name]))]
    by = f" by more than {number(tolerance)}" if is_number and tolerance else ""
    what = f"the answer moves{by} when {', '.join(f'`{name}`' for name in touched) or 'nothing'} changes"
    largest = (
        f"; it moves by up to {number(float(np.abs(after - before).max()))}"
        if is_number and len(before)
        else ""
    )
    name = f"invariant to {_name_of(perturbation)}"
    return _share(name, int(moved.sum()), len(moved), limit, what, largest, record)


def direction(
    answers: Answers,
    column: str,
    up: Literal["up", "down"],
    by: float | None,
    limit: float | None,
    record: Record,
) -> Judgement:
    """Raising a column moves the score up (or down): on average, or in all rows but a share of `limit`.

    Raises:
        UsageError: the column is no number among the inputs, or the model gives no score.
    """
    columns = answers.columns()
    _check_columns({column: None}, columns)
    if up not in ("up", "down"):
        raise UsageError(f"`up` is `up` or `down`: `{up}`")
    values = columns[column]
    before, is_number = answers.response()
    if values.dtype.kind not in "iuf" or not is_number:
        what = f"`{column}` is no number" if values.dtype.kind not in "iuf" else "the model gives no score"
        raise UsageError(f"there is no direction of `{answers.subject.about}` in `{column}`", because=what)
    step = _step(values, by)
    after, _ = answers.response(answers.ask({**columns, column: (values + step).astype(values.dtype)}))
    change = (after - before) * (1 if up == "up" else -1)
    name = f"direction of {column}"
    what = f"{column} + {number(float(step))}"
    if limit is not None:
        wrong = int((change < -_SAME).sum())
        return _share(name, wrong, len(change), limit, f"go the other way at {what}", "", record)
    gap = _mean(change)
    verdict, why = judge(gap, ">", 0.0)
    found: dict[str, Any] = {"value": gap.value, "n": gap.n}
    if isinstance(gap, Estimate):
        found["interval"] = gap[1:3]
    why = f"mean change {up} of the score at {what}" + (f"; {why}" if why else "")
    return record(name, verdict, threshold="> 0", why=why, **found)


def faster_than(answers: Answers, ms: float, rows: int, record: Record) -> Judgement:
    """The median time of a call with `rows` rows is below `ms`.

    Raises:
        UsageError: `rows` is not positive, or the dataset has none.
    """
    total = answers.rows.count
    if rows < 1 or not total:
        raise UsageError(f"a call needs rows: {rows} of {total}")
    columns = {name: np.resize(values, rows) for name, values in answers.columns(rows).items()}
    times: list[float] = []
    started = time.perf_counter()
    for call in range(_WARM_UP + _CALLS):
        begun = time.perf_counter()
        answers.predictor.predict(columns)
        if call >= _WARM_UP:
            times.append((time.perf_counter() - begun) * 1000)
        if time.perf_counter() - started > _LONGEST_S:
            break
    typical = _median(np.sort(times))
    verdict, why = judge(typical, "<", ms)
    found: dict[str, Any] = {"value": typical.value, "n": typical.n}
    if isinstance(typical, Estimate):
        found["interval"] = typical[1:3]
    why = "median milliseconds of a call on this machine" + (f"; {why}" if why else "")
    return record(
        f"time of {rows} row{'s' * (rows > 1)}", verdict, threshold=f"< {number(ms)} ms", why=why, **found
    )


def _share(name: str, bad: int, n: int, limit: float, what: str, also: str, record: Record) -> Judgement:
    check_threshold(limit)
    threshold = f"<= {number(limit)}"
    if not n:
        return record(name, "unsure", n=0, threshold=threshold, why="there is no row to judge")
    verdict = "pass" if bad / n <= limit else "fail"
    why = f"in {bad:,} of {n:,} rows {what}{also}"
    interval = wilson(bad, n)
    return record(
        name, verdict, value=bad / n, interval=interval, n=n, threshold=threshold, why=why, exact=True
    )


def _mean(values: Array) -> Estimate | Unknown:
    n = len(values)
    if n < MIN_UNITS:
        return Unknown(f"{n} rows; at least {MIN_UNITS} are needed", n, float(values.mean()) if n else None)
    mean, half = float(values.mean()), Z * float(values.std(ddof=1)) / n**0.5
    return Estimate(mean, mean - half, mean + half, n)


def _median(ordered: Array) -> Estimate | Unknown:
    """The median with its interval by order statistics (David & Nagaraja 2003, §7.1)."""
    n = len(ordered)
    value = float(np.median(ordered)) if n else None
    if value is None or n < MIN_UNITS:
        return Unknown(f"{n} calls in {_LONGEST_S:.0f} seconds; at least {MIN_UNITS} are needed", n, value)
    rank = int(np.floor(n / 2 - Z * n**0.5 / 2))
    return Estimate(value, float(ordered[rank - 1]), float(ordered[n - rank]), n)


def _step(values: Array, by: float | None) -> Any:
    step = float(np.nanstd(values)) if by is None else by
    if values.dtype.kind in "iu":
        step = max(1, round(step)) if step >= 0 else min(-1, round(step))
    if not step or step != step:
        raise UsageError("the column cannot rise", because="all its values are the same", hints=["give `by`"])
    return values.dtype.type(step) if values.dtype.kind in "iu" else step


def _check_columns(given: Mapping[str, Any], known: Columns) -> None:
    for name in given:
        if name not in known:
            raise UsageError(
                f"the model has no input `{name}`",
                hints=[
                    *(f"an input with a similar name exists: `{near}`" for near in similar(name, known)),
                    f"its inputs are {', '.join(f'`{one}`' for one in known)}",
                ],
            )


def _plain(values: Any) -> Array:
    """Values that compare equal to themselves, missing ones too."""
    return np.asarray(values, dtype=object).astype(str)


def _name_of(perturbation: Perturbation) -> str:
    name = getattr(perturbation, "__name__", type(perturbation).__name__)
    return "the perturbation" if name == "<lambda>" else str(name)
