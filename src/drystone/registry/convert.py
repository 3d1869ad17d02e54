"""scikit-learn to ONNX: one input per column, plain named outputs, reproducible bytes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper
from skl2onnx import convert_sklearn
from skl2onnx._supported_operators import sklearn_operator_name_map
from skl2onnx.common._registration import get_converter
from skl2onnx.common.data_types import (
    BooleanTensorType,
    FloatTensorType,
    Int32TensorType,
    Int64TensorType,
    StringTensorType,
)
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline

from drystone.core.signature import DataType, Signature

#: What skl2onnx raises for an estimator it cannot convert; it has no common base class of its own.
_FAILURES: tuple[type[Exception], ...] = (
    RuntimeError,
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    IndexError,
    AssertionError,
)

# Floats go in as 32 bits: ONNX's tree operators round their thresholds to 32 bits, and rounding both
# sides alike keeps `x <= threshold` true where it was; see `modeldir.save_model` for measurements.
_TENSORS: dict[DataType, Any] = {
    "bool": BooleanTensorType,
    "int32": Int32TensorType,
    "int64": Int64TensorType,
    "float32": FloatTensorType,
    "float64": FloatTensorType,
    "string": StringTensorType,
}
_ONNX: dict[DataType, int] = {
    "bool": TensorProto.BOOL,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "string": TensorProto.STRING,
}


class NotConvertible(Exception):
    """The estimator has no equivalent in ONNX, or skl2onnx does not know it."""


class _PlainIntegers:
    """skl2onnx's container, with booleans in integer attributes made integers.

    skl2onnx 1.20 puts Python booleans among the integers of histogram gradient boosting; protobuf 7
    refuses to store them.
    """

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, *arguments: Any, **attributes: Any) -> Any:
        plain = {
            name: [int(item) if isinstance(item, bool | np.bool_) else item for item in value]
            if isinstance(value, list)
            else value
            for name, value in attributes.items()
        }
        return self._container.add_node(*arguments, **plain)


def _plain(estimator: type[Any]) -> Any:
    original = get_converter(sklearn_operator_name_map[estimator])

    def convert(scope: Any, operator: Any, container: Any) -> None:
        original(scope, operator, _PlainIntegers(container))

    return convert


def candidates(estimator: Any, signature: Signature, frame: Any) -> Iterator[bytes]:
    """The estimator as ONNX files, best first; the caller takes the first that answers faithfully.

    Each input is a tensor [rows, 1] of its column's type (floats in 32 bits). The first output is
    the label or value, [rows]; a second one the probability of the positive class, [rows], or
    those of all classes, [rows, classes]. The same estimator gives the same bytes.

    skl2onnx wants a table of one type at many places: a later candidate takes integers as floats, and
    an estimator fitted on a bare frame gets a step before it that puts the columns side by side.

    Args:
        estimator: fitted.
        signature: its inputs and outputs.
        frame: some rows of what it was fitted on.

    Raises:
        NotConvertible: skl2onnx converts none of them; says why the first was refused.
    """
    refused: NotConvertible | None = None
    found = False
    for gathered in (False, True):
        for tensors in (_TENSORS, {**_TENSORS, "int32": FloatTensorType, "int64": FloatTensorType}):
            try:
                form = _gathering(estimator, frame) if gathered else estimator
                converted = _convert(form, signature, tensors)
            except _FAILURES as error:
                line = (str(error).splitlines() or [""])[0][:200]
                refused = refused or NotConvertible(f"{type(error).__name__}: {line}")
            else:
                found = True
                yield converted
    if refused is not None and not found:
        raise refused


def _gathering(estimator: Any, frame: Any) -> Any:
    columns = list(frame.column_names if hasattr(frame, "column_names") else frame.columns)
    gather = ColumnTransformer([("columns", "passthrough", columns)]).fit(frame)
    return Pipeline([("gather", gather), ("model", estimator)])


def _convert(estimator: Any, signature: Signature, tensors: Mapping[DataType, Any]) -> bytes:
    classifies = len(signature.outputs) > 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = convert_sklearn(
            estimator,
            name="model",  # by default a random one
            initial_types=[(field.name, tensors[field.dtype]([None, 1])) for field in signature.inputs],
            options={id(estimator): {"zipmap": False}} if classifies else None,
            custom_conversion_functions={
                kind: _plain(kind) for kind in (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
            },
        )
    _name_outputs(model.graph, signature)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _name_outputs(graph: Any, signature: Signature) -> None:
    """Put the signature's outputs behind skl2onnx's, which become inner values."""
    taken = {name for node in graph.node for name in (*node.input, *node.output)}
    taken |= {value.name for value in (*graph.input, *graph.initializer)}
    wanted = {field.name for field in signature.outputs}

    def fresh(name: str) -> str:
        while name in taken | wanted:
            name += "_"
        taken.add(name)
        return name

    inner = {name: fresh(f"inner_{name}") for name in sorted(taken & wanted)}
    for node in graph.node:
        for names in (node.input, node.output):
            for position, name in enumerate(names):
                names[position] = inner.get(name, name)
    for value in graph.initializer:
        value.name = inner.get(value.name, value.name)
    results = [inner.get(value.name, value.name) for value in graph.output]
    del graph.output[:]
    for index, (field, source) in enumerate(zip(signature.outputs, results, strict=False)):
        if not field.shape:
            # Regressors give [rows, 1], classifiers labels [rows] and probabilities [rows, classes].
            operator, value = ("Gather", [1]) if index else ("Reshape", [-1])
            constant, result = fresh(f"constant_{index}"), fresh(f"column_{index}")
            dimensions = [] if index else [1]
            graph.initializer.append(helper.make_tensor(constant, TensorProto.INT64, dimensions, value))
            node = helper.make_node(operator, [source, constant], [result])
            if index:
                node.attribute.append(helper.make_attribute("axis", 1))
            graph.node.append(node)
            source = result
        kind = _ONNX[field.dtype]
        graph.node.append(helper.make_node("Cast", [source], [field.name], to=kind))
        graph.output.append(helper.make_tensor_value_info(field.name, kind, [None, *field.shape]))
