"""Models in ONNX, run by ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from drystone.core.errors import ProjectInvalid, UsageError, WorkFailed
from drystone.core.signature import Field
from drystone.registry.frames import Columns
from drystone.registry.manifest import NAME, Manifest, member, place
from drystone.registry.predictor import Predictor
from drystone.registry.quiet import failures, onnxruntime

#: What ONNX Runtime raises; it has no common base class of its own.
_FAILURES: tuple[type[Exception], ...] = (
    failures.Fail,
    failures.InvalidArgument,
    failures.InvalidGraph,
    failures.InvalidProtobuf,
    failures.NotImplemented,
    failures.RuntimeException,
    RuntimeError,
    ValueError,
)

_NUMPY = {
    "tensor(bool)": np.dtype(bool),
    "tensor(int32)": np.dtype(np.int32),
    "tensor(int64)": np.dtype(np.int64),
    "tensor(float)": np.dtype(np.float32),
    "tensor(double)": np.dtype(np.float64),
    "tensor(string)": np.dtype(object),
}
#: Kinds of numpy types that may be handed to a tensor of a kind.
_CASTS = {"b": "b", "i": "bi", "f": "bif", "O": "O"}


class OnnxPredictor(Predictor):
    """A session with a bounded number of threads.

    The file is read by us and handed over as bytes, so a model that refers to other files
    (external data) is refused rather than followed.

    Args:
        path: the model directory.
        manifest: its manifest.
        threads: threads of one prediction.
    """

    def __init__(self, path: Path, manifest: Manifest, threads: int) -> None:
        super().__init__(manifest)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # errors reach us as exceptions
        # A pool that spins between requests would burn a core while nobody asks anything.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                member(path, manifest.file).read_bytes(), options, providers=["CPUExecutionProvider"]
            )
        except _FAILURES as error:
            raise ProjectInvalid(
                f"model `{path.name}` cannot be loaded: `{manifest.file}` is not a runnable ONNX file",
                at=place(path, NAME),
                because=_first_line(error),
            ) from None
        self._plan = [self._planned(path, tensor) for tensor in self._session.get_inputs()]
        self._outputs = [field.name for field in self.signature.outputs]
        given = {tensor.name for tensor in self._session.get_outputs()}
        for name in self._outputs:
            if name not in given:
                raise _mismatch(path, f"its file gives no output `{name}`")

    def _planned(self, path: Path, tensor: Any) -> tuple[str, np.dtype[Any], tuple[int, ...]]:
        """How an input is handed over: name, type, and the shape of one row."""
        field = next((field for field in self.signature.inputs if field.name == tensor.name), None)
        if field is None:
            raise _mismatch(path, f"its file wants an input `{tensor.name}` that the signature lacks")
        dtype = _NUMPY.get(tensor.type)
        if dtype is None or _kind(field) not in _CASTS[dtype.kind]:
            raise _mismatch(path, f"input `{field.name}` is {field.dtype} but its file wants {tensor.type}")
        scalar_as_column = not field.shape and len(tensor.shape) == 2
        return field.name, dtype, (1,) if scalar_as_column else field.shape

    def _run(self, columns: Columns, rows: int) -> Columns:
        feed = {}
        for name, dtype, shape in self._plan:
            values = columns[name]
            if dtype.kind == "O" and None in values.ravel().tolist():
                raise UsageError(f"column `{name}` has missing values, which this model cannot take")
            with np.errstate(over="ignore"):  # beyond 32 bits is infinity, which compares alike
                feed[name] = values.astype(dtype, copy=False).reshape((rows, *shape))
        try:
            found = self._session.run(self._outputs, feed)
        except _FAILURES as error:
            raise WorkFailed("the model cannot answer these inputs", because=_first_line(error)) from None
        return dict(zip(self._outputs, found, strict=True))


def _kind(field: Field) -> str:
    return {"bool": "b", "int32": "i", "int64": "i", "float32": "f", "float64": "f", "string": "O"}[
        field.dtype
    ]


def _mismatch(path: Path, because: str) -> ProjectInvalid:
    return ProjectInvalid(
        f"the signature of model `{path.name}` is not that of its file",
        at=place(path, NAME),
        because=because,
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
