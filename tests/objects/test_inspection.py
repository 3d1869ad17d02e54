"""Each file of a store damaged in each way: never a wrong byte; found, named, mended where possible."""

from __future__ import annotations

import os
import random
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from drystone.core.errors import Corrupt, NotFound
from drystone.objects.hashing import SMALL, hash_bytes
from drystone.objects.inspection import inspect
from drystone.objects.intake import store_path
from drystone.objects.repair import repair
from drystone.objects.restore import restore
from drystone.objects.store import ObjectStore

SMALL_ONES = [b"stone %d\n" % number * (number + 1) for number in range(40)]
ALONE = b"a file of its own"
LARGE = random.Random(1).randbytes(SMALL + 7)
CONTENTS = {hash_bytes(data): data for data in [*SMALL_ONES, ALONE, LARGE]}


def build(root: Path) -> ObjectStore:
    store = ObjectStore(root)
    for half in (SMALL_ONES[:20], SMALL_ONES[20:]):
        with store.batch() as batch:
            for data in half:
                batch.put(data)
    store.put_bytes(ALONE)
    store.put_bytes(LARGE)
    return ObjectStore(root)


def stored_files(root: Path) -> list[str]:
    return sorted(
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and path.parent.name not in ("writers", "incoming") and path.name != "guard"
    )


