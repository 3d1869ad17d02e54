"""What every verb is given: the project here, and the only ways to say something to the user."""

from __future__ import annotations

import math
import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from drystone.core.errors import DrystoneError, UsageError

if TYPE_CHECKING:
    from drystone.project import Project, Settings

_STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "cyan": "36"}


class Context:
    """One invocation: where, with which settings, and where the words go.

    Data goes to standard output, everything else to standard error. Meaning is never in colour
    alone, and colour is off unless standard output is a terminal that can show it.

    Attributes:
        dry_run: whether the verb only tells what it would do; `project` then opens one that writes nothing.
    """

    def __init__(
        self, *, cwd: Path, environ: dict[str, str], stdout: IO[str], stderr: IO[str], json: bool = False
    ) -> None:
        self.cwd = cwd
        self.environ = environ
        self.json_mode = json
        self._stdout = stdout
        self._stderr = stderr
        self.dry_run = False
        self._project: Project | None = None
        plain = bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"
        self._coloured = stdout.isatty() and not plain and not json

    @classmethod
    def of_process(cls, *, json: bool) -> Context:
        """The context of this process; the one place that reads its environment and folder."""
        return cls(cwd=Path.cwd(), environ=dict(os.environ), stdout=sys.stdout, stderr=sys.stderr, json=json)

    def move(self, folder: str) -> None:
        """Act as if called in another folder (`-C`)."""
        path = (self.cwd / folder).absolute()
        if not path.is_dir():
            raise UsageError(f"no such folder: `{folder}`")
        self.cwd = path

    def project(self) -> Project:
        """The project around the current folder, opened once.

        Raises:
            NotARepository: there is no git repository here or above.
        """
        if self._project is None:
            from drystone.project import Project

            self._project = Project.discover(self.cwd, self.settings())
            if self._project.ledger_note:
                self.note(f"note: {self._project.ledger_note}")
        return self._project

    def settings(self) -> Settings:
        """What the project is told of this process."""
        from drystone.project import Settings

        return Settings.of(self.environ, dry_run=self.dry_run)

    def close(self) -> None:
        """Let go of what the project holds."""
        if self._project is not None:
            self._project.close()

    # -- speaking --------------------------------------------------------------------------------

    @property
    def interactive(self) -> bool:
        """Whether a person sees standard error as it appears."""
        return self._stderr.isatty() and self.environ.get("TERM") != "dumb"

    def out(self, text: str = "") -> None:
        """Print data."""
        self._stdout.write(text + "\n")

    def raw(self, data: bytes) -> None:
        """Print bytes as they are, such as a tracked command's output, at once."""
        _write(self._stdout, data)

    def raw_error(self, data: bytes) -> None:
        """As `raw`, to standard error."""
        _write(self._stderr, data)

    def flush(self) -> None:
        """Let what was printed be seen now, also through a pipe."""
        self._stdout.flush()

    def note(self, text: str) -> None:
        """Say something that is not data."""
        self._stdout.flush()
        self._stderr.write(text + "\n")
        self._stderr.flush()

    def json(self, value: Any) -> None:
        """Print one JSON document. Structs and NamedTuples, sets and paths are taken as they are.

        What JSON has no number for is the text `NaN`, `Infinity` or `-Infinity`.
        """
        import msgspec

        self._stdout.write(msgspec.json.format(msgspec.json.encode(_plain(value)), indent=2).decode() + "\n")

    def words(self, done: str, would: str) -> str:
        """What the verb did, as in `removed`; under `--dry-run` what it would do, as in `would remove`."""
        return f"would {would}" if self.dry_run else done

    def untouched(self) -> None:
        """Under `--dry-run` say that nothing was done."""
        if self.dry_run and not self.json_mode:
            self.note("nothing was done (--dry-run)")

    def answer(self, document: Any, note: str) -> None:
        """Say what was done where there is no more to say: a document with --json, else in words."""
        if self.json_mode:
            self.json(document)
        else:
            self.note(note)

    def style(self, text: str, *styles: str) -> str:
        """`text` in bold, dim, red, green, yellow, blue or cyan where that can be seen."""
        if not self._coloured or not styles:
            return text
        return f"\x1b[{';'.join(_STYLES[style] for style in styles)}m{text}\x1b[0m"

    @staticmethod
    def harmless(text: str) -> str:
        """Foreign text without what could steer a terminal: control characters are shown as escapes."""
        return "".join(sign if sign.isprintable() or sign == "\t" else ascii(sign)[1:-1] for sign in text)

    def table(self, rows: Iterable[Sequence[str]], head: Sequence[str] = (), indent: str = "") -> None:
        """Print aligned columns; numbers stand to the right."""
        lines = [[self.harmless(str(cell)) for cell in row] for row in rows]
        if not lines:
            return
        columns = list(zip(*([list(head)] if head else []), *lines, strict=True))
        widths = [max(map(len, column)) for column in columns]
        right = [all(_numeric(line[i]) for line in lines) for i in range(len(widths))]
        if head:
            self.out(self.style(_aligned(head, widths, right, indent), "dim"))
        for line in lines:
            self.out(_aligned(line, widths, right, indent))

    def error(self, error: DrystoneError) -> None:
        """Render an error; with --json as a document on standard output."""
        if self.json_mode:
            self.json({"error": error.as_dict()})
            return
        lines = [f"{self._mark('error:', 'red')} {error.message}"]
        lines += [f"  {detail}" for detail in error.details]
        lines += [f"  at {place}" for place in error.at]
        lines += [f"  because {reason}" for reason in error.because]
        if error.hints:
            lines += ["", *(f"{self._mark('hint:', 'cyan')} {hint}" for hint in error.hints)]
        self.note("\n".join(lines))

    def interrupted(self) -> None:
        """Say that the user stopped us."""
        if self.json_mode:
            self.json({"error": {"code": "interrupted", "message": "interrupted", "hints": [], "exit": 130}})
        else:
            self.note("interrupted")

    def bug(self) -> None:
        """Render an error that should not exist: one line, and a file that tells the rest."""
        kind, value, _ = sys.exc_info()
        name = kind.__name__ if kind else "error"
        error = DrystoneError(
            f"this is a bug in drystone: {name}: {value}", at=self._keep(traceback.format_exc())
        )
        if self.json_mode:
            self.json({"error": {**error.as_dict(), "code": "bug", "exit": 70}})
        else:
            self.error(error)

    def _keep(self, story: str) -> list[str]:
        """Write the story of a bug where that is possible; where it is, for the user."""
        import tempfile

        own = [self._project.layout.state] if self._project else []
        for folder in (*own, Path(tempfile.gettempdir())):
            try:
                with tempfile.NamedTemporaryFile(
                    "w", dir=folder, prefix="drystone-bug-", suffix=".log", delete=False, errors="replace"
                ) as log:
                    log.write(story)
                return [log.name]
            except OSError:
                continue
        return []

    def _mark(self, word: str, colour: str) -> str:
        seen = self._stderr.isatty() and not self.environ.get("NO_COLOR")
        return f"\x1b[1;{_STYLES[colour]}m{word}\x1b[0m" if seen else word


def _write(stream: IO[str], data: bytes) -> None:
    stream.flush()
    stream.buffer.write(data)  # type: ignore[attr-defined]  # text streams of a process have one
    stream.flush()


def _aligned(cells: Sequence[str], widths: list[int], right: list[bool], indent: str) -> str:
    padded = [
        cell.rjust(width) if end else cell.ljust(width)
        for cell, width, end in zip(cells, widths, right, strict=True)
    ]
    return indent + "  ".join(padded).rstrip()


def _numeric(text: str) -> bool:
    return not text or (text[:1] in "+-0123456789" and not text.strip("+-0123456789.,eE%s "))


def _plain(value: Any) -> Any:
    """The value with NamedTuples as objects, so that keys, not positions, are the contract."""
    import msgspec

    if isinstance(value, msgspec.Struct):
        return {
            **({"fact": value.__struct_config__.tag} if value.__struct_config__.tag else {}),
            **{name: _plain(getattr(value, name)) for name in value.__struct_fields__},
        }
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {key: _plain(item) for key, item in value._asdict().items()}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
