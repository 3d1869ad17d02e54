from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drystone.core.errors import Conflict, NotFound
from drystone.workspace.checkout import checkout
from drystone.workspace.operations import Operation, undone_of
from drystone.workspace.tracked import add
from drystone.workspace.undo import undo
from drystone.workspace.workspace import Workspace

Run = Callable[..., str]


@pytest.fixture
def data(root: Path) -> Path:
    (root / "data").mkdir()
    (root / "data" / "a.csv").write_text("1\n")
    return root / "data"


def take_back(workspace: Workspace, operation: str | None = None, **options: bool) -> None:
    undo(workspace, workspace.operations.choose(operation), **options)


def test_an_add_is_taken_back_with_its_line_of_gitignore(
    workspace: Workspace, data: Path, root: Path
) -> None:
    (root / ".gitignore").write_text("*.log\n")
    add(workspace, [data])
    take_back(workspace)
    assert workspace.lock().paths == {}
    assert (root / ".gitignore").read_text() == "*.log\n"
    assert (data / "a.csv").read_text() == "1\n"


def test_a_second_add_is_taken_back_to_the_first(workspace: Workspace, data: Path) -> None:
    add(workspace, [data])
    first = workspace.lock()
    (data / "a.csv").write_text("2\n")
    add(workspace, [data])
    take_back(workspace)
    assert workspace.lock() == first
    assert (data / "a.csv").read_text() == "2\n"


def test_what_a_checkout_replaced_comes_back(workspace: Workspace, data: Path) -> None:
    add(workspace, [data])
    (data / "a.csv").write_text("mine\n")
    (data / "new").write_text("mine too\n")
    checkout(workspace, force=True)
    assert [path.name for path in data.iterdir()] == ["a.csv"]
    take_back(workspace)
    assert (data / "a.csv").read_text() == "mine\n"
    assert (data / "new").read_text() == "mine too\n"


def test_what_a_checkout_made_goes_and_can_be_had_again(workspace: Workspace, data: Path) -> None:
    add(workspace, [data])
    (data / "a.csv").unlink()
    data.rmdir()
    checkout(workspace)
    take_back(workspace)
    assert not data.exists()
    assert checkout(workspace).restored == ("data",)


def test_undoing_goes_back_step_by_step_and_an_undo_can_be_undone(workspace: Workspace, data: Path) -> None:
    locks = [workspace.lock()]
    for text in ("1", "2", "3"):
        (data / "a.csv").write_text(text)
        add(workspace, [data])
        locks.append(workspace.lock())
    for lock in reversed(locks[:-1]):
        take_back(workspace)
        assert workspace.lock() == lock
    with pytest.raises(NotFound, match="there is nothing to undo"):
        take_back(workspace)
    last = list(workspace.operations)[-1]
    take_back(workspace, last.id)
    assert workspace.lock() == locks[1]
    take_back(workspace)
    assert workspace.lock() == locks[0]


def test_what_changed_since_is_not_overwritten(workspace: Workspace, data: Path) -> None:
    add(workspace, [data])
    (data / "a.csv").write_text("mine\n")
    checkout(workspace, force=True)
    (data / "a.csv").write_text("newest\n")
    with pytest.raises(Conflict, match="1 paths changed since") as caught:
        take_back(workspace)
    assert (data / "a.csv").read_text() == "newest\n"
    assert "undo --force" in caught.value.hints[0]
    take_back(workspace, force=True)
    assert (data / "a.csv").read_text() == "mine\n"


def test_a_dry_run_does_nothing(workspace: Workspace, data: Path) -> None:
    add(workspace, [data])
    lock = workspace.lock()
    done = undo(workspace, workspace.operations.choose(None), dry_run=True)
    assert done.lock == ("data",)
    assert workspace.lock() == lock
    assert len(list(workspace.operations)) == 1


def test_nothing_that_changed_nothing_is_an_operation(workspace: Workspace, data: Path) -> None:
    add(workspace, [data])
    add(workspace, [data])
    checkout(workspace)
    assert [operation.verb for operation in workspace.operations] == ["add"]


def test_a_damaged_note_is_passed_over(workspace: Workspace, data: Path) -> None:
    add(workspace, [data])
    (workspace.layout.operations / f"{'f' * 32}.json").write_text("{")
    take_back(workspace)
    assert workspace.lock().paths == {}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["add", "edit", "checkout", "undo"]), max_size=8), st.integers())
def test_undoing_everything_ends_where_it_began(
    workspace: Workspace, root: Path, acts: list[str], seed: int
) -> None:
    """Whatever is added, edited and checked out in between, no content is lost on the way."""
    data = root / f"data{seed % 1_000_000}"
    data.mkdir(exist_ok=True)
    file = data / "file"
    precious: set[bytes] = set()

    def take_one_back() -> bool:
        precious.update([file.read_bytes()] if file.exists() else [])
        try:
            take_back(workspace, force=True)
        except NotFound:
            return False
        return True

    for number, act in enumerate(acts):
        data.mkdir(exist_ok=True)
        if act == "edit":
            file.write_text(f"{number}")
        elif act == "add":
            add(workspace, [data])
        elif act == "checkout" and data.name in workspace.lock().paths:
            precious.update([file.read_bytes()] if file.exists() else [])
            checkout(workspace, [data], force=True)
        elif act == "undo":
            take_one_back()
    while take_one_back():
        pass
    assert data.name not in workspace.lock().paths
    kept = {workspace.store.read(name) for name in workspace.store}
    assert precious <= kept | ({file.read_bytes()} if file.exists() else set())


def test_undone_operations_are_known_through_chains() -> None:
    def operation(name: str, undoes: str | None = None) -> Operation:
        return Operation(name, "add" if undoes is None else "undo", 0, undoes=undoes)

    chain = [operation("a"), operation("b"), operation("c", "b"), operation("d", "c")]
    assert undone_of(chain[:2]) == set()
    assert undone_of(chain[:3]) == {"b"}
    assert undone_of(chain) == {"c"}
