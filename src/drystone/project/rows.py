"""Some rows of a Parquet file, of which only the row groups that hold them are read."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from drystone.core.errors import Conflict, UsageError
from drystone.objects.atomic import explained, sync_directory, temporary
from drystone.objects.intake import identify_path
from drystone.project.placing import Replaced, foreseen, noted
from drystone.workspace.workspace import Workspace

_RANGE = re.compile(r"([0-9]{0,18})\.\.([0-9]{0,18})")
_BATCH = 65_536  # rows


class Range(NamedTuple):
    """Rows from `start` on, counted from 0, up to but without `stop`; None is the end."""

    start: int
    stop: int | None


def parse_range(text: str) -> Range:
    """Reads `100..200`, `100..` or `..200`.

    Raises:
        UsageError: it is none of these.
    """
    found = _RANGE.fullmatch(text)
    if found and text != "..":
        start, stop = int(found[1] or 0), int(found[2]) if found[2] else None
        if stop is None or start <= stop:
            return Range(start, stop)
    raise UsageError(
        f"not a range of rows: `{text}`",
        because="rows are counted from 0, and the last one named is not among them",
        hints=["as in `--rows 100..200`, `--rows 100..` or `--rows ..200`"],
    )


class Rows:
    """A Parquet file and which of its rows are wanted.

    Args:
        file: seekable.
        wanted: which rows.
        label: what to call the file in errors.

    Raises:
        UsageError: it is no Parquet file, or has not so many rows.
    """

    def __init__(self, file: IO[bytes], wanted: Range, label: str) -> None:
        try:
            self._file = pq.ParquetFile(file)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise UsageError(
                f"`{label}` is not a Parquet file",
                because=str(error).splitlines()[0],
                hints=["leave out `--rows`"],
            ) from error
        self.label = label
        self.total: int = self._file.metadata.num_rows
        self.start, self.stop = (
            wanted.start,
            min(self.total, self.total if wanted.stop is None else wanted.stop),
        )
        if wanted.start > self.total:
            raise UsageError(
                f"`{label}` has {self.total:,} rows, asked was for those from {wanted.start:,} on"
            )

    @property
    def schema(self) -> pa.Schema:
        return self._file.schema_arrow

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, some at a time.

        Raises:
            UsageError: the file is damaged inside.
        """
        begin = 0
        for group in range(self._file.num_row_groups):
            end = begin + self._file.metadata.row_group(group).num_rows
            if end > self.start and begin < self.stop:
                yield from self._group(group, begin)
            begin = end

    def _group(self, group: int, begin: int) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self._file.iter_batches(_BATCH, row_groups=[group]):
                first, last = max(self.start - begin, 0), min(self.stop - begin, batch.num_rows)
                if first < last:
                    yield batch.slice(first, last - first)
                begin += batch.num_rows
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise UsageError(
                f"`{self.label}` cannot be read as Parquet", because=str(error).splitlines()[0]
            ) from error

    def write(self, target: Any, form: Literal["csv", "parquet"]) -> int:
        """Writes the rows to a path or a binary file; gives their number.

        Raises:
            UsageError: a column has values that CSV has no form for.
        """
        done = 0
        try:
            with (
                pq.ParquetWriter(target, self.schema)
                if form == "parquet"
                else pyarrow.csv.CSVWriter(target, self.schema)
            ) as writer:
                for batch in self.batches():
                    writer.write_batch(batch)
                    done += batch.num_rows
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
            raise UsageError(
                f"rows of `{self.label}` cannot be written as CSV",
                because=str(error).splitlines()[0],
                hints=["write them as Parquet with `-o rows.parquet`"],
            ) from error
        return done

    def write_file(
        self, path: Path, *, force: bool = False, home: Workspace | None = None, dry_run: bool = False
    ) -> tuple[int, Replaced]:
        """Writes the rows to a file, as its suffix says; whole or not at all.

        Gives their number, and what became of what was there.

        A file that is replaced within the work tree `home` is stored first, and `undo` brings it back;
        elsewhere it stays beside it. Under `dry_run` nothing is written.

        Raises:
            UsageError: the suffix is neither `.csv` nor `.parquet`, or as `write`.
            Conflict: the file exists and `force` is off.
            WorkFailed, ProjectInvalid: it cannot be written.
        """
        form = form_of(path)
        if path.is_dir() or (not force and os.path.lexists(path)):
            raise Conflict(
                f"`{path.name}` is in the way",
                at=str(path),
                hints=[
                    "give another place with `-o PATH`",
                    *([] if path.is_dir() else ["replace it with `--force`"]),
                ],
            )
        if dry_run:
            return sum(batch.num_rows for batch in self.batches()), foreseen(home, path)
        return _replace(path, home, lambda new: self.write(str(new), form))

    def documents(self) -> list[dict[str, Any]]:
        """The rows as they stand in a JSON document."""
        return [row for batch in self.batches() for row in batch.to_pylist()]


def form_of(path: Path) -> Literal["csv", "parquet"]:
    """The form that a file's name asks for.

    Raises:
        UsageError: it is neither.
    """
    match path.suffix.lower():
        case ".csv":
            return "csv"
        case ".parquet" | ".pq":
            return "parquet"
    raise UsageError(
        f"rows cannot be written to `{path.name}`", hints=["name a file that ends in `.csv` or `.parquet`"]
    )


def _replace(path: Path, home: Workspace | None, make: Callable[[Path], int]) -> tuple[int, Replaced]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary(path.parent) as (descriptor, new):
            done = make(new)
            os.fsync(descriptor)
            with noted(home, path, identify_path(new)) as replaced:
                new.rename(path)
            sync_directory(path.parent)
            return done, replaced
    except OSError as error:
        raise explained(error, f"`{path.name}` cannot be written", path) from error
