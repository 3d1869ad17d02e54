"""DVC repositories made by hand, from the formats as DVC documents them, and what tests ask of them."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from drystone.core.clock import SystemClock
from drystone.core.layout import Layout
from drystone.interop.dvc.credentials import Credentials
from drystone.interop.dvc.exporting import Exported, export_dvc
from drystone.interop.dvc.history import History, import_history
from drystone.interop.dvc.importing import Imported, Source, import_dvc
from drystone.objects.entry import Entry
from drystone.objects.store import ObjectStore
from drystone.objects.tree import walk
from drystone.workspace.git import Git
from drystone.workspace.lockfile import Lock
from drystone.workspace.workspace import Workspace


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


class Repository:
    """A git repository that uses DVC; `.dvc` files and objects are written as DVC would."""

    def __init__(self, root: Path, *, folder: str = "") -> None:
        self.top = root
        self.root = root / folder
        self.root.mkdir(parents=True, exist_ok=True)
        if not (root / ".git").exists():
            self.git("init", "-q", "-b", "main")
        (self.root / ".dvc").mkdir()
        (self.root / ".dvc" / "config").touch()
        (self.root / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
        self.cache = self.root / ".dvc" / "cache"

    @classmethod
    def there(cls, root: Path) -> Self:
        """One that DVC made."""
        found = cls.__new__(cls)
        found.top = found.root = root
        found.cache = root / ".dvc" / "cache"
        return found

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], cwd=self.top, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, message: str = "data") -> str:
        self.git("add", "-A")
        self.git("commit", "-qm", message)
        return self.git("rev-parse", "HEAD")

    def configure(self, text: str) -> None:
        (self.root / ".dvc" / "config").write_text(text)

    def remote(self, name: str = "lab") -> Path:
        """A folder that is the default remote."""
        folder = self.top.parent / f"{self.top.name}-{name}"
        folder.mkdir()
        self.configure(f"[core]\n    remote = {name}\n['remote \"{name}\"']\n    url = {folder}\n")
        return folder

    def put(self, data: bytes, *, where: Path | None = None, name: str = "", legacy: bool = False) -> str:
        """An object in the cache, or in another folder; gives its MD5."""
        digits = name or md5(data)
        place = (where or self.cache) / ("" if legacy else "files/md5") / digits[:2] / digits[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        return digits

    def put_list(self, files: Mapping[str, str], *, where: Path | None = None, legacy: bool = False) -> str:
        items = [{"md5": digits, "relpath": path} for path, digits in sorted(files.items())]
        data = json.dumps(items, sort_keys=True).encode()
        return self.put(data, where=where, name=f"{md5(data)}.dir", legacy=legacy)

    def track(self, path: str, data: bytes, *, cached: bool = True, extra: str = "") -> str:
        """A file with its `.dvc` file and its object."""
        digits = self.put(data) if cached else md5(data)
        self.describe(path, digits, extra=extra)
        return digits

    def track_folder(self, path: str, files: Mapping[str, bytes]) -> str:
        digits = self.put_list({name: self.put(data) for name, data in files.items()})
        self.describe(path, digits)
        return digits

    def describe(self, path: str, digits: str, *, extra: str = "", hash_line: bool = True) -> None:
        place = self.root / f"{path}.dvc"
        place.parent.mkdir(parents=True, exist_ok=True)
        name = path.rpartition("/")[2]
        kind = "  hash: md5\n" if hash_line else ""
        place.write_text(f"outs:\n- md5: {digits}\n{kind}{extra}  path: {name}\n")

    def workspace(self) -> Workspace:
        layout = Layout(self.top.resolve())
        return _open(layout)

    def source(self, remote: str | None = None, **environ: str) -> Source:
        return Source(self.root.resolve(), (), Credentials(environ, None), remote)

    def take(self, *, remote: str | None = None, dry_run: bool = False, **environ: str) -> Imported:
        """Imports it."""
        return import_dvc(self.workspace(), self.source(remote, **environ), dry_run=dry_run)

    def take_history(self, **environ: str) -> History:
        return import_history(self.workspace(), self.source(None, **environ))

    def lock(self) -> Lock:
        return Lock.read(self.top / "drystone.lock")

    def content(self, path: str) -> bytes | dict[str, bytes]:
        """What our store has for a tracked path."""
        store = self.workspace().store
        entry = self.lock().paths[path].entry(path)
        if entry.kind == "file":
            return store.read(entry.object)
        return {name: store.read(file.object) for name, file in walk(store, entry)}


def exported(root: Path, target: Path, **options: object) -> Exported:
    return export_dvc(_open(Layout(root.resolve())), target, **options)  # type: ignore[arg-type]


def entries(store: ObjectStore, entry: Entry) -> dict[str, Entry]:
    return dict(walk(store, entry))


def _open(layout: Layout) -> Workspace:
    with Workspace.open(layout, Git(layout.root), ObjectStore(layout.objects), SystemClock()) as workspace:
        return workspace
