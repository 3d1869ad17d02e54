"""A full disk takes nothing away that was there before."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from drystone.ledger import runs
from drystone.pipeline.command import run_command

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


@pytest.fixture
def shop(tmp_path: Path, workshop) -> Iterator:
    folder = tmp_path / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder], check=False).returncode:
        pytest.skip("needs a file system of its own")
    try:
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        made = workshop(folder)
        yield made
        made.ledger.close()
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.parametrize("more", ["head -c 20000000 /dev/zero > big", "head -c 20000000 /dev/zero"])
def test_a_step_that_fills_it_is_undone(shop, more: str) -> None:
    shop.step("a", "echo old > out.txt")
    shop.run()
    shop.step("a", f"echo new > out.txt; {more} || exit 1; exit 2")
    assert shop.run() == {"a": "failed"}
    assert shop.read("out.txt") == "old\n"
    assert not (shop.root / "big").exists()
    assert shop.last.error.because[-1] == "the disk is full"
    shop.step("a", "echo third > out.txt")
    assert shop.run() == {"a": "ran"}


def test_outputs_that_the_store_has_no_room_for_fail_the_step(shop) -> None:
    shop.step("a", "echo old > out.txt")
    shop.run()
    shop.step("a", "echo new > out.txt; head -c 5000000 /dev/urandom > big")
    assert shop.run() == {"a": "failed"}
    assert shop.read("out.txt") == "old\n"


def test_a_command_that_prints_more_than_fits_is_heard_to_its_end(shop) -> None:
    printed: list[int] = []
    ended = run_command(
        shop.rooms(),
        ["sh", "-c", "head -c 20000000 /dev/zero; exit 3"],
        cwd=shop.root,
        sink=lambda data: printed.append(len(data)),
    )
    assert (sum(printed), ended.exit_code) == (20_000_000, 3)
    assert "what it printed was not kept" in ended.warnings[-1]
    assert runs.get(shop.ledger, ended.run).exit_code == 3
