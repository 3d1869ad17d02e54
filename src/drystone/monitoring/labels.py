"""Labels, which come late: a table of `prediction_id`, `label` and perhaps `label_time`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as parquet
import pyarrow.types as pt

from drystone.core.clock import from_iso
from drystone.core.errors import NotFound, ProjectInvalid
from drystone.monitoring.columns import Array

SUFFIXES = (".parquet", ".csv")
_HINT = "labels have the columns `prediction_id`, `label` and, where known, `label_time`"


class Labels(NamedTuple):
    """The label that stands for each prediction.

    Attributes:
        path: where they were read.
        ids: prediction ids, each once.
        values: their labels, as they were written.
        repeated: rows that a newer label of the same prediction replaced.
        missing: rows without label or id; a missing label is no label, above all not a negative one.
    """

    path: Path
    ids: pa.Array[Any]
    values: pa.Array[Any]
    repeated: int
    missing: int

    def of(self, ids: pa.Array[Any]) -> pa.Array[Any]:
        """Labels of these predictions in their order, null where there is none."""
        return self.values.take(pc.index_in(ids, value_set=self.ids))

    def unknown(self, served: pa.Array[Any]) -> int:
        """How many labels are of predictions that are not among these."""
        return len(self.ids) - int(pc.sum(pc.is_in(self.ids, value_set=served)).as_py() or 0)


def read(path: Path) -> Labels:
    """Read a table of labels; where one prediction has several, the newest `label_time` wins.

    Without `label_time`, or where two are equal, the row further down wins.

    Raises:
        NotFound: there is no such file.
        ProjectInvalid: it is not a table, or not one of labels.
    """
    table = _table(path)
    ids, values, times = _columns(table, path)
    known = pc.and_(pc.is_valid(ids), pc.is_valid(values))
    if pt.is_floating(values.type):
        known = pc.and_(known, pc.invert(pc.fill_null(pc.is_nan(values), True)))
    missing = len(ids) - pc.sum(known).as_py() if len(ids) else 0
    keep = np.flatnonzero(known.to_numpy(zero_copy_only=False))
    ids, values, times = ids.take(keep), values.take(keep), times[keep]
    codes = ids.dictionary_encode()
    order = np.lexsort((np.arange(len(times)), times))
    newest = np.empty(len(codes.dictionary), dtype=np.int64)
    newest[codes.indices.to_numpy(zero_copy_only=False)[order]] = order  # of equal places the last one stays
    return Labels(path, codes.dictionary, values.take(newest), len(ids) - len(newest), missing)


def find(directory: Path, model: str) -> Path | None:
    """The labels of a model where convention puts them: `labels/MODEL.parquet`, else `.csv`."""
    return next((path for s in SUFFIXES if (path := directory / f"{model}{s}").is_file()), None)


def _table(path: Path) -> pa.Table:
    if not path.is_file():
        raise NotFound(f"no labels at `{path.name}`", at=str(path), hints=[_HINT])
    if path.suffix not in SUFFIXES:
        raise ProjectInvalid(
            f"`{path.name}` is not a table of labels", because="labels are read from `.parquet` or `.csv`"
        )
    try:
        if path.suffix == ".parquet":
            return parquet.ParquetFile(path).read()
        # Ids of hex digits such as `12e5` are not numbers.
        options = csv.ConvertOptions(column_types={"prediction_id": pa.string()}, strings_can_be_null=True)
        return csv.read_csv(path, convert_options=options)
    except (pa.ArrowException, OSError) as error:
        raise ProjectInvalid(
            f"`{path.name}` cannot be read", at=str(path), because=str(error).splitlines()[0], hints=[_HINT]
        ) from None


def _columns(table: pa.Table, path: Path) -> tuple[pa.Array[Any], pa.Array[Any], Array]:
    for name in ("prediction_id", "label"):
        if name not in table.column_names:
            raise ProjectInvalid(
                f"`{path.name}` has no column `{name}`",
                at=str(path),
                because=f"its columns are {', '.join(f'`{found}`' for found in table.column_names)}",
                hints=[_HINT],
            )
    ids, values = (_whole(table[name]) for name in ("prediction_id", "label"))
    if pt.is_null(ids.type):
        ids = ids.cast(pa.string())
    if not (pt.is_string(ids.type) or pt.is_large_string(ids.type)):
        raise ProjectInvalid(f"`prediction_id` of `{path.name}` is not text", at=str(path), hints=[_HINT])
    if "label_time" not in table.column_names:
        return ids.cast(pa.string()), values, np.zeros(len(ids), dtype=np.int64)
    return ids.cast(pa.string()), values, _times(_whole(table["label_time"]), path)


def _whole(column: pa.ChunkedArray[Any]) -> pa.Array[Any]:
    array = column.combine_chunks()
    array = pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array
    return array.dictionary_decode() if pt.is_dictionary(array.type) else array


def _times(times: pa.Array[Any], path: Path) -> Array:
    """Label times as numbers that sort; one that is missing is older than all."""
    try:
        if pt.is_string(times.type) or pt.is_large_string(times.type):
            numbers = pa.array(
                [None if text is None else from_iso(text) for text in times.to_pylist()], type=pa.int64()
            )
        elif pt.is_timestamp(times.type) or pt.is_date(times.type):
            numbers = times.cast(pa.timestamp("us")).cast(pa.int64())
        else:
            numbers = times.cast(pa.int64(), safe=False)
        oldest = np.iinfo(np.int64).min
        return np.asarray(pc.fill_null(numbers, oldest).to_numpy(zero_copy_only=False))
    except (ValueError, OverflowError, pa.ArrowException):
        raise ProjectInvalid(
            f"`label_time` of `{path.name}` is not a time", at=str(path), hints=["write it in ISO 8601"]
        ) from None
