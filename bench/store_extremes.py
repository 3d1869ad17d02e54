"""A file of 5 GB and a folder of 200,000 files through the store; checking and collecting 50,000 objects.

Prints seconds and the most memory that the process had; `cp` for comparison.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORK = """
import os, resource, sys, time
from pathlib import Path
from drystone.objects.store import ObjectStore
from drystone.objects.intake import store_path
from drystone.objects.restore import restore
root, source, out = map(Path, sys.argv[1:])
store, begun = ObjectStore(root), time.perf_counter()
entry = store_path(store, source)
stored = time.perf_counter()
restore(store, entry, out)
restored = time.perf_counter()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
print(f"add {stored - begun:.1f} s, restore {restored - stored:.1f} s, {peak} MB at most")
"""
CARE = """
import resource, sys, time
from pathlib import Path
from drystone.objects.collect import carry_out, plan
from drystone.objects.inspection import inspect
from drystone.objects.reach import Reach
from drystone.objects.store import ObjectStore
from drystone.objects.trash import Trash
root = Path(sys.argv[1])
store = ObjectStore(root)
begun = time.perf_counter()
found = inspect(store)
assert not found.faults
checked = time.perf_counter()
keep = sorted(found.whole)[::2]
def reached():
    reach = Reach(store)
    for digest in keep:
        list(reach.follow("b3:" + digest.hex(), "", tree=False))
    return reach
todo = plan(store, reached(), 1 << 62)
planned = time.perf_counter()
moved = carry_out(store, todo, Trash(store).begin(1), 1 << 62, lambda: (reached(), frozenset()))
done = time.perf_counter()
assert sum(1 for _ in ObjectStore(root)) == len(keep)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
seconds = f"check {checked - begun:.1f} s, plan {planned - checked:.1f} s, write anew {done - planned:.1f} s"
print(f"{seconds}, {peak} MB at most")
"""


def call(program: str, *words: Path) -> str:
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def copied(source: Path, target: Path) -> float:
    begun = time.perf_counter()
    subprocess.run(["cp", "-r", "--sparse=never", "--reflink=never", source, target], check=True)
    os.sync()
    return time.perf_counter() - begun


def main() -> None:
    size, files, objects = (5 << 30, 200_000, 50_000) if "--small" not in sys.argv else (1 << 28, 5000, 5000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (folder / "sparse").open("wb") as file:
            file.truncate(size)
        found = call(WORK, folder / "objects", folder / "sparse", folder / "out")
        print(f"sparse file of {size / 1e9:.1f} GB: {found}")
        (folder / "out").unlink()
        shutil.rmtree(folder / "objects")
        print(f"  cp and sync {copied(folder / 'sparse', folder / 'copy'):.1f} s")
        (folder / "copy").unlink()
        (folder / "many").mkdir()
        for number in range(files):
            (folder / "many" / f"{number:06}").write_bytes(b"%d" % number)
        print(f"folder of {files:,} files: {call(WORK, folder / 'objects', folder / 'many', folder / 'out')}")
        shutil.rmtree(folder / "objects")
        shutil.rmtree(folder / "out")
        print(f"  cp -r and sync {copied(folder / 'many', folder / 'copy'):.1f} s")
        shutil.rmtree(folder / "copy")
        shutil.rmtree(folder / "many")
        (folder / "many").mkdir()
        for number in range(objects):
            (folder / "many" / f"{number:06}").write_bytes(os.urandom(4096))
        call(WORK, folder / "objects", folder / "many", folder / "out")
        shutil.rmtree(folder / "out")
        print(f"{objects:,} objects of 4 KiB, half of them garbage: {call(CARE, folder / 'objects')}")


if __name__ == "__main__":
    main()
