"""`--dry-run`: every verb that changes something says what it would do, and changes nothing at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.saying import Said  # type: ignore[import-not-found]
from tests.saying import said as say

from drystone.cli import parse, verbs

#: Verbs whose answer is all that there is to do, so that there is nothing to say beforehand.
READING = {"status", "log", "ls", "show", "diff", "why", "server", "completion"}
#: What they keep is the record of their answer, which is not known before it was found.
RECORDING = {"test", "monitor", "serve"}
TEXT = "stone upon stone\n" * 20


def test_every_verb_that_changes_something_can_say_so_before() -> None:
    able = {name for name in verbs.VERBS if "--dry-run" in parse.verb_parser(name)._option_string_actions}
    assert set(verbs.VERBS) - able == READING | RECORDING


def seen(root: Path) -> dict[str, tuple[object, ...]]:
    """Every file and folder below: kind, bits, times, inode and content."""
    found: dict[str, tuple[object, ...]] = {}
    for folder, folders, files in os.walk(root):
        for name in (".", *folders, *files):
            place = Path(folder, name)
            status = place.lstat()
            content = hashlib.blake2b(place.read_bytes()).hexdigest() if name in files else ""
            found[str(place)] = (
                status.st_mode,
                status.st_ino,
                status.st_size,
                status.st_mtime_ns,
                status.st_ctime_ns,
                content,
            )
    return found


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`ada` tracks a folder and a file, and has pushed; `bob` is a clone of her project."""
    top = tmp_path_factory.mktemp("template")
    ada = top / "ada"
    (ada / "data" / "below").mkdir(parents=True)
    (ada / "data" / "below" / "small").write_text(TEXT)
    (ada / "data" / "large").write_bytes(bytes(range(256)) * 6000)
    (ada / "model").write_text("model\n")
    subprocess.run(["git", "init", "-q", "-b", "main", ada], check=True)
    assert say(ada, "add", "data", "model").code == 0
    assert say(ada, "remote", "add", "lab", "../lab").code == 0
    assert say(ada, "push").code == 0
    git(ada, "add", "-A")
    git(ada, "commit", "-qm", "data")
    subprocess.run(["git", "clone", "-q", ada, top / "bob"], check=True)
    return top


def git(root: Path, *words: str) -> None:
    subprocess.run(["git", "-c", "user.name=Ada", "-c", "user.email=a@b.c", *words], cwd=root, check=True)


@pytest.fixture
def world(tmp_path: Path, template: Path) -> Path:
    shutil.copytree(template, tmp_path, dirs_exist_ok=True, symlinks=True)
    return tmp_path


def told(world: Path, who: str, *words: str) -> Said:
    """What a verb says with `--dry-run`, also as a document; all is as it was then."""
    before = seen(world)
    plain = say(world / who, *words, "--dry-run")
    changed = {path: found for path, found in seen(world).items() if before.get(path) != found}
    assert (changed, seen(world).keys() - before.keys()) == ({}, set())
    document = say(world / who, *words, "--dry-run", "--json")
    assert document.code == plain.code
    if plain.code == 0:
        said = json.loads(document.out)
        assert said["dry_run"] if "dry_run" in said else not said["done"]
    after = seen(world)
    assert after == before
    return plain


def did(world: Path, who: str, *words: str) -> Said:
    return say(world / who, *words)


def alike(would: Said, done: Said) -> bool:
    """Whether what was done is what would have been, in the same words."""
    changes = (("restored", "restore"), ("pulled", "pull"), ("written", "write"), ("added", "add"))
    changes += (("removed", "remove"), ("installed", "install"), ("repaired", "repair"))
    text = would.out
    for past, present in changes:
        text = text.replace(f"would {present}", past)
    return text == done.out


def test_pull_says_what_would_come_and_be_restored(world: Path) -> None:
    would = told(world, "bob", "pull")
    assert would.code == 0, would.err
    assert would.out.endswith("would restore  data\nwould restore  model\n")
    assert "nothing was done" in would.err
    assert alike(would, did(world, "bob", "pull"))
    again = told(world, "bob", "pull")
    assert again.out == "would pull from lab  0 objects  0 bytes  0 journals\n"


def test_pull_says_what_would_be_missing_and_in_the_way(world: Path) -> None:
    (world / "bob" / "model").write_text("of his own\n")
    would = told(world, "bob", "pull")
    assert (would.code, "only the work tree holds" in would.err) == (5, True)
    assert did(world, "bob", "pull").code == 5
    for pack in (world / "lab" / "packs").rglob("*.pack"):
        index = world / "lab" / "indexes" / f"{pack.stem}.index"
        index.unlink()
    shutil.rmtree(world / "bob" / ".drystone")
    would = told(world, "bob", "pull")
    assert (would.code, would.err) == (6, did(world, "bob", "pull").err)


