"""Which files are checks."""

from __future__ import annotations

from pathlib import Path


def check_files(folder: Path) -> list[Path]:
    """All `.py` files below `checks/` but `conftest.py` and those whose path has a part that begins
    with `_` or `.`, sorted.
    """
    return sorted(
        file
        for file in folder.rglob("*.py")
        if file.name != "conftest.py"
        and not any(part[0] in "_." for part in file.relative_to(folder).parts)
        and file.is_file()
    )
