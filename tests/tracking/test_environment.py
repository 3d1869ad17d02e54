"""Equal environments have equal ids."""

import sys
from pathlib import Path

import msgspec

from drystone.objects.hashing import hash_bytes
from drystone.tracking.environment import fingerprint


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
