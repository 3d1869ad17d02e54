"""Which files are tables, by their names; no engine is needed to know that."""

from __future__ import annotations

from typing import Literal

Form = Literal["parquet", "csv", "tsv"]
_FORMS: dict[str, Form] = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "tsv"}


def form_of(path: str) -> Form | None:
    """The form of the table at `path`, None if its name is not one of a table."""
    name = path.rpartition("/")[2]
    return _FORMS.get(name[name.rfind(".") :].lower()) if "." in name else None
