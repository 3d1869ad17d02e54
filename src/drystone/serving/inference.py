"""The Open Inference Protocol, version 2, REST with JSON bodies.

Source: the protocol's OpenAPI document of KServe's open-inference-protocol. Tensor data may lie flat or
nested; null stands for a missing value where a field may be missing, which the protocol leaves open.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import msgspec

from drystone.core.signature import OPEN_INFERENCE, Field, Signature
from drystone.registry.frames import Columns
from drystone.serving import columns
from drystone.serving.engine import Answer
from drystone.serving.parameters import event_time
from drystone.serving.refusal import Refused, check_names, refuse_json, shown

#: A further output that a client may ask for by name: one prediction id per row.
PREDICTION_ID = "prediction_id"

_INTEGERS = frozenset(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))
_FLOATS = frozenset({"FP16", "FP32", "FP64"})
#: Datatypes a client may send for each of ours; values are checked one by one all the same.
_ACCEPTED: dict[str, frozenset[str]] = {
    "bool": frozenset({"BOOL"}),
    "int32": _INTEGERS,
    "int64": _INTEGERS,
    "float32": _FLOATS | _INTEGERS,
    "float64": _FLOATS | _INTEGERS,
    "string": frozenset({"BYTES"}),
}
_EXPECTED = (
    'send {"inputs": [{"name", "shape", "datatype", "data"}, …], "id"?, "parameters"?, "outputs"?}, '
    "one input per column"
)

Parameters = dict[str, str | int | float | bool | None]


class Tensor(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """One input of a request."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any]
    parameters: Parameters | None = None


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """An output that a client asks for."""

    name: str
    parameters: Parameters | None = None


class Body(msgspec.Struct, forbid_unknown_fields=True):
    """A request."""

    inputs: list[Tensor]
    id: str | None = None
    parameters: Parameters | None = None
    outputs: list[Wanted] | None = None


class Inference(NamedTuple):
    """A request that fits the signature.

    Attributes:
        wanted: names of outputs to send, in order.
    """

    columns: Columns
    rows: int
    event_time: int | None
    id: str | None
    wanted: list[str]


_decode = msgspec.json.Decoder(Body).decode
_encode = msgspec.json.Encoder().encode


def read(body: bytes, signature: Signature, now: int) -> Inference:
    """Read and check a request that came in at `now`, nanoseconds since the epoch.

    Raises:
        Refused: it is not JSON, not of the protocol's form, or does not fit the signature.
    """
    try:
        request = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        refuse_json(body, error, _EXPECTED)
    tensors = {tensor.name: tensor for tensor in request.inputs}
    check_names([tensor.name for tensor in request.inputs], signature.inputs, "input")
    rows = _rows(request.inputs)
    found = {field.name: _column(field, tensors[field.name], rows) for field in signature.inputs}
    known = [field.name for field in signature.outputs]
    wanted = [output.name for output in request.outputs or []] or known
    for name in wanted:
        if name not in known and name != PREDICTION_ID:
            hint = f"the model gives {', '.join(f'`{given}`' for given in (*known, PREDICTION_ID))}"
            raise Refused(400, f"unknown output {shown(name)}", field=name[:100], hint=hint)
    when = event_time(request.parameters, now)
    return Inference(found, rows, when, request.id, list(dict.fromkeys(wanted)))


def _rows(tensors: list[Tensor]) -> int:
    rows = None
    for tensor in tensors:
        if not tensor.shape or min(tensor.shape) < 0:
            raise Refused(
                400,
                f"input `{tensor.name}` has an impossible shape",
                field=tensor.name,
                hint="the first number of a shape is that of rows, as in [2] or [2, 1]",
            )
        if rows is not None and tensor.shape[0] != rows:
            raise Refused(
                400,
                f"input `{tensor.name}` has {tensor.shape[0]} rows, `{tensors[0].name}` has {rows}",
                field=tensor.name,
                hint="all inputs of a request have the same rows",
            )
        rows = tensor.shape[0]
    if not rows:
        raise Refused(400, "the request has no rows", field=tensors[0].name, hint="send at least one")
    return rows


def _column(field: Field, tensor: Tensor, rows: int) -> Any:
    if tensor.datatype not in _ACCEPTED[field.dtype]:
        raise Refused(
            400,
            f"input `{field.name}` cannot be of datatype {shown(tensor.datatype)}",
            field=field.name,
            hint=f"send {OPEN_INFERENCE[field.dtype]}",
        )
    shape = tuple(tensor.shape[1:])
    if shape != field.shape and not (shape == (1,) and field.shape == ()):
        raise Refused(
            400,
            f"input `{field.name}` is of another shape than the model's",
            field=field.name,
            hint=f"its shape is {[rows, *field.shape]}",
        )
    data = columns.unnested(field, tensor.data, len(tensor.shape) - 1)
    if len(data) != math.prod(tensor.shape):
        raise Refused(
            400,
            f"input `{field.name}` has {len(data)} elements, its shape says {math.prod(tensor.shape)}",
            field=field.name,
            hint="data and shape must agree",
        )
    return columns.elements(field, data, rows)


def write(request: Inference, answer: Answer, signature: Signature, model: str, version: str) -> bytes:
    """The body of an answer; ids of the predictions are in its parameters, joined by commas."""
    tensors = []
    for name in request.wanted:
        if name == PREDICTION_ID:
            tensors.append({"name": name, "shape": [request.rows], "datatype": "BYTES", "data": answer.ids})
            continue
        field = next(field for field in signature.outputs if field.name == name)
        values = answer.outputs[name]
        tensors.append(
            {
                "name": name,
                "shape": list(values.shape),
                "datatype": OPEN_INFERENCE[field.dtype],
                "data": values.ravel().tolist(),
            }
        )
    said: dict[str, Any] = {"model_name": model, "model_version": version}
    if request.id is not None:
        said["id"] = request.id
    said["parameters"] = {"prediction_ids": ",".join(answer.ids)}
    said["outputs"] = tensors
    return _encode(said)


def metadata(signature: Signature, model: str, version: str, platform: str) -> bytes:
    """What `GET /v2/models/MODEL` says."""
    return _encode(
        {
            "name": model,
            "versions": [version],
            "platform": platform,
            "inputs": [_tensor(field) for field in signature.inputs],
            "outputs": [_tensor(field) for field in signature.outputs],
            "properties": {f"{field.name}.nullable": "true" for field in signature.inputs if field.nullable},
        }
    )


def _tensor(field: Field) -> dict[str, Any]:
    return {"name": field.name, "datatype": OPEN_INFERENCE[field.dtype], "shape": [-1, *field.shape]}
