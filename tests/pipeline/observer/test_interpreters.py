"""An observed Python is made fast without noticing, and without anything being missed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from drystone.pipeline.observer.interpreters import STARTUP, hastened
from drystone.pipeline.observer.record import Scope
from drystone.pipeline.observer.syscalls import IMPORTS, LISTING, UNSEEN

from .conftest import ENVIRONMENT, SYSTEM
from .seen import Run

TELL = (
    "import json, os, sys; print(json.dumps([dict(os.environ), sys.path, sorted(sys.path_importer_cache),"
    " sorted(sys.modules)]))"
)


@pytest.mark.parametrize("path", [None, "/nowhere:more"])
def test_the_program_finds_environment_and_path_as_they_were_given(
    workspace: Path, look: Run, path: str | None
) -> None:
    environment = ENVIRONMENT | ({} if path is None else {"PYTHONPATH": path})
    command = [sys.executable, "-c", TELL]
    plain = subprocess.run(command, env=environment, cwd=workspace, capture_output=True, check=True).stdout
    given, observed = json.loads(plain), json.loads(look(*command, env=environment).output)
    assert observed[:3] == given[:3]
    assert set(observed[3]) - set(given[3]) <= {"sitecustomize"}


def test_the_site_customization_of_the_user_still_runs(workspace: Path, look: Run) -> None:
    (workspace / "own").mkdir()
    (workspace / "own" / "sitecustomize.py").write_text("customized = True")
    environment = ENVIRONMENT | {"PYTHONPATH": str(workspace / "own")}
    seen = look(
        sys.executable, "-c", "import sitecustomize; print(sitecustomize.customized)", env=environment
    )
    assert seen.output == b"True\n"
    assert "own/sitecustomize.py" in seen.reads


def test_modules_of_the_workspace_are_seen_and_those_of_the_interpreter_are_not_asked_for(
    workspace: Path, tmp_path: Path, look: Run
) -> None:
    (workspace / "steps").mkdir()
    (workspace / "steps" / "helper.py").write_text("import colorsys")
    (workspace / "steps" / "step.py").write_text(
        "import os, helper, sys\n"
        "machinery = sys.modules['_frozen_importlib_external']\n"
        "print(machinery._path_stat.__name__, machinery.FileLoader.get_data.__name__)\n"
        f"machinery._path_stat({str(workspace / 'file')!r})\n"
        "try: machinery._path_stat('missing')\n"
        "except FileNotFoundError: pass\n"
    )
    (workspace / "file").touch()
    seen = look(sys.executable, "-B", "steps/step.py")
    assert seen.output == b"marked_stat marked_read\n"
    assert seen.reads == {"steps/step.py", "steps/helper.py"}
    assert "steps" in seen.listed
    assert "missing" in seen.absent
    assert "file" in seen.present


def test_a_detour_through_the_interpreters_directories_hides_nothing(workspace: Path, look: Run) -> None:
    (workspace / "lib").mkdir()
    (workspace / "lib" / "own.py").touch()
    seen = look(
        sys.executable, "-B", "-c", f"import sys; sys.path.insert(0, '/usr/..{workspace}/lib'); import own"
    )
    assert seen.reads == {"lib/own.py"}


def test_the_marks_are_those_that_the_filter_and_the_observer_know() -> None:
    """The start-up file can import nothing of Drystone's, and with another mark it would merely be slow."""
    marks = dict(
        re.findall(r"^_(MARK|IMPORTS|LISTING) = (\S+)", (STARTUP / "sitecustomize.py").read_text(), re.M)
    )
    assert {name: int(value, 16) for name, value in marks.items()} == {
        "MARK": UNSEEN,
        "IMPORTS": IMPORTS,
        "LISTING": LISTING,
    }


LISTS = """
import ctypes, glob, importlib.machinery, os, sys
sys.path.insert(0, {directory!r})
import odd_0
finder = sys.path_importer_cache[{directory!r}]
whole = finder._path_cache == {{".", "..", *os.listdir({directory!r})}}
print(type(finder) is importlib.machinery.FileFinder, whole, len(finder._path_cache))
"""


@pytest.mark.parametrize("many", [1, 9000])
def test_a_marked_listing_names_all_that_is_there(tmp_path: Path, look: Run, many: int) -> None:
    # 9,000 such names need more than one call; one is no text
    library = tmp_path / "lib" / "python"
    library.mkdir(parents=True)
    for number in range(many):
        (library / f"odd_{number}.py").touch()
    (library / os.fsdecode(b"na\xff\nme")).touch()
    program = LISTS.format(directory=str(library))
    seen = look(sys.executable, "-B", "-c", program, ignore=[library.parent, *SYSTEM])
    assert seen.output.decode() == f"True True {many + 3}\n"


def test_where_a_marked_listing_fails_the_plain_one_answers(tmp_path: Path, look: Run) -> None:
    (tmp_path / "gone").mkdir()
    program = (
        "import ctypes, os, sys\n"
        "inner = sys.modules['_frozen_importlib_external'].FileFinder._fill_cache.__closure__\n"
        "names = next(c.cell_contents for c in inner if hasattr(c.cell_contents, 'names')).names\n"
        f"fd = os.open({str(tmp_path / 'gone')!r}, os.O_RDONLY)\n"
        f"os.rmdir({str(tmp_path / 'gone')!r})\n"
        "print(names(fd))\n"
    )
    assert look(sys.executable, "-B", "-c", program).output == b"[]\n"


def test_only_a_python_that_will_take_it_back_is_given_anything(tmp_path: Path) -> None:
    scope = Scope(b"/w", [Path("/usr"), Path("/odd:name")])
    given = {"A": "1"}
    for command in (
        ["sh", "-c", "x"],
        ["python3", "-I", "x.py"],
        ["python", "-sE", "x.py"],
        ["python", "-X", "dev", "-S", "x.py"],
    ):
        assert hastened(command, given, scope) == given
    for command in (
        ["/usr/bin/python3.11", "x.py", "-I"],
        ["python", "-X", "IES", "-c", "I"],
        ["python", "-u", "-"],
    ):
        more = hastened(command, given | {"PYTHONPATH": "p"}, scope)
        assert more["PYTHONPATH"] == f"{STARTUP}:p"
        assert "/usr/" in more["DRYSTONE_UNSEEN"].split(":")
        assert "name/" not in more["DRYSTONE_UNSEEN"]
