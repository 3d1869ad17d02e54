"""Whose a path is decides whether it is an input, part of the environment, or nobody's business."""

from __future__ import annotations

from pathlib import Path

import pytest

from drystone.pipeline.territory import Territory

ROOT = Path("/home/ada/work")


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("/home/ada/work/data/x.csv", "project"),
        ("/home/ada/work", "project"),
        ("/home/ada/work/.venv/bin/python", "environment"),
        ("/home/ada/work/vendor/site-packages/x.py", "project"),
        ("/home/ada/work/.git", "repository"),
        ("/home/ada/work/.git/HEAD", "repository"),
        ("/home/ada/work/.git/objects/ab/cd", "nobody"),
        ("/home/ada/work/.git/index.lock", "nobody"),
        ("/home/ada/work/.drystone/objects/ab", "nobody"),
        ("/home/ada/work/drystone.lock", "nobody"),
        ("/home/ada/work/src/__pycache__/a.cpython-311.pyc", "nobody"),
        ("/home/ada/work/.env", "project"),
        ("/usr/lib/libc.so.6", "environment"),
        ("/usr/local/lib/libours.so", "outside"),
        ("/usr/local", "nobody"),
        ("/etc/localtime", "outside"),
        ("/etc/passwd", "nobody"),
        ("/etc/ld.so.cache", "nobody"),
        ("/var/lib/data/x.csv", "outside"),
        ("/var/cache/fontconfig/x", "nobody"),
        ("/dev/null", "nobody"),
        ("/dev/shm/x", "outside"),
        ("/run/secrets/key", "outside"),
        ("/run/systemd/resolve/x", "nobody"),
        ("/opt/python/lib/python3.11/json/__init__.py", "environment"),
        ("/somewhere/lib/python3.11/site-packages/pandas/__init__.py", "outside"),
        ("/usr/lib/python3/dist-packages/apt/__init__.py", "environment"),
        ("/proc/self/status", "nobody"),
        ("/home", "nobody"),
        ("/home/ada", "nobody"),
        ("/opt", "nobody"),
        ("/home/ada/.cache/fonts", "nobody"),
        ("/home/ada/.gitconfig", "nobody"),
        ("/home/ada/.datasets/x.csv", "settings"),
        ("/home/ada/main/.git/refs/heads/main", "repository"),
        ("/home/ada/other/x.csv", "outside"),
        ("/data/x.csv", "outside"),
        ("/home/ada/work2/x.csv", "outside"),
        ("/usrlocal/x.csv", "outside"),
    ],
)
def test_owner(path, owner) -> None:
    assert Territory(ROOT, [Path("/opt/python")]).owner(Path(path)) == owner


def test_an_interpreter_above_the_project_does_not_own_what_lies_beside_it() -> None:
    territory = Territory(ROOT, [Path("/home/ada")])
    assert territory.owner(Path("/home/ada/other/x.csv")) == "outside"


def test_only_the_interpreter_of_a_prefix_that_holds_other_things_is_the_environment() -> None:
    own = [Path("/usr/local/lib/python3.11"), "/usr/local/bin/python", "/usr/local/lib/libpython"]
    territory = Territory(ROOT, own)
    for name in ("lib/python3.11/json/__init__.py", "bin/python3.11", "lib/libpython3.11.so.1.0"):
        assert territory.owner(Path("/usr/local", name)) == "environment"
    for name in ("bin/tool", "lib/libours.so", "share/x"):
        assert territory.owner(Path("/usr/local", name)) == "outside"


def test_a_prefix_with_an_interpreter_is_an_environment_of_its_own(tmp_path: Path) -> None:
    module = tmp_path / "other/lib/python3.12/site-packages/x.py"
    assert Territory(ROOT, []).prefix(module) is None
    program = tmp_path / "other/bin/python3"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    assert Territory(ROOT, []).prefix(module) == tmp_path / "other"
    assert Territory(ROOT, []).owner(module) == "environment"
    assert Territory(ROOT, [tmp_path / "other"]).prefix(module) is None


def test_a_project_below_a_folder_of_the_system_is_still_a_project() -> None:
    assert Territory(Path("/usr/src/app"), []).owner(Path("/usr/src/app/x.csv")) == "project"


def test_names_are_relative_inside_and_absolute_outside_and_lead_back() -> None:
    territory = Territory(ROOT, [])
    for path, name in (("/home/ada/work/a/b", "a/b"), ("/home/ada/work", "."), ("/data/x", "/data/x")):
        assert territory.name(Path(path)) == name
        assert territory.path(name) == Path(path)


def test_bytecode_stands_for_its_source() -> None:
    source = Territory.source(Path("/a/__pycache__/helper.cpython-311.pyc"))
    assert source == Path("/a/helper.py")
    assert Territory.source(Path("/a/__pycache__/helper.cpython-311.opt-1.pyc")) == Path("/a/helper.py")
    assert Territory.source(Path("/a/helper.py")) is None
