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
        ("/home/ada/work/vendor/site-packages/x.py", "environment"),
        ("/home/ada/work/.git/HEAD", "nobody"),
        ("/home/ada/work/.drystone/objects/ab", "nobody"),
        ("/home/ada/work/drystone.lock", "nobody"),
        ("/home/ada/work/src/__pycache__/a.cpython-311.pyc", "nobody"),
        ("/home/ada/work/.env", "project"),
        ("/usr/lib/libc.so.6", "environment"),
        ("/etc/localtime", "environment"),
        ("/opt/python/lib/python3.11/json/__init__.py", "environment"),
        ("/somewhere/lib/python3.11/site-packages/pandas/__init__.py", "environment"),
        ("/proc/self/status", "nobody"),
        ("/home", "nobody"),
        ("/home/ada", "nobody"),
        ("/opt", "nobody"),
        ("/home/ada/.cache/fonts", "nobody"),
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
