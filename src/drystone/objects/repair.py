"""Makes a store whole as far as its own bytes allow; what is damaged goes to quarantine."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext, suppress
from pathlib import Path

from drystone.core.ids import OBJECT_PREFIX, is_object_id
from drystone.objects.hashing import hash_file
from drystone.objects.inspection import Fault, good_entries
from drystone.objects.packs import (
    DAMAGED_SUFFIX,
    FULL,
    INDEX_SUFFIX,
    PACK_SUFFIX,
    Pack,
    PackFile,
    publish,
    restored_index,
    write_index,
)
from drystone.objects.store import ObjectStore


def repair(store: ObjectStore, faults: Iterable[Fault]) -> list[str]:
    """Mends files; tells what was done, a line for each.

    An index is made anew from its pack. A damaged pack goes to quarantine after its good entries were
    stored in a new one, a damaged object at once.

    Args:
        store: where.
        faults: what an inspection found; looked at again before anything is done.

    Raises:
        WorkFailed, ProjectInvalid: the store cannot be written.

    Of a store that is only read it tells the same and does nothing.
    """
    done, faults = list[str](), list(faults)
    packs = {Path(fault.file).stem for fault in faults if fault.file.startswith("packs/")}
    with store.explaining(), nullcontext() if store.read_only else store.sharing.alone():
        if not store.read_only:
            store.loose.prepare()
        for fault in faults:
            done += _allow(store, store.root / fault.file, fault.file)
        for name in sorted(packs):
            line = _pack(store, store.packs.folder / f"{name}{PACK_SUFFIX}")
            done += [line] if line else []
        for fault in faults:
            if not fault.file.startswith("packs/"):
                done += _single(store, fault)
        store.packs.forget()
    return done


def _allow(store: ObjectStore, path: Path, file: str) -> list[str]:
    """Lets everybody read a file of ours again that nobody may."""
    try:
        path.open("rb").close()
    except PermissionError:
        with suppress(OSError):  # it is somebody else's
            if not store.read_only:
                path.chmod(0o444)
            return [f"{file}: may be read again"]
    except OSError:
        pass  # whoever mends it sees what is wrong
    return []


def _pack(store: ObjectStore, path: Path) -> str | None:
    index = path.with_suffix(INDEX_SUFFIX)
    if not path.exists():
        if index.exists():
            store.quarantine.move(index, index.name)
        return f"packs/{index.name}: moved to quarantine, its pack is lost"
    try:
        data = restored_index(path)
    except OSError:
        for file in (path, index):
            if file.exists():
                store.quarantine.move(file, file.name)
        return f"packs/{path.name}: moved to quarantine, it cannot be read"
    except ValueError:
        store.quarantine.move(path, path.name)
        return f"packs/{path.name}: moved to quarantine, its name is no hash"
    if _is_whole(path):
        if not store.read_only:
            if not index.exists() or index.read_bytes() != data:
                write_index(path, data, store.loose.incoming)
            path.with_suffix(DAMAGED_SUFFIX).unlink(missing_ok=True)
        return f"packs/{index.name}: made anew"
    return _save(store, path, data)


def _save(store: ObjectStore, path: Path, scanned: bytes) -> str:
    """Stores the good entries of a damaged pack anew; the pack goes to quarantine."""
    saved: set[bytes] = set()
    homes: list[Path] = []
    writer: PackFile | None = None
    store.quarantine.link(path)
    # Each place that the old index or the pack's own headers tell may hold something good.
    for pack in _readings(path, scanned):
        for digest, place, stored in good_entries(pack):
            if digest in saved:
                continue
            saved.add(digest)
            if store.read_only:
                continue
            if writer is not None and writer.size >= FULL:
                homes.append(publish(writer, store.packs.folder))
                writer = None
            writer = writer or PackFile(store.loose.incoming)
            writer.add(digest, place.size, stored, place.encoding)
    if writer is not None:
        homes.append(publish(writer, store.packs.folder))
    if path not in homes and not store.read_only:  # else all of it was saved, and it is again what it was
        path.with_suffix(INDEX_SUFFIX).unlink(missing_ok=True)
        path.with_suffix(DAMAGED_SUFFIX).unlink(missing_ok=True)
        path.unlink()
    return f"packs/{path.name}: moved to quarantine, {len(saved)} objects of it saved"


def _readings(path: Path, scanned: bytes) -> list[Pack]:
    readings = [Pack(path, scanned)]
    with suppress(OSError, ValueError):
        readings.append(Pack(path))
    return readings


def _is_whole(path: Path) -> bool:
    return hash_file(path)[0] == OBJECT_PREFIX + path.stem


def _single(store: ObjectStore, fault: Fault) -> list[str]:
    path = store.root / fault.file
    name = OBJECT_PREFIX + path.parent.name + path.name
    with suppress(FileNotFoundError, IsADirectoryError):
        if not is_object_id(name) or not _holds(path, name):
            store.quarantine.move(path, name)
            return [f"{fault.file}: moved to quarantine"]
    return []


def _holds(path: Path, name: str) -> bool:
    """Whether a file can be read and is the object of this name.

    Raises:
        FileNotFoundError, IsADirectoryError: it is no file.
    """
    try:
        return hash_file(path)[0] == name
    except (FileNotFoundError, IsADirectoryError):
        raise
    except OSError:
        return False