def test_get_says_what_it_would_write(world: Path) -> None:
    for words in (["model"], ["data/below/small", "-o", "x"], ["data", "-o", "new/"]):
        would = told(world, "bob", "get", *words)
        assert would.code == 0, would.err
        assert would.out.startswith("would write  ")
        assert alike(would, did(world, "bob", "get", *words))
    assert told(world, "bob", "get", "model").out.startswith("unchanged")


def test_get_says_what_it_would_replace(world: Path) -> None:
    (world / "bob" / "model").write_text("of his own\n")
    assert told(world, "bob", "get", "model").code == 5
    would = told(world, "bob", "get", "model", "--force")
    assert "would store what was in `model` as" in would.err
    assert told(world, "bob", "get", "data/below/small", "-o", "model").code == 5
    would = told(world, "bob", "get", "data/below/small", "-o", "model", "--force")
    assert "would store what was in `model` as" in would.err
    shutil.rmtree(world / "lab" / "packs")
    shutil.rmtree(world / "lab" / "indexes")
    words = ("get", "data/large", "-o", "x")
    assert told(world, "bob", *words).code == did(world, "bob", *words).code != 0


def test_remotes_would_be_added_and_removed(world: Path) -> None:
    would = told(world, "ada", "remote", "add", "other", "/mnt/other")
    assert would.out == "would add  other  /mnt/other\n"
    assert told(world, "ada", "remote", "add", "lab", "/mnt/other").code == 5
    assert alike(would, did(world, "ada", "remote", "add", "other", "/mnt/other"))
    would = told(world, "ada", "remote", "remove", "lab")
    assert alike(would, did(world, "ada", "remote", "remove", "lab"))


def test_a_path_would_be_untracked(world: Path) -> None:
    would = told(world, "ada", "untrack", "model", "data")
    assert would.out.startswith("would untrack  data   b3:")
    done = did(world, "ada", "untrack", "model", "data")
    assert would.out.replace("would untrack", "untracked") == done.out
    assert "git sees `data`, `model` from now on" in done.err
    assert told(world, "ada", "untrack", "model").code == 4


def test_the_merge_driver_and_hooks_would_be_installed_and_removed(world: Path) -> None:
    words = ("init", "--merge-driver", "--hooks")
    would = told(world, "ada", *words)
    assert would.err.startswith("would install the merge driver, the hook `post-checkout`")
    done = did(world, "ada", *words)
    assert done.err.splitlines()[0] == would.err.splitlines()[0].replace("would install", "installed")
    would = told(world, "ada", "init", "--remove")
    done = did(world, "ada", "init", "--remove")
    assert done.err.splitlines()[0] == would.err.splitlines()[0].replace("would remove", "removed")


def damage(store: Path) -> None:
    """Flip a bit in every file that holds objects, and take one away."""
    for path in [*store.glob("packs/*.pack"), *store.glob("[0-9a-f][0-9a-f]/*")]:
        path.chmod(0o644)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)


def test_fsck_says_what_it_would_repair(world: Path) -> None:
    store = world / "ada" / ".drystone" / "objects"
    damage(store)
    (world / "ada" / "model").unlink()  # only the remote has it then
    would = told(world, "ada", "fsck", "--repair")
    assert would.code == 1
    lines = [line for line in would.out.splitlines() if line.startswith("would repair")]
    done = did(world, "ada", "fsck", "--repair")
    assert done.code == 0, done.out
    assert any("the work tree" in line for line in lines)
    assert any("remote `lab`" in line for line in lines)
    for line in lines:
        if line.endswith("moved to quarantine"):
            name = line.split()[2].removesuffix(":").replace("/", "")
            assert list((store.parent / "quarantine").glob(f"{name}*"))


def test_the_others_change_nothing_either(world: Path) -> None:
    ada = world / "ada"
    (ada / "model").write_text("another\n")
    (ada / "new").write_text("new\n")
    (ada / "steps").mkdir()
    (ada / "steps" / "make.sh").write_text("cp model copy\n")
    lines = [("add", "new", "model"), ("checkout", "--force"), ("push",), ("undo",), ("gc",), ("gc", "--yes")]
    lines += [("gc", "--older-than", "0s", "--yes"), ("gc", "--restore"), ("export", "dvc", "../for-dvc")]
    lines += [("run",), ("doctor", "--rebuild")]
    for words in lines:
        would = told(world, "ada", *words)
        assert would.code == 0, (words, would.err)
