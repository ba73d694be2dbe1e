"""Claims about the options that say which processes are meant."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from powernap.host import process_choice
from powernap.host.availability import UnavailableError
from powernap.host.process_choice import refuse_both, user_id, wanted
from powernap.host.processes import Wanted
from process_tree import recorded


@dataclass(frozen=True)
class Options:
    """As a monitor declares them."""

    program: str = process_choice.program_option("or so")
    arguments: str = process_choice.arguments_option()
    regex: str = process_choice.regex_option()
    user: str = process_choice.user_option()


@pytest.fixture
def host(tmp_path):
    """A machine with one user."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("alice:x:1000:1000::/:/bin/sh\nbroken\n")
    return recorded(tmp_path)


@pytest.mark.parametrize("options", [{}, {"program": "a", "regex": "b"}, {"regex": "b", "arguments": "c"}])
def test_program_or_regex(options):
    """Exactly one of program and regex is asked for, arguments with the program only."""
    with pytest.raises(ValueError, match="regex"):
        refuse_both(Options(**options))


@pytest.mark.parametrize(
    "options", [{"program": "a"}, {"program": "a", "arguments": "c"}, {"regex": "b", "user": "d"}]
)
def test_what_fits_together(options):
    """Is taken."""
    refuse_both(Options(**options))


def test_users(host):
    """Users are known by name and number; an unknown name has a remedy."""
    assert [user_id(host, "alice"), user_id(host, "33")] == [1000, 33]
    with pytest.raises(UnavailableError, match='no user "bob"'):
        wanted(host, Options(program="sh", user="bob"))


def test_what_is_wanted(host):
    """The options in the search's terms."""
    found = wanted(host, Options(program="rsync", arguments="--daily", user="alice"))
    assert (found.program, found.arguments and found.arguments.pattern, found.uid) == (
        b"rsync",
        "--daily",
        1000,
    )
    assert wanted(host, Options(regex="backup")).regex
    assert wanted(host, Options(program="rsync")) == Wanted(b"rsync")


def test_bare_name():
    """A program is configured without its directory."""
    assert process_choice.bare_name("rsync") is None
    assert "without its directory" in (process_choice.bare_name("/usr/bin/rsync") or "")
