"""What a window is compared with: the reference sample that travels inside the model's object."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as parquet

from drystone.core.errors import Corrupt, NotFound
from drystone.core.ids import is_object_id
from drystone.core.signature import Field, Signature
from drystone.monitoring.columns import Sample, kind_of, kind_of_dtype, sample
from drystone.monitoring.outcomes import Question, outcomes, question
from drystone.monitoring.performance import Reference
from drystone.objects.store import ObjectStore
from drystone.objects.tree import read_tree
from drystone.registry import manifest as manifests
from drystone.registry.manifest import Manifest

_LABEL = "label"


class Baseline(NamedTuple):
    """What is known about one version before anything was served.

    Attributes:
        signature: its typed columns; None where the model is not here.
        question: what it answers.
        samples: its reference by column, inputs and outputs.
        quality: its reference measured against the labels there; None where it has none.
        why: where there is no reference, the reason.
    """

    signature: Signature | None = None
    question: Question | None = None
    samples: Mapping[str, Sample] = MappingProxyType({})
    quality: Reference | None = None
    why: str = ""

    @property
    def fields(self) -> tuple[Field, ...]:
        """Inputs and outputs: every column that is judged."""
        return (*self.signature.inputs, *self.signature.outputs) if self.signature else ()


def load(store: ObjectStore, object_id: str) -> Baseline:
    """Read the manifest and the reference sample of a model's object.

    Raises:
        Corrupt: the store holds a damaged object; it is in quarantine now.
    """
    if not is_object_id(object_id):
        return Baseline(why="the request log does not say which object answered")
    try:
        files = {entry.name: entry.object for entry in read_tree(store, object_id)}
        manifest = msgspec.json.decode(store.read(files[manifests.NAME]), type=Manifest)
    except NotFound:
        return Baseline(why="the model is not in the local store")
    except (KeyError, Corrupt, msgspec.MsgspecError) as error:
        if isinstance(error, Corrupt) and not store.has(object_id):
            raise  # damaged, not merely something other than a model directory
        return Baseline(why=f"the model has no readable `{manifests.NAME}`")
    asked = question(manifest.signature, manifest.classes)
    known = Baseline(manifest.signature, asked)
    if manifest.reference is None or manifest.reference not in files:
        return known._replace(why="the model has no reference sample")
    try:
        table = parquet.ParquetFile(pa.BufferReader(store.read(files[manifest.reference]))).read()
    except pa.ArrowException:
        return known._replace(why=f"`{manifest.reference}` of the model cannot be read")
    return _with_reference(known, table)


def _with_reference(known: Baseline, table: pa.Table) -> Baseline:
    columns = {name: table[name].chunks for name in table.column_names}
    samples = {
        field.name: sample(columns[field.name], kind_of(columns[field.name]) or kind_of_dtype(field.dtype))
        for field in known.fields
        if field.name in columns and not field.shape
    }
    quality = None
    if known.question is not None and _LABEL in columns:
        found, _ = outcomes(known.question, columns[_LABEL], columns)
        quality = Reference.of(found)
    return known._replace(samples=samples, quality=quality)
