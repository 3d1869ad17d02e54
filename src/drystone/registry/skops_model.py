"""scikit-learn models in the skops format: data and a list of types, no code.

Loading constructs only types that pass `is_trusted`. The rule stands here and not in the model, so
a crafted file cannot widen it: classes of scikit-learn, numpy and scipy, and a short list of
functions that scikit-learn's own estimators hold.
"""

from __future__ import annotations

import importlib
import io
import itertools
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from skops.io.exceptions import UnsupportedTypeException, UntrustedTypesFoundException
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

from drystone.core.errors import ProjectInvalid, WorkFailed
from drystone.registry.frames import Columns
from drystone.registry.manifest import NAME, FrameLibrary, Manifest, member, place
from drystone.registry.predictor import Predictor

_PACKAGES = frozenset({"sklearn", "numpy", "scipy"})
#: Functions inside fitted scikit-learn estimators; `partial` can only hold what is trusted itself.
_FUNCTIONS = frozenset({"functools.partial", "sklearn.utils.validation.check_array"})
#: Parts of those packages whose business is to run code.
_UNTRUSTED_PARTS = frozenset({"testing", "_testing", "tests", "f2py", "distutils", "externals"})
#: What estimators raise for inputs they do not take, such as a category they never saw.
REFUSALS = (ValueError, TypeError, KeyError, IndexError, AttributeError)
_EPOCH = (1980, 1, 1, 0, 0, 0)


def is_trusted(name: str) -> bool:
    """Whether a type of this dotted name may be constructed while loading a model."""
    if name in _FUNCTIONS:
        return True
    module, _, attribute = name.rpartition(".")
    parts = module.split(".")
    if parts[0] not in _PACKAGES or not _UNTRUSTED_PARTS.isdisjoint(parts):
        return False
    try:
        return isinstance(getattr(importlib.import_module(module), attribute, None), type)
    except ImportError:
        return False


def untrusted_types(data: bytes) -> list[str]:
    """Names of types in a skops file that may not be constructed, sorted."""
    return sorted(name for name in skops.io.get_untrusted_types(data=data) if not is_trusted(name))


def dump(estimator: Any) -> bytes:
    """The estimator in the skops format; the same estimator gives the same bytes.

    skops names things by memory address and stamps its archive with the time. Both are replaced:
    addresses by numbers in order of appearance, times by a constant.

    Raises:
        UnsupportedTypeException: skops cannot express a part of it.
    """
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(estimator))) as archive:
        schema = json.loads(archive.read("schema.json"))
        contents = {name: archive.read(name) for name in archive.namelist()}
    names: dict[str, str] = {}
    _rename(schema, {}, names, itertools.count())
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("schema.json", _EPOCH), json.dumps(schema))
        for old, new in names.items():
            archive.writestr(zipfile.ZipInfo(new, _EPOCH), contents[old])
    return buffer.getvalue()


def _rename(node: Any, ids: dict[int, int], files: dict[str, str], count: Iterator[int]) -> None:
    """Replace addresses and file names in a skops schema, in place, in document order."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "__id__":
                node[key] = ids.setdefault(value, len(ids))
            elif key == "file" and isinstance(value, str):
                node[key] = files.setdefault(value, f"{len(files)}{Path(value).suffix}")
            else:
                _rename(value, ids, files, count)
    elif isinstance(node, list):
        for value in node:
            _rename(value, ids, files, count)


class SkopsPredictor(Predictor):
    """A scikit-learn estimator, asked through frames of the library it was trained with.

    Args:
        path: the model directory.
        manifest: its manifest.
        threads: threads of one prediction.
    """

    def __init__(self, path: Path, manifest: Manifest, threads: int) -> None:
        super().__init__(manifest)
        data = member(path, manifest.file).read_bytes()
        try:
            found = skops.io.get_untrusted_types(data=data)
            refused = [name for name in found if not is_trusted(name)]
            if refused:
                raise _invalid(path, f"it holds types that are not trusted: {', '.join(sorted(refused))}")
            self._estimator = skops.io.loads(data, trusted=found)
        except (
            UnsupportedTypeException,
            UntrustedTypesFoundException,
            zipfile.BadZipFile,
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            ImportError,
        ) as error:
            raise _invalid(path, f"`{manifest.file}` is not a readable skops file: {error}") from None
        self._frame = _frame_maker(path, manifest.frame)
        self._pools = ThreadpoolController()
        self._threads = threads

    def _run(self, columns: Columns, rows: int) -> Columns:  # noqa: ARG002
        try:
            with self._pools.limit(limits=self._threads):
                return outputs_of(self._estimator, self._frame(columns), self.manifest)
        except REFUSALS as error:
            line = (str(error).splitlines() or [""])[0]
            raise WorkFailed(
                "the model cannot answer these inputs", because=f"{type(error).__name__}: {line}"
            ) from None


def outputs_of(estimator: Any, frame: Any, manifest: Manifest) -> Columns:
    """A scikit-learn estimator's outputs under the signature's names.

    The first output is what `predict` gives. A second is the probability of the positive class (the
    greater label) if it is a scalar, and the vector of all classes' probabilities otherwise.
    """
    first, *rest = manifest.signature.outputs
    outputs: Columns = {first.name: np.asarray(estimator.predict(frame))}
    for field in rest:
        probabilities = np.asarray(estimator.predict_proba(frame))
        outputs[field.name] = probabilities if field.shape else probabilities[:, 1]
    return outputs


def _frame_maker(path: Path, library: FrameLibrary | None) -> Any:
    if library is None:
        raise _invalid(path, f"its `{NAME}` does not say which dataframes it takes (`frame`)")
    try:
        module = importlib.import_module(library)
    except ImportError:
        raise ProjectInvalid(
            f"model `{path.name}` cannot be loaded: it takes {library} frames and {library} is not installed",
            at=place(path, NAME),
            hints=[f"install it with `pip install {library}`"],
        ) from None
    return module.table if library == "pyarrow" else module.DataFrame


def _invalid(path: Path, because: str) -> ProjectInvalid:
    return ProjectInvalid(f"model `{path.name}` cannot be loaded", at=place(path, NAME), because=because)
