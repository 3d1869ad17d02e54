"""Equal environments have equal ids."""

import sys
from pathlib import Path

import msgspec

from drystone.objects.hashing import hash_bytes
from drystone.tracking.environment import fingerprint, installed, stood_for


def test_this_interpreter_is_described_with_its_packages() -> None:
    environment = fingerprint(Path(sys.executable))
    described = msgspec.json.decode(environment.data)
    assert described["packages"]["pytest"]
    assert described["python"].endswith(sys.version.split()[0])
    assert environment.id == hash_bytes(environment.data)
    assert environment == fingerprint(Path(sys.executable))


def _virtual_environment(root: Path, package: str) -> Path:
    packages = root / "lib" / "python3.11" / "site-packages"
    (packages / f"{package}.dist-info").mkdir(parents=True)
    (root / "pyvenv.cfg").write_text("version = 3.11.4\n")
    (root / "bin").mkdir()
    (root / "bin" / "python").symlink_to(sys.executable)
    return root / "bin" / "python"


def test_another_environment_is_read_without_starting_it(tmp_path: Path) -> None:
    old = fingerprint(_virtual_environment(tmp_path / "a", "Scikit_Learn-1.8.0"))
    new = fingerprint(_virtual_environment(tmp_path / "b", "Scikit_Learn-1.9.0"))
    assert msgspec.json.decode(old.data)["packages"] == {"scikit-learn": "1.8.0"}
    assert msgspec.json.decode(old.data)["python"] == "3.11.4"
    assert old.id != new.id


def test_a_package_that_was_installed_anew_makes_another_environment(tmp_path: Path) -> None:
    python = _virtual_environment(tmp_path, "team-1.0")
    record = tmp_path / "lib/python3.11/site-packages/team-1.0.dist-info/RECORD"
    record.write_text("team.py,sha256=aaa,10\n")
    before = fingerprint(python)
    record.write_text("team.py,sha256=bbb,10\n")
    assert fingerprint(python).id != before.id


def test_a_step_in_another_language_does_not_depend_on_python_packages() -> None:
    assert "packages" not in msgspec.json.decode(fingerprint(None).data)


def test_a_virtual_environment_that_sees_the_packages_of_its_base_depends_on_them(tmp_path: Path) -> None:
    base = tmp_path / "base"
    packages = base / "lib/python3.11/site-packages"
    (packages / "team-1.0.dist-info").mkdir(parents=True)
    (base / "bin").mkdir()
    (base / "bin/python3.11").touch(0o755)
    python = _virtual_environment(tmp_path / "venv", "own-1.0")
    python.unlink()
    python.symlink_to(base / "bin/python3.11")
    alone = msgspec.json.decode(fingerprint(python).data)["packages"]
    assert alone == {"own": "1.0"}
    with (tmp_path / "venv/pyvenv.cfg").open("a") as file:
        file.write("include-system-site-packages = true\n")
    assert msgspec.json.decode(fingerprint(python).data)["packages"] == {"own": "1.0", "team": "1.0"}


def test_what_no_record_lists_is_looked_at_itself(tmp_path: Path) -> None:
    python = _virtual_environment(tmp_path, "team-1.0")
    packages = tmp_path / "lib/python3.11/site-packages"
    (packages / "team-1.0.dist-info/RECORD").write_text(
        "team.py,sha256=aaa,10\n../../../bin/team,sha256=x,1\n"
    )
    (packages / "team.py").write_text("1")
    before = fingerprint(python).id
    (packages / "team-1.0.dist-info/RECORD").write_text(
        "team.py,sha256=aaa,10\n../../../bin/team,sha256=y,1\n"
    )
    assert fingerprint(python).id == before, "scripts name the folder of their interpreter"
    seen = {before}
    (packages / "helper.py").write_text("VALUE = 1\n")
    seen.add(fingerprint(python).id)
    (packages / "helper.py").write_text("VALUE = 2\n")
    seen.add(fingerprint(python).id)
    (packages / "vendored").mkdir()
    (packages / "vendored/x.py").write_text("1")
    seen.add(fingerprint(python).id)
    (packages / "developed.pth").write_text(f"{tmp_path}/src\n")
    seen.add(fingerprint(python).id)
    assert len(seen) == 5
    (packages / "vendored/__pycache__").mkdir()
    (packages / "vendored/__pycache__/x.pyc").write_text("compiled")
    assert fingerprint(python).id in seen


def test_what_conda_has_installed_counts_by_version_and_build(tmp_path: Path) -> None:
    python = _virtual_environment(tmp_path, "team-1.0")
    (tmp_path / "conda-meta").mkdir()
    record = tmp_path / "conda-meta/r-base-4.3.1-h29c4799_0.json"
    record.write_text("{}")
    before = fingerprint(python)
    assert msgspec.json.decode(before.data)["packages"] == {"r-base": "4.3.1", "team": "1.0"}
    record.rename(record.with_name("r-base-4.3.1-h29c4799_1.json"))
    assert fingerprint(python).id != before.id


def test_what_is_installed_below_another_prefix_has_an_id_of_its_own(tmp_path: Path) -> None:
    _virtual_environment(tmp_path, "team-1.0")
    assert msgspec.json.decode(installed(tmp_path).data)["packages"] == {"team": "1.0"}
    assert installed(tmp_path / "nothing").id != installed(tmp_path).id


def test_a_prefix_that_holds_other_things_is_not_stood_for_as_a_whole(tmp_path: Path) -> None:
    library = tmp_path / "lib/python3.11"
    (library / "site-packages").mkdir(parents=True)
    (library / "os.py").touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3.11").touch(0o755)
    found = stood_for(tmp_path / "bin/python3.11")
    assert library in found and library / "site-packages" in found
    assert tmp_path not in found
    (tmp_path / "pyvenv.cfg").write_text("version = 3.11.4\n")
    assert tmp_path in stood_for(tmp_path / "bin/python3.11")
