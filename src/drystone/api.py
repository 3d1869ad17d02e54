"""`import drystone as ds`: tracking from inside a script or a step.

Inside a step or `drystone run -- CMD` the run exists already and everything lands in it. In a
plain script the first call that records something starts a run, which ends with the script.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import os
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drystone.core.errors import UsageError
from drystone.core.ids import is_run_id, new_id
from drystone.core.layout import Layout
from drystone.core.refs import is_valid_name
from drystone.ledger.facts import Fact, Scalar, Tags
from drystone.ledger.ledger import RunJournal
from drystone.project import Project, Settings
from drystone.tracking import parameters
from drystone.tracking.metrics import MetricBuffer
from drystone.tracking.parameters import Parameters

if TYPE_CHECKING:
    from drystone.features.api import FeatureSet
    from drystone.tracking.recorder import ActiveRun


class _Session:
    """Where this process records: a run, and this process's own journal of it."""

    def __init__(self, project: Project, run: str, own: ActiveRun | None) -> None:
        self.project = project
        self.run = run
        self.own = own
        self.metrics = MetricBuffer(run, lambda points: self.record(*points))
        self._journal: RunJournal | None = None
        self._lock = threading.Lock()
        self._seen: dict[str, Scalar] = {}

    def record(self, *facts: Fact) -> None:
        with self._lock:
            if self._journal is None:
                # Named at random: processes of one run, on any machine, must not share a file.
                writer = new_id(self.project.clock.now())[-12:]
                self._journal = self.project.ledger.journal(self.run, writer)
            self._journal.append(*facts)

    def parameter_read(self, values: dict[str, Scalar]) -> None:
        new = {key: value for key, value in values.items() if key not in self._seen}
        if new:
            self._seen |= new
            self.record(*parameters.asked(self.run, new, self.project.clock.now()))

    def close(self) -> None:
        self.metrics.flush()
        if self._journal is not None:
            self._journal.sync()
            self._journal.close()
            self._journal = None


#: The session that everything lands in which happens in no `ds.run` of its own: this process's base.
_base: list[_Session] = []
#: The runs that `ds.run` opened, innermost last: of this thread, and of the main thread for the others.
_opened: ContextVar[tuple[_Session, ...]] = ContextVar("opened", default=())
_opened_by_main: list[_Session] = []
#: After a fork: root and id of the run that the parent was in.
_inherited: list[tuple[Path, str]] = []


def _current() -> _Session | None:
    """The innermost run that is open, None before there is any."""
    opened = _opened.get() or _opened_by_main or _base
    return opened[-1] if opened else None


def _session() -> _Session:
    """The innermost run; attached to or started when there is none."""
    session = _current()
    if session is None:
        session = _attached() or _started(Path(sys.argv[0] or "python").stem, "default", None)
        _base.append(session)
        _on_exit(_leave)
        if session.own is not None:
            sys.excepthook = _failing(sys.excepthook)
            sys.exit = _remembering(sys.exit)
    return session


def _attached() -> _Session | None:
    if _inherited:
        root, run = _inherited[-1]
        return _Session(Project(root, Settings.of(os.environ)), run, None)
    run, folder = os.environ.get("DRYSTONE_RUN", ""), os.environ.get("DRYSTONE_ROOT")
    if not run or not folder:
        return None
    if not is_run_id(run):
        raise UsageError(f"`DRYSTONE_RUN` is no run id: `{run}`")
    return _Session(Project(Path(folder), Settings.of(os.environ)), run, None)


def _started(name: str, experiment: str, parent: _Session | None) -> _Session:
    from drystone.tracking.environment import fingerprint

    project = parent.project if parent else Project.discover(Path.cwd(), Settings.of(os.environ))
    environment = fingerprint(Path(sys.executable))
    own = project.recorder.start(
        kind="script",
        name=name,
        command=sys.orig_argv,
        code=project.code(),
        environment=project.store.put_bytes(environment.data),
        parent=parent.run if parent else None,
        experiment=experiment,
    )
    return _Session(project, own.id, own)


def _on_exit(leave: Callable[[], None]) -> None:
    """Have `leave` called at the end of this process, also where multiprocessing ends it its own way."""
    atexit.register(leave)
    if "multiprocessing.util" in sys.modules:  # a worker leaves by os._exit, which skips atexit
        sys.modules["multiprocessing.util"].Finalize(None, leave, exitpriority=100)


_failure: list[str] = []


def _failing(previous: Any) -> Any:
    def hook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        _failure.append(f"{kind.__name__}: {error}")
        previous(kind, error, trace)

    return hook


def _remembering(leave: Any) -> Any:
    """`sys.exit` that remembers a failure: no hook sees SystemExit at the end of a program."""

    def leaving(status: object = None) -> None:
        if status not in (None, 0, False):
            _failure.append(f"exit: {status}")
        leave(status)

    return leaving


def _leave() -> None:
    while _base:
        session = _base.pop()
        failure = _failure[0] if _failure else None
        try:
            session.close()
        except OSError as error:
            failure = failure or f"the last metrics could not be written: {error}"
            raise
        finally:
            if session.own is not None:
                session.own.finish("failed" if failure else "succeeded", error=failure)


def _forked() -> None:
    """A child process logs into the parent's run, by journals of its own."""
    current = _current()
    if current is not None:
        _inherited.append((current.project.layout.root, current.run))
    _base.clear()
    _opened_by_main.clear()
    _opened.set(())


os.register_at_fork(after_in_child=_forked)


# -- what users call -----------------------------------------------------------------------------


