"""From `sys.argv` to an exit code: finds the verb, runs it, renders what went wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

EXIT_BUG = 70
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words in (["--version"], ["-V"]):  # before anything is imported: this is the start-up budget
        from drystone.core.version import __version__

        sys.stdout.write(f"drystone {__version__}\n")
        return 0
    import sqlite3

    from drystone.cli import outside, parse
    from drystone.cli.context import Context
    from drystone.core.errors import DrystoneError

    context = Context.of_process(json="--json" in _own_words(words))
    try:
        return parse.dispatch(words, context)
    except DrystoneError as error:
        context.error(error)
        return error.exit
    except KeyboardInterrupt:
        context.interrupted()
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone, e.g. `drystone log | head`: nothing more to say to them.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ModuleNotFoundError, OSError, sqlite3.OperationalError) as error:
        explained = outside.explain(error)
        if explained is None:
            context.bug()
            return EXIT_BUG
        context.error(explained)
        return explained.exit
    except Exception:  # noqa: BLE001  the process boundary: a bug becomes one line and a file
        context.bug()
        return EXIT_BUG
    finally:
        context.close()


def _own_words(words: list[str]) -> list[str]:
    """The words that are ours: those before `--`."""
    return words[: words.index("--")] if "--" in words else words
