"""The law of the core: every line and branch of each core module is covered by that module's own test file.

python tools/core_coverage.py
"""

import ast
import os
import pathlib
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).absolute().parent.parent
CORE = ROOT / "src" / "powernap" / "core"


def uncovered(module: pathlib.Path, directory: str) -> str:
    """What its own test file leaves out, as coverage reports it; empty when nothing."""
    test = ROOT / "tests" / "unit" / f"test_{module.stem}.py"
    if not test.exists():
        return f"{module.name} has no tests/unit/{test.name}"
    environment = {**os.environ, "COVERAGE_FILE": f"{directory}/{module.stem}"}
    python = [sys.executable, "-m", "coverage"]
    run = [
        *python,
        "run",
        "--rcfile=/dev/null",
        "--branch",
        f"--include={module}",
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        str(test),
    ]
    done = subprocess.run(run, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        return f"{test.name}: {done.stdout[-2000:]}"
    report = [*python, "report", "--rcfile=/dev/null", "--show-missing", "--fail-under=100"]
    done = subprocess.run(report, cwd=ROOT, env=environment, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout


def does_something(module: pathlib.Path) -> bool:
    """A module of data classes alone is covered by being imported."""
    return any(
        isinstance(node, ast.FunctionDef) for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
    )


def main() -> int:
    modules = sorted(path for path in CORE.glob("*.py") if does_something(path))
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(os.cpu_count()) as several:
        faults = [*filter(None, several.map(lambda module: uncovered(module, directory), modules))]
    print(
        "\n".join(faults)
        or f"core: 100 % of lines and branches of {len(modules)} modules, each by its own test file"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
