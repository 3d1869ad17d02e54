"""One at a time on a remote, though all that its bucket promises is to list what it holds.

Whoever wants the lease writes a key of its own below `lease/NAME/` and then looks who else has one. Of two
that come together at least one sees the other, and who sees another that lives withdraws: so never two
hold it, also where conditional puts are ignored. A key lives as long as the store's own clock says that
it was written less than `LIFE` ago; no other clock counts. Its holder writes it anew in time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from drystone.core.errors import Conflict
from drystone.objects.remote.bucket import Bucket

LIFE = timedelta(minutes=15)


@contextmanager
def lease(bucket: Bucket, name: str, who: str) -> Iterator[Callable[[], None]]:
    """Holds the lease of a remote; gives what is to be called before each step that needs it.

    Args:
        bucket: the remote.
        name: what is held.
        who: the holder, for people.

    Raises:
        Conflict: another one holds it; or, of what is given, it was lost.
        RemoteUnavailable: the remote cannot be reached or refuses.
    """
    own = f"lease/{name}/{os.urandom(12).hex()}"
    bucket.put(own, who.encode())
    try:
        _alone(bucket, name, own)

        def still() -> None:
            found = bucket.look(own)
            if found is None:
                raise Conflict(f"another took over `{name}` on remote `{bucket.name}`")
            bucket.put(own, who.encode())
            _alone(bucket, name, own)

        yield still
    finally:
        bucket.delete([own])


def _alone(bucket: Bucket, name: str, own: str) -> None:
    """Raise if another holds it; remove what the dead have left."""
    found = {item.key: item.modified for item in bucket.list(f"lease/{name}/")}
    now = found.get(own)
    if now is None:
        raise Conflict(f"another took over `{name}` on remote `{bucket.name}`")
    for key, modified in found.items():
        if key == own:
            continue
        if now - modified > LIFE:
            bucket.delete([key])
            continue
        holder = (bucket.get(key) or b"somebody").decode(errors="replace")
        raise Conflict(
            f"`{name}` is being done on remote `{bucket.name}` already",
            because=f"by {holder}",
            hints=[f"wait until it is done; what was killed is forgotten after {LIFE.seconds // 60} minutes"],
        )
