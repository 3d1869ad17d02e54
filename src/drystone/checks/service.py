"""A test session: pytest on `checks/` in a process of its own, its verdicts kept as evidence."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from drystone.checks.conversation import CheckSession, Conversation
from drystone.checks.discovery import check_files
from drystone.checks.outcome import Given, Outcome, Session
from drystone.checks.subjects import restore_version
from drystone.core.errors import ProjectInvalid
from drystone.core.ids import is_run_id
from drystone.core.layout import Layout
from drystone.ledger.facts import Code, VersionRegistered
from drystone.ledger.journal import is_being_written
from drystone.tracking.recorder import Recorder

_POLL_S = 0.05
_PATIENCE_S = 5.0
EXAMPLE = """\
def test_training_data(data):
    training = data("training")
    training.expect("price").between(0, 10_000).missing(max=0.01)
    training.unique("id")
"""


class Environment(NamedTuple):
    """What the session is started with; the faces find out and hand it in.

    Attributes:
        interpreter: the Python that runs pytest; Drystone and pytest must be installed in it.
        environ: its environment variables.
        command: what the user typed.
        code: the state of the code.
        fingerprint: object describing interpreter and packages.
    """

    interpreter: Path
    environ: Mapping[str, str]
    command: tuple[str, ...] = ()
    code: Code | None = None
    fingerprint: str | None = None


def run_checks(
    layout: Layout,
    recorder: Recorder,
    environment: Environment,
    *,
    given: Sequence[VersionRegistered] = (),
    listener: Callable[[Outcome], None] = lambda _: None,
) -> CheckSession:
    """Run the checks of a project and record their evidence, each verdict as soon as it is there.

    Args:
        layout: the project.
        recorder: records the session as a run of kind `test`.
        environment: with what pytest is started.
        given: versions to judge, as they are in the store; checks of other models are skipped, and
            checks of data too unless a dataset is given. Without any, all checks judge what lies in
            the work tree, as it lies there.
        listener: called with each outcome.

    Raises:
        ProjectInvalid: there are no checks, or the interpreter cannot run them.
        NotFound, Corrupt: the store cannot give a version.
    """
    files = check_files(layout.checks)
    if not files:
        raise no_checks(layout)
    run = recorder.start(
        kind="test",
        name="checks",
        command=environment.command,
        code=environment.code,
        environment=environment.fingerprint,
    )
    conversation = Conversation(run, recorder.clock, listener)
    try:
        with _scratch(layout, run.id) as folder:
            session = _session(layout, recorder, folder, given)
            status = _pytest(files, session, folder, environment, conversation)
    except BaseException as error:
        run.finish(
            "killed" if isinstance(error, KeyboardInterrupt) else "failed", error=str(error) or "interrupted"
        )
        raise
    return conversation.close(status, session, environment.code.commit if environment.code else None)


def no_checks(layout: Layout) -> ProjectInvalid:
    """The error that says how to begin."""
    exists = layout.checks.is_dir()
    return ProjectInvalid(
        "there are no checks in this project",
        because="`checks/` holds no Python file" if exists else "there is no folder `checks/`",
        hints=[
            "write one, such as `checks/training.py`:\n\n"
            + "\n".join(f"    {line}" for line in EXAMPLE.splitlines())
        ],
    )


def _session(layout: Layout, recorder: Recorder, folder: Path, given: Sequence[VersionRegistered]) -> Session:
    versions = []
    for number, version in enumerate(given):
        path = folder / f"given-{number}" / Path(version.path).name
        restore_version(recorder.store, version, path)
        about = f"{version.kind}:{version.name}@v{version.version}"
        versions.append(Given(version.kind, version.name, about, version.object, str(path), version.path))
    return Session(
        root=str(layout.root),
        outcomes=str(folder / "outcomes.jsonl"),
        now=recorder.clock.now(),
        scratch=str(folder),
        given=tuple(versions),
    )


def _pytest(
    files: Sequence[Path],
    session: Session,
    folder: Path,
    environment: Environment,
    conversation: Conversation,
) -> int:
    """Run pytest to its end and pass on all it says; gives the process's exit code."""
    (folder / "session.json").write_bytes(msgspec.json.encode(session))
    Path(session.outcomes).touch()
    # The files are named one by one: so their names need no `test_`, whatever the project's own
    # pytest settings say. `-p drystone` finds the plugin even where entry points are switched off.
    command = [
        *(str(environment.interpreter), "-m", "pytest", *map(str, files), "--rootdir", session.root),
        *("-p", "drystone", "--drystone-session", str(folder / "session.json")),
        *("--continue-on-collection-errors", "-o", f"cache_dir={session.root}/.drystone/pytest"),
    ]
    try:
        with (folder / "printed").open("wb") as printed:
            process = subprocess.Popen(
                command,
                cwd=session.root,
                env=dict(environment.environ),
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
            )
    except OSError as error:
        raise ProjectInvalid(
            "the checks cannot be run",
            at=str(environment.interpreter),
            because=(error.strerror or "").lower(),
        ) from error
    with Path(session.outcomes).open("rb") as lines, (folder / "printed").open("rb") as output:
        try:
            _listen(process, lines, output, conversation)
        except BaseException:
            _stop(process)
            raise
    return process.returncode


def _listen(
    process: subprocess.Popen[bytes], lines: IO[bytes], output: IO[bytes], conversation: Conversation
) -> None:
    rest = b""
    running = True
    while running:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL_S)
            running = False
        if printed := output.read():
            conversation.print(printed)
        *whole, rest = (rest + lines.read()).split(b"\n")
        for line in whole:
            conversation.hear(line)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _scratch(layout: Layout, run: str) -> Iterator[Path]:
    """A folder for one session; those of sessions that were killed are removed first."""
    folders = layout.state / "checks"
    for old in folders.glob("*"):
        if is_run_id(old.name) and not is_being_written(layout.journals / f"{old.name}.main.journal"):
            shutil.rmtree(old, ignore_errors=True)
    folder = folders / run
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
