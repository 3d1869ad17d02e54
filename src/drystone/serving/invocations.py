"""MLflow's `/invocations`: the four JSON forms of rows and CSV, answered with records.

The same forms and statuses as MLflow's scoring server; stricter by signature, and neither a stack
trace nor the rows ever come back.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from drystone.core.signature import Field, Signature
from drystone.registry.frames import Columns
from drystone.serving import columns
from drystone.serving.engine import Answer
from drystone.serving.parameters import event_time
from drystone.serving.refusal import Refused, check_names, refuse_json, shown

_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_EXPECTED = f"send a JSON object with exactly one of {', '.join(f'`{form}`' for form in _FORMS)}"


class Split(msgspec.Struct, forbid_unknown_fields=True):
    """`dataframe_split`: names once, then rows."""

    data: list[list[Any]]
    columns: list[str]
    index: Any = None


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A request; exactly one of its forms is set."""

    dataframe_split: Split | UnsetType = UNSET
    dataframe_records: list[dict[str, Any]] | UnsetType = UNSET
    instances: list[Any] | UnsetType = UNSET
    inputs: dict[str, Any] | list[Any] | UnsetType = UNSET
    params: dict[str, Any] | None = None


class Invocation(NamedTuple):
    """A request that fits the signature."""

    columns: Columns
    rows: int
    event_time: int | None


#: Numbers as JSON spells them, with a sign.
_NUMBER = re.compile(r"[+-]?[0-9]+(?P<fraction>\.[0-9]*)?(?P<exponent>[eE][+-]?[0-9]+)?")

#: No type has integers as long; Python takes time over long ones, and refuses those of thousands of digits.
_LONGEST_INTEGER = 30

_decode = msgspec.json.Decoder(Body).decode
_encode = msgspec.json.Encoder().encode


def read_json(body: bytes, signature: Signature, now: int) -> Invocation:
    """Read and check a JSON request that came in at `now`, nanoseconds since the epoch.

    Raises:
        Refused: it is not JSON, of none of the forms, or does not fit the signature.
    """
    try:
        request = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        refuse_json(body, error, _EXPECTED)
    given = [form for form in _FORMS if getattr(request, form) is not UNSET]
    if len(given) != 1:
        found = "none" if not given else " and ".join(f"`{form}`" for form in given)
        raise Refused(400, f"the request holds {found} of the forms of rows", hint=_EXPECTED)
    form, value = given[0], getattr(request, given[0])
    if form == "dataframe_split":
        lists = _from_rows(value.columns, value.data, signature.inputs)
    elif form == "inputs":
        lists = _from_columns(value, signature.inputs)
    else:
        lists = _from_records(value, signature.inputs, form)
    return _checked(lists, signature, event_time(request.params, now))


def read_csv(body: bytes, signature: Signature) -> Invocation:
    """Read and check CSV in UTF-8 with a line of names; an empty cell is a missing value.

    Raises:
        Refused: it is not CSV, or does not fit the signature.
    """
    try:
        lines = list(csv.reader(io.StringIO(body.decode(), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        raise Refused(400, "the body is not CSV in UTF-8", hint="send a line of names, then rows") from None
    if not lines:
        raise Refused(400, "the body is empty", hint="send a line of names, then rows")
    lists = _from_rows(lines[0], [line for line in lines[1:] if line], signature.inputs)
    typed = {field.name: _parsed(field, lists[field.name]) for field in signature.inputs}
    return _checked(typed, signature, None)


def write(answer: Answer) -> bytes:
    """The body of an answer: one record of outputs per row, and the predictions' ids."""
    names = tuple(answer.outputs)
    rows = zip(*(values.tolist() for values in answer.outputs.values()), strict=True)
    records = [dict(zip(names, row, strict=True)) for row in rows]
    return _encode({"predictions": records, "prediction_ids": answer.ids})


def _checked(lists: dict[str, list[Any]], signature: Signature, when: int | None) -> Invocation:
    rows = len(lists[signature.inputs[0].name])
    for field in signature.inputs:
        if len(lists[field.name]) != rows:
            raise Refused(
                400,
                f"column `{field.name}` has {len(lists[field.name])} rows, "
                f"`{signature.inputs[0].name}` has {rows}",
                field=field.name,
                hint="all columns have the same rows",
            )
    if not rows:
        raise Refused(400, "the request has no rows", hint="send at least one")
    found = {field.name: columns.column(field, lists[field.name]) for field in signature.inputs}
    return Invocation(found, rows, when)


def _from_rows(
    names: list[str], rows: Sequence[list[Any]], fields: tuple[Field, ...]
) -> dict[str, list[Any]]:
    check_names(names, fields, "column")
    ragged = next((index for index, row in enumerate(rows) if len(row) != len(names)), None)
    if ragged is not None:
        raise Refused(
            400,
            f"row {ragged} (the first is 0) has {len(rows[ragged])} values for {len(names)} columns",
            hint="each row has one value per column",
        )
    return {name: [row[position] for row in rows] for position, name in enumerate(names)}


def _from_columns(value: Any, fields: tuple[Field, ...]) -> dict[str, list[Any]]:
    if not isinstance(value, dict):
        raise Refused(
            400,
            "`inputs` is a list: this model takes named columns",
            field="inputs",
            hint='send {"inputs": {column: [values]}}',
        )
    check_names(list(value), fields, "column")
    for name, values in value.items():
        if not isinstance(values, list):
            hint = "a column is a list with one value per row"
            raise Refused(400, f"column {shown(name)} is not a list", field=name, hint=hint)
    return value


def _from_records(rows: list[Any], fields: tuple[Field, ...], form: str) -> dict[str, list[Any]]:
    names = {field.name for field in fields}
    for index, row in enumerate(rows):
        if type(row) is not dict:
            raise Refused(
                400,
                f"row {index} (the first is 0) of `{form}` is not an object",
                field=form,
                hint="this model takes named columns: send each row as {column: value}",
            )
        if row.keys() != names:
            check_names(list(row), fields, "column")
    return {field.name: [row[field.name] for row in rows] for field in fields}


def _parsed(field: Field, cells: list[str]) -> list[Any]:
    """CSV cells as JSON values; what cannot be read stays text and is refused as such."""
    if field.dtype == "string":
        return [cell or None for cell in cells]
    return [_value(field.dtype, cell) for cell in cells]


def _value(dtype: str, cell: str) -> Any:
    if cell == "":
        return None
    if dtype == "bool":
        return {"true": True, "false": False}.get(cell.lower(), cell)
    number = _NUMBER.fullmatch(cell)
    if number is None:
        return cell
    if number["fraction"] or number["exponent"] or len(cell) > _LONGEST_INTEGER:
        return float(cell)
    return int(cell)
