"""host/calendar_reader.py: how the process that reads calendars is started."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import powernap
from powernap.host.calendar_reader import command, ending
from powernap.host.transient_unit import environment


def test_without_systemd_it_is_a_child() -> None:
    """This Python, this package, and nothing that the working directory or a user's own packages bring."""
    assert [sys.executable, "-s", "-P", "-W", "ignore", "-m", "powernap.ical"] == command("", online=True)
    assert Path(environment()["PYTHONPATH"], "powernap").resolve() == Path(powernap.__file__).parent.resolve()


@pytest.mark.parametrize("online", [True, False])
def test_with_systemd_it_is_a_unit_of_its_own(online: bool) -> None:
    """Without capabilities that it could use later, without a network where it reads a file, and ended by systemd at the latest."""
    words = command("/usr/bin/systemd-run", online=online)
    properties = dict(
        word.removeprefix("--property=").split("=", 1) for word in words if word.startswith("--property=")
    )
    assert words[: words.index("--")][-1].startswith("--setenv=")
    assert words[words.index("--") + 1 :] == command("", online=online)
    assert {"--pipe", "--wait", "--collect", "--quiet"} <= set(words)
    assert properties["NoNewPrivileges"] == "yes"
    assert properties["PrivateNetwork"] == ("no" if online else "yes")
    assert float(properties["RuntimeMaxSec"]) > 60
    assert ("DynamicUser" in properties) == (properties["CapabilityBoundingSet"] == "")


def test_nothing_secret_is_on_its_command_line_or_in_its_environment() -> None:
    """Both can be read by others; all it is told is on its standard input."""
    os.environ["https_proxy"] = "http://ada:secret@proxy.example.org"
    try:
        assert "secret" not in " ".join(
            [*command("/usr/bin/systemd-run", online=True), *environment().values()]
        )
    finally:
        del os.environ["https_proxy"]


@pytest.mark.parametrize(
    ("status", "errors", "said"),
    [
        (-24, b"", "too much processor time or memory"),
        (-9, b"", "too much processor time or memory"),
        (-11, b"", "ended by signal 11"),
        (1, b"", "(exit status 1): it said nothing"),
        (1, b"Traceback\n  ...\nOSError: no\x1b[31m\n", "(exit status 1): OSError: no?[31m"),
    ],
)
def test_an_end_without_an_answer_is_said_in_a_sentence(status: int, errors: bytes, said: str) -> None:
    """Killed by its limits, crashed, or not started."""
    assert said in ending(status, errors)
