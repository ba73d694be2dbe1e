"""docs/add-a-monitor.md: following the page to the letter adds a monitor, and its own tests pass.

The monitor is added in a process of its own, to a package path in a temporary directory: nothing of this checkout changes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/add-a-monitor.md"
BLOCK = re.compile(r"^```\w+\n# file: (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

EXTEND = """
import sys
import powernap.monitors
powernap.monitors.__path__.append(sys.argv[1])
"""


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files that the page says to write."""
    root = tmp_path_factory.mktemp("walkthrough")
    for name, content in BLOCK.findall(PAGE.read_text()):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def python(followed: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program for which the new monitor is one of the package."""
    command = [sys.executable, "-c", EXTEND + program, str(followed / "src/powernap/monitors"), *arguments]
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))
    }
    return subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=False, cwd=followed, env=environment
    )


def test_a_monitor_is_one_file_one_test_and_one_fragment(followed: Path) -> None:
    """No other file of the checkout is written."""
    written = sorted(str(path.relative_to(followed)) for path in followed.rglob("*") if path.is_file())
    assert [name for name in written if name != "powernap.toml"] == [
        "changelog.d/example.added.md",
        "src/powernap/monitors/example.py",
        "tests/unit/test_example.py",
    ]


def test_its_own_tests_pass(followed: Path) -> None:
    """All four, in a fresh process."""
    done = python(
        followed,
        "import pytest\nsys.exit(pytest.main(['-q', '-p', 'no:cacheprovider', '-W', 'error', sys.argv[2]]))",
        "tests/unit/test_example.py",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_the_kind_is_known_with_its_options(followed: Path) -> None:
    """It appears among the others, its module has what a monitor has, and its options say what they mean."""
    program = """
import dataclasses, json
from powernap import monitors
module = monitors.find("example")
options = {f.name: dict(f.metadata, check=None) for f in dataclasses.fields(module.Options)}
has = [name for name in ("EVENTS", "Options", "probe", "open") if hasattr(module, name)]
print(json.dumps({"known": "example" in monitors.kinds(), "has": has, "help": module.__doc__.splitlines()[0], "options": options}))
"""
    done = python(followed, program)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["known"], found["has"]) == (True, ["EVENTS", "Options", "probe", "open"])
    assert found["help"] == "A job says that it runs: a lock file exists."
    assert (found["options"]["file"]["unit"], bool(found["options"]["file"]["help"])) == ("path", True)


CONFIGURE = """
from powernap.config.load import load
from powernap.config.problems import ConfigErrors
try:
    config = load(sys.argv[2], trusted=False)
except ConfigErrors as errors:
    print(errors)
    sys.exit(2)
"""


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        ('file = "/run/backup.lock"', 0, ""),
        ('file = "run/backup.lock"', 2, '"file" in monitor "backup"'),
        ('fil = "/run/backup.lock"', 2, 'did you mean "file"'),
        ("", 2, '"file"'),
    ],
)
def test_the_configuration_checks_its_options(
    followed: Path, tmp_path: Path, line: str, status: int, words: str
) -> None:
    """The page's section is taken; a relative path, a misspelt key and a missing one are refused in words."""
    section = (followed / "powernap.toml").read_text()
    assert 'file = "/run/backup.lock"' in section
    config = tmp_path / "powernap.toml"
    config.write_text(section.replace('file = "/run/backup.lock"', line))
    done = python(followed, CONFIGURE, str(config))
    assert (done.returncode, done.stderr) == (status, "")
    assert words in done.stdout


@pytest.mark.parametrize(
    "check", [["ruff", "check", "--extend-ignore", "INP001"], ["ruff", "format", "--check"]]
)
def test_what_the_page_shows_passes_our_own_checks(followed: Path, check: list[str]) -> None:
    """Lint and form, as .ci/run asks of every file."""
    tool = Path(sys.executable).with_name(check[0])
    if not tool.exists():
        pytest.skip(f"{check[0]} is not installed")
    files = [str(path) for path in sorted(followed.rglob("*.py"))]
    done = subprocess.run(
        [str(tool), *check[1:], "--no-cache", "--config", str(ROOT / "pyproject.toml"), *files],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
