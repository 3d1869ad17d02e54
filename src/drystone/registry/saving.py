"""Saving a trained scikit-learn estimator as a model directory."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from drystone.core.errors import DrystoneError, UsageError
from drystone.core.signature import Field, Signature
from drystone.registry import manifest as manifests
from drystone.registry.frames import Columns, columns_of, eager, fields_of
from drystone.registry.loading import differing_rows, load, open_model
from drystone.registry.manifest import Example, Fidelity, Manifest
from drystone.registry.predictor import Predictor

MOST_REFERENCE_ROWS = 20_000
EXAMPLE_ROWS = 2
_SEED = 0
_UNSEEN_ROWS = 20
#: Share of rows that may fall on the other side of a threshold by rounding.
_MOST_DIFFERING = 1 / 1000


def save_model(
    path: Path,
    estimator: Any,
    *,
    inputs: Any,
    outputs: str | Sequence[str] | None = None,
    reference: Any = None,
    label: Any = None,
) -> Manifest:
    """Write a fitted scikit-learn estimator or pipeline as a model directory, replacing what is there.

    It is saved as ONNX where that gives the same answers, else as skops, and never as pickle. The file
    is loaded again and compared with the estimator over the reference sample and over strings never
    seen, because a conversion can succeed and be wrong: skl2onnx 1.20 ignores `categorical_features` of
    histogram gradient boosting, for instance. The manifest keeps the comparison as `fidelity`.

    ONNX computes in 32 bits. Measured on 20,000 rows with 64-bit floats and missing values, histogram
    gradient boosting of 100 trees behind an ordinal encoder gives probabilities within 2e-7 of
    scikit-learn's, with no row differing: rounding is monotone, so values and thresholds rounded alike
    compare alike. A value that lies within rounding above a threshold can still take the other branch;
    at most one row in 1,000 may differ by more than 1e-5 + 1e-4 of the value, or ONNX is not used.

    The same estimator, data and library versions give the same bytes in every file.

    Args:
        path: the directory, `models/NAME`.
        estimator: fitted on a dataframe with the columns of `inputs`.
        inputs: dataframe (pandas, polars, pyarrow) of the inputs it was trained on: their names,
            order, types, and whether values may be missing become the signature.
        outputs: names of the outputs. By default the first has the name of `label`, or
            `prediction`; a classifier's second is `probability` (of the greater of two labels) or
            `probabilities` (of each label).
        reference: dataframe to draw the reference sample from, by default `inputs`.
        label: true labels of the rows of `reference`, kept in the sample as `label`.

    Returns:
        The manifest written.

    Raises:
        UsageError: inputs that no signature can express, clashing names, an estimator that is not
            scikit-learn's own or whose saved form does not answer as it does.
    """
    frame = eager(inputs)
    fields = fields_of(frame)
    sample, truth = _sample(eager(inputs if reference is None else reference), fields, label)
    columns = columns_of(sample, fields)
    names = _output_names(estimator, outputs, getattr(label, "name", None), list(columns))
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        manifest, answers = _write_estimator(temporary, estimator, fields, names, sample, columns)
        manifest = _write_example(temporary, manifest, columns, answers)
        _write_reference(temporary / "reference.parquet", columns, answers, truth)
        (temporary / manifests.NAME).write_bytes(manifests.encode(manifest))
        load(temporary)
        _swap(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return manifest


def _sample(
    frame: nw.DataFrame[Any], fields: tuple[Field, ...], label: Any
) -> tuple[nw.DataFrame[Any], np.ndarray[Any, Any] | None]:
    """At most `MOST_REFERENCE_ROWS` rows in their order, chosen by a fixed seed, with their labels."""
    missing = [field.name for field in fields if field.name not in frame.columns]
    if missing:
        raise UsageError(f"the reference frame lacks inputs: {', '.join(f'`{name}`' for name in missing)}")
    for field in fields:
        if not field.nullable and frame[field.name].null_count():
            raise UsageError(f"input `{field.name}` has missing values in the reference and none in `inputs`")
    truth = None if label is None else np.asarray(label)
    if truth is not None and truth.shape != (len(frame),):
        raise UsageError(
            f"`label` must have one value for each of {len(frame)} reference rows: its shape is {truth.shape}"
        )
    chosen = np.arange(len(frame))
    if len(frame) > MOST_REFERENCE_ROWS:
        random = np.random.default_rng(_SEED)
        chosen = np.sort(random.choice(len(frame), MOST_REFERENCE_ROWS, replace=False))
    sample = frame.select([field.name for field in fields])[chosen.tolist()]
    return sample, None if truth is None else truth[chosen]


def _output_names(
    estimator: Any, outputs: str | Sequence[str] | None, label: object, inputs: list[str]
) -> list[str]:
    classes = getattr(estimator, "classes_", None) if hasattr(estimator, "predict_proba") else None
    wanted = 1 if classes is None else 2
    if outputs is None:
        first = label if isinstance(label, str) and label not in ("", "label") else "prediction"
        names = [first]
        if classes is not None:
            names.append("probability" if len(classes) == 2 else "probabilities")
    else:
        names = [outputs] if isinstance(outputs, str) else list(outputs)
    if len(names) > wanted or not names:
        raise UsageError(f"this estimator has {wanted} outputs: `outputs` names {len(names)}")
    for name in names:
        if name in inputs or name == "label" or names.count(name) > 1:
            raise UsageError(
                f"an output cannot be called `{name}`",
                because="inputs, outputs and `label` are columns of one table",
                hints=['choose names with `outputs=("NAME", "NAME")`'],
            )
    return names


def _write_estimator(
    path: Path,
    estimator: Any,
    fields: tuple[Field, ...],
    names: list[str],
    sample: nw.DataFrame[Any],
    columns: Columns,
) -> tuple[Manifest, Columns]:
    """Write the model's file in the first form that answers as the estimator does."""
    from drystone.registry import convert, skops_model

    classes = tuple(getattr(estimator, "classes_", np.array([])).tolist())
    frame = str(sample.implementation.value)
    draft = Manifest(
        format=1,
        loader="onnx",
        file="model.onnx",
        signature=Signature(fields, _output_fields(estimator, names, "float32")),
        classes=classes,
        estimator=_describe(estimator),
        library=_versions("scikit-learn", "skl2onnx", "onnx"),
    )
    native = sample.to_native()
    truth = skops_model.outputs_of(estimator, native, draft)
    note = ""
    try:
        for candidate in convert.candidates(estimator, draft.signature, native):
            (path / draft.file).write_bytes(candidate)
            predictor = open_model(path, draft, 1)
            answers = predictor.predict_checked(columns, len(sample))
            fidelity = _compare(truth, answers)
            if fidelity.differing > _MOST_DIFFERING * fidelity.rows:
                found = f"it differs from the estimator in {fidelity.differing} of {fidelity.rows} rows"
            elif not _agrees_on_unseen(estimator, predictor, sample):
                found = "it answers strings never seen otherwise than the estimator"
            else:
                return _with(draft, fidelity=fidelity), answers
            note = note or f"no ONNX: {found}"
    except (convert.NotConvertible, DrystoneError) as error:
        note = note or f"no ONNX: {error}"
    (path / draft.file).unlink(missing_ok=True)
    manifest = _with(
        draft,
        loader="skops",
        file="model.skops",
        signature=Signature(fields, _output_fields(estimator, names, "float64")),
        frame=frame,
        library=_versions("scikit-learn", "skops"),
        note=note,
    )
    return _write_skops(path, estimator, manifest, sample, columns, truth)


