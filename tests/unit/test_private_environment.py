"""tools/private_environment.py: `make try` needs Python and nothing else, wherever the clone is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "private_environment.py"


def made(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", str(TOOL), str(directory)], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["plain", "with a space", "long" * 40])
def test_both_programs_run_from_any_directory(tmp_path: Path, name: str) -> None:
    """A `#!` line ends at a space and at 127 bytes; these do not."""
    done = made(tmp_path / name)
    assert (0, "") == (done.returncode, done.stderr)
    for program in ("powernap", "powernapd"):
        shown = subprocess.run(
            [str(tmp_path / name / "bin" / program), "--version"],
            env={"PATH": "/usr/bin:/bin"},
            cwd="/",
            capture_output=True,
            text=True,
            check=True,
        )
        assert shown.stdout.startswith(f"{program} 0.")


def test_made_twice_it_is_new(tmp_path: Path) -> None:
    """What an earlier Python left is gone."""
    (tmp_path / "try").mkdir()
    (tmp_path / "try" / "old").touch()
    assert 0 == made(tmp_path / "try").returncode
    assert not (tmp_path / "try" / "old").exists()


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """Such as one that `sudo make try` made: what to do about it, and no traceback."""
    (tmp_path / "file").touch()
    done = made(tmp_path / "file" / "try")
    assert 3 == done.returncode
    assert "sudo rm -rf" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_asks_for_nothing_but_the_standard_library() -> None:
    """Neither pip nor ensurepip, which Debian packages apart."""
    text = TOOL.read_text()
    assert "with_pip" not in text
    assert os.access(TOOL, os.R_OK)
