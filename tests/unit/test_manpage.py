"""The manual pages: mandoc(1) finds nothing wrong with them, and man(1) shows what the command line declares."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from pathlib import Path

import pytest
from docs import build, manpage
from hypothesis import given
from hypothesis import strategies as st

PAGES = {
    "powernap.1": build.powernap_1,
    "powernapd.8": build.powernapd_8,
    "powerwaked.8": build.powerwaked_8,
}


@pytest.mark.parametrize("name", PAGES)
def test_lint(name: str, tmp_path: Path) -> None:
    """Neither an error nor a matter of style."""
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed (apt-get install mandoc)")
    page = tmp_path / name
    page.write_text(PAGES[name]())
    done = subprocess.run(["mandoc", "-T", "lint", str(page)], capture_output=True, text=True, check=False)
    assert "" == done.stdout


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_page_is_what_the_code_says(name: str) -> None:
    """`python -m docs.build` writes it."""
    assert PAGES[name]() == (build.HERE / "man" / name).read_text(encoding="utf-8")


def test_every_subcommand_has_its_section() -> None:
    """Nested ones with their whole name."""
    text = build.powernap_1()
    for name in ("try", "hold", "undo", "config check", "config explain"):
        assert f".SS powernap {name}\n" in text
    assert "\\fB\\-\\-nap\\-after\\fR \\fITIME\\fR" in text
    assert "(default 10s)" in text


@given(st.text(alphabet=st.sampled_from("ab .'\\-`\n"), min_size=1))
def test_no_text_becomes_a_request(text: str) -> None:
    """A line that begins with a full stop or an apostrophe would be taken for one (roff(7))."""
    lines = manpage.prose(text)
    assert all(line == ".PP" or line[0] not in ".'" for line in lines)
    assert all(len(line.encode()) <= 80 for line in lines if " " in line)


def test_a_page_without_subcommands_has_none() -> None:
    """Nor a COMMAND in its synopsis."""
    parser = argparse.ArgumentParser(prog="x", description="Does x.")
    parser.add_argument("FILE", help="what to read")
    parser.add_argument("--hidden", help=argparse.SUPPRESS)
    text = manpage.page(
        parser, 1, "1", "2026-01-01", "do x", {"FILES": "A plain paragraph.\n\nx: what it is."}
    )
    assert ".SH COMMANDS" not in text
    assert "COMMAND" not in text
    assert "hidden" not in text
    assert '.TH X 1 "2026-01-01"' in text
    assert "\\fIFILE\\fR\nWhat to read." in text
    assert ".SH FILES\nA plain paragraph.\n.TP\n\\fBx\\fR\nwhat it is." in text
