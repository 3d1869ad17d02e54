"""Size and start-up budgets. Raising one is a visible change here, with its reason beside it."""

from __future__ import annotations

import ast
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
FILE_LINES = 400
FUNCTION_LINES = 60
#: Functions that may be longer than FUNCTION_LINES, never than 100, with the reason.
LONGER: dict[str, tuple[int, str]] = {}

#: `drystone --version`: the most it may cost over `python -c pass`, in CPU, and in all, in wall time.
VERSION_CPU_RATIO = 3.0
VERSION_WALL_MS = 80.0
#: Modules that a verb which only reads must not import.
BANNED_AT_STATUS = {
    "duckdb",
    "numpy",
    "onnxruntime",
    "pandas",
    "pyarrow",
    "rich",
    "scipy",
    "sklearn",
    "starlette",
}


def sizes() -> list[str]:
    """Files and functions over their budget."""
    problems = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        name, text = str(path.relative_to(ROOT)), path.read_text()
        lines = text.count("\n")
        if lines > FILE_LINES:
            problems.append(f"{name}: {lines} lines, the budget is {FILE_LINES}")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                long = node.end_lineno - node.lineno + 1
                allowed = LONGER.get(f"{name}:{node.name}", (FUNCTION_LINES, ""))[0]
                if long > allowed:
                    problems.append(
                        f"{name}:{node.lineno} {node.name}: {long} lines, the budget is {allowed}"
                    )
    return problems


def _cost(command: list[str], runs: int) -> tuple[float, float]:
    """Median wall and least CPU milliseconds of a command."""
    walls, cpus = [], []
    for _ in range(runs):
        before = os.times()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = os.times()
        walls.append(1000 * (after.elapsed - before.elapsed))
        cpus.append(
            1000
            * (after.children_user - before.children_user + after.children_system - before.children_system)
        )
    return statistics.median(walls), statistics.mean(cpus)


def start_up() -> list[str]:
    """What start-up costs too much."""
    problems = []
    bare_cpu = min(_cost([sys.executable, "-c", "pass"], 15)[1] for _ in range(2))
    wall, cpu = min(_cost([str(Path(sys.executable).parent / "drystone"), "--version"], 15) for _ in range(3))
    if cpu > VERSION_CPU_RATIO * bare_cpu:
        problems.append(f"drystone --version: {cpu:.0f} ms CPU, python -c pass {bare_cpu:.0f} ms")
    if wall > VERSION_WALL_MS:
        problems.append(f"drystone --version: {wall:.0f} ms, the budget is {VERSION_WALL_MS:.0f} ms")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "init", "-q", folder], check=True)
        program = (
            "import sys; from drystone.cli.main import main; code = main(['-C', sys.argv[1], 'status']); "
            "print(code, *sys.modules, file=sys.stderr)"
        )
        ended = subprocess.run(
            [sys.executable, "-c", program, folder], check=True, capture_output=True, text=True
        )
        code, *modules = ended.stderr.splitlines()[-1].split()
        if code != "0":
            problems.append(f"drystone status: exit code {code}\n{ended.stderr[:2000]}")
        heavy = sorted(BANNED_AT_STATUS.intersection(module.partition(".")[0] for module in modules))
        if heavy:
            problems.append(f"drystone status imports {', '.join(heavy)}")
    return problems


def main() -> int:
    """Print every budget that is not kept."""
    problems = [*sizes(), *start_up()]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
