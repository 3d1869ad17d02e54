"""The typed inputs and outputs of a model: what serving validates and what a registry shows."""

from __future__ import annotations

from typing import Literal

import msgspec

DataType = Literal["bool", "int32", "int64", "float32", "float64", "string"]

#: Open Inference Protocol v2 names of our data types.
OPEN_INFERENCE: dict[str, str] = {
    "bool": "BOOL",
    "int32": "INT32",
    "int64": "INT64",
    "float32": "FP32",
    "float64": "FP64",
    "string": "BYTES",
}


class Field(msgspec.Struct, frozen=True, omit_defaults=True):
    """One named column of a model's input or output.

    Attributes:
        name: the column.
        dtype: the type of one element.
        nullable: whether an element may be missing (null in JSON, NaN in a float column).
        shape: shape of the element of one row; () is a scalar, (3,) a vector of three.
    """

    name: str
    dtype: DataType
    nullable: bool = False
    shape: tuple[int, ...] = ()


class Signature(msgspec.Struct, frozen=True):
    """What a model takes and gives, by column, in the model's own order."""

    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]

    def __post_init__(self) -> None:
        for side, fields in (("input", self.inputs), ("output", self.outputs)):
            names = [field.name for field in fields]
            if not names:
                raise ValueError(f"a signature needs at least one {side}")
            if len(set(names)) != len(names):
                raise ValueError(f"two {side}s have one name")
