"""No huge pages for the daemon; and for what it starts, what it had itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

TELL = """
import sys
from powernap.host import huge_pages
from powernap.host.libc import libc
from powernap.host.systemctl import run

def mine():
    return libc.prctl(huge_pages.PR_GET_THP_DISABLE, 0, 0, 0, 0)

other = [sys.executable, "-c", f"import ctypes; print(ctypes.CDLL(None).prctl({huge_pages.PR_GET_THP_DISABLE}, 0, 0, 0, 0))"]
libc.prctl(huge_pages.PR_SET_THP_DISABLE, int(sys.argv[1]), 0, 0, 0)
said = [mine(), run(other, 20).output]
huge_pages.refuse()
with huge_pages.inherited():
    said += [run(other, 20).output, mine()]
print(*said, run(other, 20).output, mine())
"""


@pytest.mark.parametrize("given", [0, 1])
def test_a_program_that_is_started_has_what_the_daemon_was_given(given: int) -> None:
    """Before it refused them and after; also when several are started at once, and where it was refused them itself."""
    done = subprocess.run(
        [sys.executable, "-c", TELL, str(given)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [*[str(given)] * 5, "1"]


def test_nothing_is_refused_by_importing() -> None:
    """`powernap try` and the tests keep theirs. (In a process of its own: another test may have run a daemon in this one.)"""
    tell = "from powernap.host import huge_pages as h; print(h.libc.prctl(h.PR_GET_THP_DISABLE, 0, 0, 0, 0))"
    begin = "import ctypes; ctypes.CDLL(None).prctl(41, 0, 0, 0, 0); "
    done = subprocess.run([sys.executable, "-c", begin + tell], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"
