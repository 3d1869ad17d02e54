"""How reviews of tables are printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drystone.cli.context import Context

if TYPE_CHECKING:
    from drystone.project.review import TableReview
    from drystone.tables.facts import Cell, ColumnReview, Review, Rows, Summary

_MARK = {"added": ("+", "green"), "removed": ("-", "red"), "retyped": ("~", "yellow")}


def document(found: TableReview) -> dict[str, Any]:
    """A review as it stands in a JSON document."""
    from drystone.objects.entry import printable

    problem = None if found.problem is None else found.problem.as_dict()
    return {"path": printable(found.path), "review": found.review, "problem": problem}


def render(found: TableReview, context: Context) -> None:
    """Print one review; why there is none is a message."""
    from drystone.objects.entry import printable

    if found.review is None:
        if found.problem is not None:
            context.error(found.problem)
        return
    context.out(context.style(printable(found.path), "bold"))
    _schema(found.review, context)
    _rows(found.review.rows, context)
    _columns(found.review.columns, context)


def _schema(review: Review, context: Context) -> None:
    for change in review.schema:
        mark, colour = _MARK[change.change]
        kinds = " -> ".join(each for each in (change.old, change.new) if each is not None)
        name = context.harmless(change.column)
        context.out(f"  {context.style(mark, colour)} column {name}  {context.harmless(kinds)}")


def _rows(rows: Rows, context: Context) -> None:
    counts = [f"{rows.removed:,} removed", f"{rows.added:,} added"]
    if rows.key:
        counts.append(f"{rows.changed:,} changed")
    context.out(f"  rows  {rows.old:,} -> {rows.new:,}: {', '.join(counts)}")
    key = ", ".join(map(context.harmless, rows.key))
    how = f"rows matched by {key}" if rows.key else "whole rows compared"
    context.out(context.style(f"  {how}: {context.harmless(rows.why)}", "dim"))
    if rows.columns:
        ranked = sorted(rows.columns.items(), key=lambda item: -item[1])
        told = ", ".join(f"{context.harmless(name)} in {count:,}" for name, count in ranked)
        context.out(f"  changed  {told}")
    for mark, colour, some in (("-", "red", rows.samples.removed), ("+", "green", rows.samples.added)):
        for row in some:
            context.out(f"  {context.style(mark, colour)} {_row(row, context)}")
    for change in rows.samples.changed:
        values = ", ".join(
            f"{context.harmless(name)} {_shown(before, context)} -> {_shown(change.new[name], context)}"
            for name, before in change.old.items()
        )
        context.out(f"  {context.style('~', 'yellow')} {_row(change.key, context)}: {values}")


def _row(row: dict[str, Cell], context: Context) -> str:
    return ", ".join(f"{context.harmless(name)}={_shown(value, context)}" for name, value in row.items())


def _columns(columns: tuple[ColumnReview, ...], context: Context) -> None:
    lines = [
        line
        for column in columns
        for line in (
            [column.column, "", *_cells(column.old, context), ""],
            ["", "->", *_cells(column.new, context), _moved(column)],
        )
    ]
    head = (
        "column",
        "",
        "values",
        "nulls",
        "mean",
        "std",
        "min",
        "5%",
        "50%",
        "95%",
        "max / most frequent",
        "moved",
    )
    context.table(lines, head=head, indent="  ")


def _cells(summary: Summary | None, context: Context) -> list[str]:
    if summary is None:
        return ["-"] + [""] * 8
    quantiles = [_shown(value, context) for value in summary.quantiles]
    some = [quantiles[0], quantiles[2], quantiles[4]] if len(quantiles) == 5 else ["", "", ""]
    last = _shown(summary.greatest, context) if summary.greatest is not None else ""
    if summary.top:
        last = ", ".join(f"{_shown(value, context)} {count:,}" for value, count in summary.top[:3])
    elif summary.distinct and not quantiles:
        last = f"about {summary.distinct:,} different"
    if summary.odd:
        last += f" ({summary.odd:,} not finite)"
    moments = ["" if value is None else _shown(value, context) for value in (summary.mean, summary.std)]
    least = "" if summary.least is None else _shown(summary.least, context)
    return [f"{summary.count:,}", f"{summary.nulls:,}", *moments, least, *some, last.strip()]


def _moved(column: ColumnReview) -> str:
    return "" if column.moved is None else f"{column.moved:.3f}"


def _shown(value: Cell, context: Context) -> str:
    if value is None:
        return "null"
    if isinstance(value, float):
        return f"{value:.6g}"
    text = context.harmless(str(value))
    return text if len(text) <= 40 else f"{text[:39]}…"