def _agrees_on_unseen(estimator: Any, predictor: Predictor, sample: nw.DataFrame[Any]) -> bool:
    """Whether rows with strings that no training data holds are answered alike, and not only one refuses.

    ONNX has an answer for every string; an encoder of scikit-learn may refuse those it never saw.
    """
    from drystone.registry import skops_model

    fields = predictor.signature.inputs
    texts = [field.name for field in fields if field.dtype == "string"]
    if not texts:
        return True
    unseen = sample.head(_UNSEEN_ROWS).with_columns(
        *(nw.lit("\u2205 never seen").alias(name) for name in texts)
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            truth = skops_model.outputs_of(estimator, unseen.to_native(), predictor.manifest)
    except skops_model.REFUSALS:
        return False
    answers = predictor.predict_checked(columns_of(unseen, fields), len(unseen))
    return _compare(truth, answers).differing == 0


def _write_skops(
    path: Path,
    estimator: Any,
    manifest: Manifest,
    sample: nw.DataFrame[Any],
    columns: Columns,
    truth: Columns,
) -> tuple[Manifest, Columns]:
    from skops.io.exceptions import UnsupportedTypeException

    from drystone.registry import skops_model

    because = [manifest.note or ""]
    try:
        data = skops_model.dump(estimator)
    except UnsupportedTypeException as error:
        raise _unsafe([*because, f"no skops: {error}"]) from None
    refused = skops_model.untrusted_types(data)
    if refused:
        raise _unsafe([*because, f"no skops: not scikit-learn's, numpy's or scipy's: {', '.join(refused)}"])
    (path / manifest.file).write_bytes(data)
    answers = open_model(path, manifest, 1).predict_checked(columns, len(sample))
    fidelity = _compare(truth, answers)
    if fidelity.differing:
        raise _unsafe([*because, f"no skops: it differs in {fidelity.differing} of {fidelity.rows} rows"])
    return _with(manifest, fidelity=fidelity), answers


def _unsafe(because: list[str]) -> UsageError:
    return UsageError(
        "this estimator cannot be saved safely and faithfully",
        because=because,
        hints=[
            "build it from scikit-learn's own estimators, or write `models/NAME` with an ONNX file yourself"
        ],
    )


def _output_fields(estimator: Any, names: list[str], real: Any) -> tuple[Field, ...]:
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        return (Field(names[0], real),)
    kinds: dict[str, Any] = {"b": "bool", "i": "int64", "u": "int64", "f": "int64"}
    label = Field(names[0], kinds.get(np.asarray(classes).dtype.kind, "string"))
    shape = () if len(classes) == 2 else (len(classes),)
    return (label, *(Field(name, real, shape=shape) for name in names[1:]))


def _compare(truth: Columns, answers: Columns) -> Fidelity:
    rows = len(next(iter(answers.values())))
    differing, largest = np.zeros(rows, dtype=bool), 0.0
    for name, found in answers.items():
        rows_differing, most = differing_rows(truth[name], found)
        differing |= rows_differing
        largest = max(largest, most)
    return Fidelity(rows, int(differing.sum()), largest)


def _write_example(path: Path, manifest: Manifest, columns: Columns, answers: Columns) -> Manifest:
    example = {name: _plain(values[:EXAMPLE_ROWS]) for name, values in columns.items()}
    (path / "example.json").write_bytes(manifests.encode(Example(example)))
    golden = {name: _plain(values[:EXAMPLE_ROWS]) for name, values in answers.items()}
    return _with(manifest, example="example.json", reference="reference.parquet", golden=golden)


def _plain(values: np.ndarray[Any, Any]) -> list[Any]:
    """JSON's own types; a missing number becomes null."""
    if values.dtype.kind == "f":
        plain = values.astype(object)
        plain[np.isnan(values)] = None
        return list(plain.tolist())
    return list(values.tolist())


def _write_reference(
    path: Path, columns: Columns, answers: Columns, truth: np.ndarray[Any, Any] | None
) -> None:
    arrays = {
        name: pa.array(list(values), type=pa.list_(pa.from_numpy_dtype(values.dtype)))
        if values.ndim > 1
        else pa.array(values, type=pa.string() if values.dtype == object else None, from_pandas=True)
        for name, values in (*columns.items(), *answers.items())
    }
    if truth is not None:
        arrays["label"] = pa.array(truth)
    pq.write_table(pa.table(arrays), path, compression="zstd")


def _swap(new: Path, path: Path) -> None:
    """Put the finished directory in place; what was there is removed after."""
    old = path.with_name(f"{new.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        path.rename(old)
    new.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _describe(estimator: Any) -> str:
    steps = getattr(estimator, "steps", None)
    return " > ".join(type(step).__name__ for _, step in steps) if steps else type(estimator).__name__


def _versions(*packages: str) -> dict[str, str]:
    return {package: metadata.version(package) for package in packages}


def _with(manifest: Manifest, **changes: Any) -> Manifest:
    return msgspec.structs.replace(manifest, **changes)
