"""The key by which a remote is known as ours, and which says in what format it is."""

from __future__ import annotations

import json
from itertools import islice

from drystone.core.errors import NotFound, ProjectInvalid, RemoteUnavailable
from drystone.objects.pack import INDEX_MAGIC, PACK_MAGIC
from drystone.objects.remote.bucket import Bucket

MARKER = "drystone.json"
_FORMAT = 1
_MARK = json.dumps({"format": _FORMAT}).encode() + b"\n"
_BEGIN = 40  # bytes of what stands there instead that are shown
_LOOKED_AT = 20  # packs or indexes, of which one must be ours


def look(bucket: Bucket) -> None:
    """Holds a remote to a format that is known here.

    Raises:
        NotFound: nothing was pushed there yet.
        ProjectInvalid: it is in another format.
        RemoteUnavailable: it cannot be reached or refuses, or its marker is damaged.
    """
    data = bucket.get(MARKER)
    if data is None:
        raise NotFound(
            f"nothing was pushed to remote `{bucket.name}` yet",
            at=bucket.url,
            hints=[f"push from where the data is with `drystone push {bucket.name}`"],
        )
    _check(bucket, data)


def begin(bucket: Bucket, *, mend: bool) -> tuple[bytes, bool]:
    """As `look`, but marks an empty remote; gives the marker, and whether a damaged one was replaced.

    Args:
        bucket: of the remote.
        mend: write a damaged marker anew, if the remote is seen to be ours by what else is there.

    Raises:
        ProjectInvalid: it is in another format.
        RemoteUnavailable: it cannot be reached or refuses, or its marker is damaged and stays so.
    """
    data = bucket.get(MARKER)
    if data is None:
        bucket.create(MARKER, _MARK)
        data = bucket.get(MARKER) or b""  # another may have been first
    damaged = _format(data) is None
    if mend and damaged:
        _make_sure(bucket)
        bucket.put(MARKER, _MARK)
        data = bucket.get(MARKER) or b""
    _check(bucket, data)
    return data, damaged


def _format(data: bytes) -> int | None:
    try:
        found = json.loads(data)["format"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, int) else None


def _check(bucket: Bucket, data: bytes) -> None:
    found = _format(data)
    if found is None:
        raise RemoteUnavailable(
            f"the marker of remote `{bucket.name}` is damaged",
            at=_place(bucket),
            because=f"it is no JSON that names a format; it begins with {data[:_BEGIN]!a}",
            hints=[
                "if the address is right, write it anew from where the data is with "
                f"`drystone push {bucket.name} --repair`"
            ],
        )
    if found != _FORMAT:
        raise ProjectInvalid(
            f"remote `{bucket.name}` is in format {found!r}, known here is {_FORMAT}",
            at=_place(bucket),
            hints=[
                "update with `pip install --upgrade drystone`",
                "if no newer one ever wrote there, the file is damaged: remove it, and write it anew from "
                f"where the data is with `drystone push {bucket.name} --repair`",
            ],
        )


def _make_sure(bucket: Bucket) -> None:
    """A pack or an index must be there that begins like one."""
    for prefix, magic in (("packs/", PACK_MAGIC), ("indexes/", INDEX_MAGIC)):
        for item in islice(bucket.list(prefix), _LOOKED_AT):
            if bucket.get_range(item.key, 0, len(magic)) == magic:
                return
    raise RemoteUnavailable(
        f"the marker of remote `{bucket.name}` is damaged, and nothing of Drystone's is there besides",
        at=_place(bucket),
        hints=[f"correct its `url` in `drystone.toml`, or remove the file and `drystone push {bucket.name}`"],
    )


def _place(bucket: Bucket) -> str:
    return f"{bucket.url.rstrip('/')}/{MARKER}"
