"""How far something is, on a terminal, once it has taken a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import IO

_PATIENCE = 1.0
_EVERY = 0.1


def meter(stream: IO[str], what: str, *, shown: bool) -> Callable[[int, int], None]:
    """A function to be told how many of how many bytes are done; one line, gone in the end.

    Args:
        stream: where to, a terminal.
        what: what is being done, e.g. `checking`.
        shown: whether anybody sees it.
    """
    begun = time.monotonic()
    last = begun + _PATIENCE - _EVERY

    def tell(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if not shown or (now - last < _EVERY and done < total):
            return
        last, was = now, last
        if done >= total:
            stream.write("\r\x1b[K" if was >= begun + _PATIENCE else "")
        else:
            share = done / total
            bar = "=" * int(share * 30)
            stream.write(f"\r\x1b[K{what} [{bar:<30}] {share:4.0%} of {total / 1e9:.1f} GB")
        stream.flush()

    return tell
