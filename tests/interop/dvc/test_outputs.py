from __future__ import annotations

import pytest

from drystone.core.errors import ProjectInvalid
from drystone.interop.dvc.digest import Digest
from drystone.interop.dvc.outputs import Output, of_dvc_file, of_lock, stages_without_lock

A = "a" * 32


def one(path: str, text: str) -> Output:
    (output,) = of_dvc_file(path, text.encode())
    return output


def test_a_dvc_file_of_version_3_and_of_version_2() -> None:
    text = f"outs:\n- md5: {A}\n  size: 3\n  isexec: true\n  hash: md5\n  path: run.sh\n"
    assert one("bin/run.sh.dvc", text) == Output(
        "bin/run.sh", "bin/run.sh.dvc", Digest(A, "md5"), executable=True
    )
    old = one("d.dvc", f"outs:\n- md5: {A}.dir\n  path: d\n  cache: true\n")
    assert old.digest == Digest(A, "md5-dos2unix", directory=True)


@pytest.mark.parametrize(
    ("file", "wdir", "path", "meant"),
    [
        ("x.dvc", "data", "y", "data/y"),
        ("sub/x.dvc", "..", "y", "y"),
        ("sub/x.dvc", ".", "../models/y", "models/y"),
        ("sub/x.dvc", "../other", "./y/", "other/y"),
    ],
)
def test_paths_are_relative_to_the_working_folder(file: str, wdir: str, path: str, meant: str) -> None:
    assert one(file, f"wdir: {wdir}\nouts:\n- md5: {A}\n  path: {path}\n").path == meant


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/etc/passwd", "lies outside of the repository"),
        ("s3://bucket/x", "lies outside of the repository"),
        ("C:\\\\data", "lies outside of the repository"),
        ("../x", "is not a path inside"),
        ("a/../../x", "is not a path inside"),
        (".", "is not a path inside"),
        (".git/hooks/post-checkout", "is not a path inside"),
        ("sub/.GIT/config", "is not a path inside"),
        (".drystone/objects", "is not a path inside"),
        ("drystone.lock", "is not a path inside"),
        ("a\\0b", "is not a path inside"),
        ("", "cannot be understood"),
    ],
)
def test_paths_that_must_not_be_written_are_refused(path: str, message: str) -> None:
    with pytest.raises(ProjectInvalid) as refused:
        one("x.dvc", f'outs:\n- md5: {A}\n  path: "{path}"\n')
    assert message in refused.value.message


@pytest.mark.parametrize(
    "text",
    [
        "outs: 3",
        "outs: [3]",
        "- 1",
        "outs:\n- md5: ../../../etc/passwd\n  path: x",
        f"outs:\n- md5: {A}\n  path: [x]",
        f"wdir: /etc\nouts:\n- md5: {A}\n  path: x",
        f"wdir: ../..\nouts:\n- md5: {A}\n  path: x",
        "outs:\n- files:\n  - relpath: a\n  path: x",
        f"outs:\n- files:\n  - relpath: ../a\n    md5: {A}\n  path: x",
    ],
)
def test_nonsense_is_refused_with_the_file_named(text: str) -> None:
    with pytest.raises(ProjectInvalid) as refused:
        of_dvc_file("x.dvc", text.encode())
    assert "x" in refused.value.message


def test_a_lock_takes_what_is_cached_from_the_pipeline() -> None:
    pipeline = b"""
x: &flags {cache: false}
stages:
  train:
    cmd: python train.py
    wdir: work
    outs: [model.bin]
    metrics:
    - m.json: *flags
  each:
    foreach: [s, m]
    do:
      cmd: make ${item}
      outs:
      - out/${item}.csv
      - log/${item}.txt: {cache: false, remote: lab}
"""
    lock = f"""
schema: '2.0'
stages:
  train:
    cmd: python train.py
    outs:
    - {{path: m.json, hash: md5, md5: {A}}}
    - {{path: model.bin, hash: md5, md5: {A}}}
  each@s:
    cmd: make s
    outs:
    - {{path: log/s.txt, hash: md5, md5: {A}}}
    - {{path: out/s.csv, hash: md5, md5: {A}}}
"""
    found = {output.path: output for output in of_lock("p/dvc.lock", lock.encode(), pipeline)}
    assert {path: output.cached for path, output in found.items()} == {
        "p/work/m.json": False,
        "p/work/model.bin": True,
        "p/log/s.txt": False,
        "p/out/s.csv": True,
    }
    assert found["p/log/s.txt"].remote == "lab"
    assert found["p/out/s.csv"].source == "p/dvc.lock:each@s"
    assert stages_without_lock(pipeline, b"stages: {train: {cmd: x}}", of="dvc.yaml") == ("each",)


def test_a_lock_of_the_first_format_has_stages_only() -> None:
    lock = f"train:\n  cmd: x\n  outs:\n  - path: m\n    md5: {A}\n"
    (output,) = of_lock("dvc.lock", lock.encode(), None)
    assert (output.path, output.digest) == ("m", Digest(A, "md5-dos2unix"))


def test_many_placeholders_cost_no_more_than_reading_them() -> None:
    pipeline = b"stages:\n  s:\n    cmd: x\n    outs:\n    - " + b"a${x}" * 150 + b"b: {cache: false}\n"
    lock = f"stages:\n  s:\n    outs:\n    - {{path: {'a' * 20_000}c, md5: {A}}}\n"
    (output,) = of_lock("dvc.lock", lock.encode(), pipeline)
    assert output.cached
