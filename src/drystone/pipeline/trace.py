"""The trace: what one execution of a step read and wrote, as canonical JSON in the object store.

`docs/reference/formats.md` describes the format. Paths are relative to the root, posix; paths outside
the root are absolute.
"""

from __future__ import annotations

import msgspec

from drystone.core.errors import Corrupt
from drystone.core.ids import short
from drystone.ledger.facts import Scalar
from drystone.objects.store import ObjectStore
from drystone.pipeline.observation import Label
from drystone.workspace.lockfile import LockedPath

FORMAT = 1


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """One committed execution.

    Attributes:
        step: its name; `file` the step's own file.
        command: how it was started; `python` is the project's interpreter.
        label: how far it was observed; `why` says so in words if it is not `proven`.
        environment: object describing the machine and, where it counts, interpreter and packages.
        python: whether a Python ran, so that interpreter and packages count.
        variables: environment variables that it was given and that can change a result.
        reads: object id of each file that it read and had not written itself.
        absent: paths that it looked for in vain and did not make itself.
        present: paths that it looked for and found, without reading them.
        metadata: of the project's paths among `reads` and `present`, what looking at them tells.
        listed: for each folder whose names it read, the id of those names (`present.py`).
        scanned: those of `listed` that only Python's imports listed.
        params: the parameters that it asked for, by dotted key; None for one that was not there.
        writes: what it left behind.
        made: folders that it made or made sure of.
        environments: of each other interpreter whose modules it read, by its prefix, what is installed there.
        programs: what the name of each program that it found, or missed, through `PATH` led to
            (`programs.py`); None where to nothing.
        left: files that it left outside of the project, each with its size and time (`Present.mark`).
        unrepeatable: why this trace never stands in for an execution, else "".
        run: the run that this is the trace of.
        seconds: wall time; `cpu` processor seconds; `peak` resident bytes of its largest process.
    """

    step: str
    file: str
    command: tuple[str, ...]
    label: Label
    why: str
    environment: str
    python: bool
    variables: dict[str, str]
    reads: dict[str, str]
    absent: tuple[str, ...]
    present: tuple[str, ...]
    listed: dict[str, str]
    params: dict[str, Scalar]
    writes: dict[str, LockedPath]
    made: tuple[str, ...]
    unrepeatable: str
    run: str
    exit_code: int
    seconds: float
    cpu: float
    peak: int
    metadata: dict[str, str] = {}
    environments: dict[str, str] = {}
    left: dict[str, str] = {}
    scanned: tuple[str, ...] = ()
    programs: dict[str, str | None] = {}
    format: int = FORMAT


def encode(trace: Trace) -> bytes:
    """Canonical JSON: keys sorted, no spaces, UTF-8."""
    return msgspec.json.encode(trace, order="sorted")


_decode = msgspec.json.Decoder(Trace).decode


def load(store: ObjectStore, trace_id: str) -> Trace:
    """Read a trace.

    Raises:
        NotFound: it is not in the local store.
        Corrupt: it is damaged, or of a format that this version does not know.
    """
    data = store.read(trace_id)
    try:
        trace = _decode(data)
    except msgspec.MsgspecError as error:
        raise Corrupt(f"trace `{short(trace_id)}` cannot be read", because=str(error)) from None
    if trace.format != FORMAT:
        raise Corrupt(
            f"trace `{short(trace_id)}` has format {trace.format}",
            because=f"this version of Drystone knows format {FORMAT}",
        )
    return trace
