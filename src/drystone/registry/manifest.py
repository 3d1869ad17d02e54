"""`model.json`: what a model directory says about itself, read strictly. No heavy imports."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from drystone.core.errors import ProjectInvalid
from drystone.core.signature import Signature

NAME = "model.json"
FORMAT = 1
#: Nobody writes a megabyte of manifest by accident.
LARGEST = 1 << 20

Loader = Literal["onnx", "skops"]
FrameLibrary = Literal["pandas", "polars", "pyarrow"]
Value = bool | int | float | str | None
#: A file beside the manifest: one plain name, so no path leaves the directory.
FileName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.\-]*\Z", max_length=100)]
Rows = Annotated[int, Meta(ge=0)]

_Document = TypeVar("_Document", bound=msgspec.Struct)

HINT = (
    "save it with its signature: `ds.model(NAME, estimator, inputs=frame)` writes `models/NAME` "
    "with `model.json`"
)


class Fidelity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the saved form compared with the estimator it was made from.

    Attributes:
        rows: rows of the reference sample that were compared.
        differing: rows where a label or a number differed by more than rounding.
        largest: the largest difference of a number over all rows.
    """

    rows: Rows
    differing: Rows
    largest: float


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The content of `model.json`.

    Attributes:
        loader: how the file is loaded; `loaders.py` has the table.
        file: the model itself, beside the manifest.
        signature: typed inputs and outputs, in the model's order.
        example: JSON `{"inputs": {column: [values]}}`, also a valid body for `/invocations`.
        reference: Parquet sample of inputs, with the model's own outputs and, where known, `label`.
        golden: the outputs of the example when the model was saved, by name.
        classes: labels in the order of a vector of probabilities.
        frame: for skops, the dataframe library whose frames the estimator was trained on.
        estimator: what was trained, for people.
        library: versions of what made it, by package.
        fidelity: how the saved form compared with the estimator.
        note: for people, e.g. why ONNX was not possible.
    """

    format: Literal[1]
    loader: Loader
    file: FileName
    signature: Signature
    example: FileName | None = None
    reference: FileName | None = None
    golden: dict[str, list[Any]] | None = None
    classes: tuple[Value, ...] = ()
    frame: FrameLibrary | None = None
    estimator: str | None = None
    library: dict[str, str] = {}
    fidelity: Fidelity | None = None
    note: str | None = None


class Example(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of `example.json`: inputs by column."""

    inputs: dict[str, list[Any]]


def place(path: Path, name: str = "") -> str:
    """A model directory, or a file in it, as messages name it: `models/NAME/FILE` in a work tree."""
    parts = path.parts
    top = max((at for at, part in enumerate(parts[:-1]) if part == "models"), default=len(parts) - 1)
    return Path(*parts[top:], name).as_posix()


def encode(document: msgspec.Struct) -> bytes:
    """Indented JSON in the order of the fields, ending in a newline; the same value, the same bytes."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def read_manifest(path: Path) -> Manifest:
    """The manifest of a model directory.

    Raises:
        ProjectInvalid: there is no `model.json`, it is not valid, or it has no signature.
    """
    manifest = _read(path, NAME, Manifest)
    for field in (*manifest.signature.inputs, *manifest.signature.outputs):
        if not field.name or any(size < 1 for size in field.shape) or math.prod(field.shape) > LARGEST:
            raise ProjectInvalid(
                f"`{NAME}` of model `{path.name}` is not valid",
                at=place(path, NAME),
                because=f"field `{field.name}` of its signature has no possible name and shape",
            )
    return manifest


def read_example(path: Path, manifest: Manifest) -> Example | None:
    """The example of a model directory, None where the model has none.

    Raises:
        ProjectInvalid: the file is missing or not valid.
    """
    return None if manifest.example is None else _read(path, manifest.example, Example)


def member(path: Path, name: str) -> Path:
    """A file of a model directory, which must be there and be a plain file of its own.

    Raises:
        ProjectInvalid: it is missing, or a link or a directory stands in its place.
    """
    found = path / name
    if found.is_symlink() or not found.is_file():
        because = "it is not a plain file" if found.is_symlink() or found.exists() else "it is missing"
        raise ProjectInvalid(
            f"model `{path.name}` cannot be loaded: `{name}`", at=place(path, NAME), because=because
        )
    return found


def _read(path: Path, name: str, kind: type[_Document]) -> _Document:
    where = place(path, name)
    if name == NAME and not (path / NAME).exists():
        raise ProjectInvalid(
            f"model `{path.name}` has no `{NAME}`, so it has no signature", at=place(path), hints=[HINT]
        )
    file = member(path, name)
    size = file.stat().st_size
    if size > LARGEST:
        raise ProjectInvalid(
            f"`{name}` of model `{path.name}` is too large", at=where, because=f"it has {size:,} bytes"
        )
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        because = str(error)
        missing = "missing required field `signature`" in because
        raise ProjectInvalid(
            f"model `{path.name}` has no signature"
            if missing
            else f"`{name}` of model `{path.name}` is not valid",
            at=where,
            because=because[0].lower() + because[1:],
            hints=[HINT],
        ) from None