def log(*, step: int | None = None, **metrics: float) -> None:
    """Log one point of each metric: `ds.log(loss=0.3, accuracy=0.9, step=7)`.

    Args:
        step: a whole number; left out, it counts up from 0 for each metric.
        metrics: numbers, NaN and infinities included.

    Raises:
        UsageError: a value is no number.
    """
    opened = _opened.get() or _opened_by_main or _base  # as in `_current`: called a million times
    (opened[-1] if opened else _session()).metrics.log(metrics, step)


def tag(**labels: str) -> None:
    """Label the run: `ds.tag(data="2013", note="first try")`."""
    session = _session()
    values = {key: str(value) for key, value in labels.items()}
    session.record(Tags(session.run, values, session.project.clock.now()))


@contextlib.contextmanager
def run(name: str, *, experiment: str = "default", params: Mapping[str, Any] | None = None) -> Iterator[str]:
    """A run of its own, nested in the one that is active: `with ds.run("fold-1"): ds.log(...)`.

    Args:
        name: what to call it.
        experiment: the group it belongs to.
        params: parameters to record, nested tables allowed.

    Yields:
        the run's id.
    """
    session = _started(name, experiment, _current() or _attached())
    assert session.own is not None
    session.own.params(parameters.flatten(params or {}))
    owner, before, in_main = os.getpid(), _opened.get(), threading.current_thread() is threading.main_thread()
    _opened.set((*before, session))
    if in_main:
        _opened_by_main.append(session)
    error: str | None = None
    try:
        yield session.run
    except BaseException as raised:
        if not (isinstance(raised, SystemExit) and raised.code in (None, 0)):
            error = f"{type(raised).__name__}: {raised}"
        raise
    finally:
        if os.getpid() == owner:  # not in a child that was forked inside
            _opened.set(before)
            if in_main:
                _opened_by_main.remove(session)
            try:
                session.close()
            finally:
                session.own.finish("failed" if error else "succeeded", error=error)


def model(
    name: str,
    estimator: Any,
    *,
    inputs: Any,
    outputs: Sequence[str] | None = None,
    reference: Any = None,
    label: Any = None,
) -> Path:
    """Save a model with signature, example and reference sample in `models/NAME`.

    Args:
        name: the model's name.
        estimator: a fitted scikit-learn estimator or pipeline.
        inputs: a data frame of what it was trained on, one row an example; gives the signature.
        outputs: names for what it answers.
        reference: a frame of inputs that monitoring compares with, best one that the model has not
            seen (`inputs`).
        label: the true answers of the reference's rows, if monitoring shall know how good it was.

    Returns:
        the folder, which becomes `model:NAME@vN` when the step ends.
    """
    from drystone.registry.modeldir import save_model

    if not is_valid_name(name):
        raise UsageError(f"not a name for a model: `{name}`")
    path = _root().models / name
    save_model(path, estimator, inputs=inputs, outputs=outputs, reference=reference, label=label)
    return path


def views(*names: str) -> FeatureSet:
    """Feature views by name, to be joined as they were known: `ds.views("weather").at(spine)`."""
    from drystone.features.api import features

    return features(_root(), *names)


def open(  # noqa: A001  `drystone.open` is to data what `open` is to files
    reference: str,
    mode: str = "rb",
    *,
    encoding: str | None = None,
    newline: str | None = None,
    repo: str | None = None,
    remote: str | None = None,
) -> io.BufferedReader | io.TextIOWrapper:
    """A file of a dataset, a model or the lock, read-only: `ds.open("data:flights@v3/x.parquet")`.

    Nothing is checked out. Where the object is not in the local store it is fetched from a remote, in
    pieces and only as far as it is read; each piece is verified before a byte of it is handed out.

    Args:
        reference: `data:NAME`, `model:NAME@VERSION/PATH`, a tracked path as the lock names it,
            `PATH@git:REV`, or `b3:DIGITS`.
        mode: `rb`, or `r` for text.
        encoding: of text; UTF-8 where none is given.
        newline: as for the built-in `open`.
        repo: another repository: a folder of this machine, or a URL that `git clone` takes.
        remote: the name or address of the remote that is asked first.

    Raises:
        NotFound, Ambiguous: the reference names nothing, or several things; or its bytes are nowhere.
        UsageError: it is no reference, names a folder, or the mode is none for reading.
        Corrupt: what is here is damaged, and no remote has it.
        RemoteUnavailable: a remote cannot be reached, refuses, or gives other bytes. Reading raises this too.
    """
    from drystone.project.reading import Reader

    root = os.environ.get("DRYSTONE_ROOT")
    reader = Reader.at(
        Path(root) if root else Path.cwd(),
        Settings.of(os.environ),
        Path(tempfile.gettempdir()),
        repo=repo,
        remote=remote,
    )
    try:
        file = reader.open(reference, mode, encoding, newline)
    except BaseException:
        reader.close()
        raise
    weakref.finalize(file, reader.close)
    return file


def _root() -> Layout:
    root = os.environ.get("DRYSTONE_ROOT")
    return Layout(Path(root)) if root else Project.discover(Path.cwd(), Settings.of(os.environ)).layout


def _params() -> Parameters:
    """The project's parameters; inside a step, those that the step was started with."""
    snapshot = os.environ.get("DRYSTONE_PARAMS")
    values = json.loads(Path(snapshot).read_bytes()) if snapshot else parameters.load(_root().root)[1]
    return Parameters(values, lambda read: _session().parameter_read(read))


def __getattr__(name: str) -> Any:
    if name == "params":  # read on first use, then the same object for everybody
        globals()["params"] = _params()
        return globals()["params"]
    raise AttributeError(name)