def hurt(path: Path, how: str, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    if how == "removed":
        path.unlink()
        return
    if how == "emptied":
        data.clear()
    elif how == "truncated":
        del data[rng.randrange(len(data)) :]
    elif how == "longer":
        data += b"!"
    else:
        at = {"first": 0, "last": len(data) - 1}.get(how, rng.randrange(len(data)))
        data[at] ^= 1 << rng.randrange(8)
    path.chmod(0o644)
    path.write_bytes(data)


WAYS = ["removed", "emptied", "truncated", "longer", "first", "last", *["flip"] * 4]


def test_every_file_damaged_in_every_way_is_found_named_and_mended(tmp_path: Path) -> None:
    rng = random.Random(7)
    build(tmp_path / "whole" / "objects")
    assert inspect(ObjectStore(tmp_path / "whole" / "objects")).faults == []
    files = stored_files(tmp_path / "whole" / "objects")
    assert len(files) == 6
    for number, (file, how) in enumerate((file, how) for file in files for how in WAYS):
        place = tmp_path / str(number) / "objects"
        shutil.copytree(tmp_path / "whole" / "objects", place)
        hurt(place / file, how, rng)
        store = ObjectStore(place)
        found = inspect(store)
        lost = {name for name in CONTENTS if bytes.fromhex(name[3:]) not in found.whole}
        if how != "removed" or "packs/" in file:
            stems = {Path(fault.file).stem for fault in found.faults}
            assert Path(file).stem in stems, (file, how)
        else:
            assert found.faults == []
            assert len(lost) == 1
        reported = {name for fault in found.faults for name in fault.objects}
        whole = {"b3:" + digest.hex() for digest in found.whole}
        assert whole <= CONTENTS.keys()
        assert not reported & whole
        for reader in (ObjectStore(place), store):
            for name, data in CONTENTS.items():
                try:
                    assert reader.read(name) == data
                except (Corrupt, NotFound):
                    assert name in lost, (file, how)
        with suppress(FileNotFoundError):
            hurt_again = place / Path(file).with_suffix(".damaged")
            if hurt_again.is_file():  # the note of the damage, damaged
                hurt(hurt_again, "flip", rng)
        repair(store, inspect(store).faults)
        again = inspect(ObjectStore(place))
        assert again.faults == [], (file, how)
        assert again.whole >= found.whole
        for name, data in CONTENTS.items():
            store.put_bytes(data)
            assert store.read(name) == data
        assert not inspect(ObjectStore(place)).faults
        shutil.rmtree(tmp_path / str(number))


def test_of_a_damaged_pack_what_is_good_is_saved(tmp_path: Path) -> None:
    store = build(tmp_path / "objects")
    pack = sorted((store.root / "packs").glob("*.pack"))[0]
    hurt(pack, "last", random.Random(1))
    done = repair(store, inspect(store).faults)
    assert any("19 objects of it saved" in line for line in done)
    lost = [name for name in CONTENTS if not ObjectStore(store.root).has(name)]
    assert len(lost) == 1
    assert any(path.name.startswith(pack.name) for path in store.quarantine.folder.iterdir())


def test_a_pack_whose_header_is_damaged_is_saved_by_its_index(tmp_path: Path) -> None:
    store = build(tmp_path / "objects")
    pack = sorted((store.root / "packs").glob("*.pack"))[0]
    data = bytearray(pack.read_bytes())
    data[0] ^= 1  # nothing can be read along the headers any more
    pack.chmod(0o644)
    pack.write_bytes(data)
    repair(store, inspect(store).faults)
    assert [name for name in CONTENTS if not ObjectStore(store.root).has(name)] == []


def test_a_forged_index_of_a_whole_pack_is_made_anew(tmp_path: Path) -> None:
    from drystone.objects.pack import encode_index
    from drystone.objects.packs import Pack

    store = build(tmp_path / "objects")
    pack = Pack(sorted((store.root / "packs").glob("*.pack"))[0])
    index = pack.path.with_suffix(".index")
    index.chmod(0o644)
    shifted = [(digest, place._replace(offset=place.offset + 1)) for digest, place in pack.index.items()]
    index.write_bytes(encode_index(bytes.fromhex(pack.path.stem), shifted))
    (fault,) = inspect(ObjectStore(store.root)).faults
    assert (fault.why, len(fault.objects)) == ("it does not fit its pack", 20)
    repair(store, [fault])
    assert inspect(ObjectStore(store.root)).faults == []
    assert ObjectStore(store.root).read(hash_bytes(SMALL_ONES[0])) == SMALL_ONES[0]


def test_strays_are_named_and_put_aside(tmp_path: Path) -> None:
    store = build(tmp_path / "objects")
    (store.root / "00").mkdir(exist_ok=True)
    (store.root / "00" / "not a name").write_text("stray")
    (store.root / "packs" / "stray.pack").write_text("stray")
    faults = inspect(store).faults
    assert {fault.file for fault in faults} == {"00/not a name", "packs/stray.pack"}
    repair(store, faults)
    assert inspect(ObjectStore(store.root)).faults == []
    assert len(list(store.quarantine.folder.iterdir())) == 2


def test_doubt_ends_only_with_the_doubt_that_was_checked(tmp_path: Path) -> None:
    store = build(tmp_path / "objects")
    assert store.quarantine.doubt() is None
    store.quarantine.raise_doubt()
    doubt = store.quarantine.doubt()
    store.quarantine.raise_doubt()
    store.quarantine.settle(doubt)
    assert store.quarantine.doubt() is not None
    store.quarantine.settle(store.quarantine.doubt())
    assert store.quarantine.doubt() is None


@pytest.mark.parametrize("how", ["flip", "removed"])
def test_adding_again_heals_a_folder_that_did_not_change(tmp_path: Path, how: str) -> None:
    """Though the list of the folder is here and the files look as they did."""
    from drystone.workspace.statindex import StatIndex

    folder, store = tmp_path / "data", ObjectStore(tmp_path / "objects")
    folder.mkdir()
    for number, data in enumerate(SMALL_ONES):
        (folder / str(number)).write_bytes(data)
        os.utime(folder / str(number), (1, 1))
    with StatIndex(tmp_path / "stat.sqlite") as known:
        entry = store_path(store, folder, known=known)
        store.file(entry.object)
        pack = next((store.root / "packs").glob("*.pack"))
        hurt(pack, how, random.Random(3))
        repair(store, inspect(store).faults)
        assert store_path(store, folder, known=known) == entry
        restore(store, entry, tmp_path / "out")
    assert [(tmp_path / "out" / str(number)).read_bytes() for number in range(40)] == SMALL_ONES
