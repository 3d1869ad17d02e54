"""Parts of keys from servers that give what a range asks for, but say that it is all there is.

rclone's S3 answers a range with 200 where 206 is meant, and obstore refuses that. So the range is asked
for in a header of which obstore does not know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import obstore
from obstore.store import S3Store

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore


def asked_plainly(client: ObjectStore, key: str, start: int, end: int) -> bytes | None:
    """The bytes of a key from `start` up to `end`, fewer where it ends before.

    None where this is not the way: the server gives more than it was asked for, or does not speak S3.

    Raises:
        BaseError, OSError: the server refuses, or there is no such key or nothing at `start`.
    """
    if not isinstance(client, S3Store):
        return None
    options = {**(client.client_options or {}), "default_headers": {"Range": f"bytes={start}-{end - 1}"}}
    asking = S3Store(
        prefix=client.prefix,
        config=client.config,
        client_options=cast("ClientConfig", options),
        retry_config=client.retry_config,
        credential_provider=client.credential_provider,
    )
    given = obstore.get(asking, key)
    return bytes(given.bytes()) if given.meta["size"] <= end - start else None
