"""The journal's native protocol, and standard error: fields are encoded exactly, and logging neither waits nor raises."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powernap.host.journal import LINE_MAX, WARNING, Journal, encode, one_line


def decode(data: bytes) -> dict[str, str]:
    """As journald reads it."""
    fields = {}
    while data:
        line, _, rest = data.partition(b"\n")
        key, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", rest[:8])
            value, rest = rest[8 : 8 + length], rest[8 + length + 1 :]
        fields[key.decode()] = value.decode()
        data = rest
    return fields


@given(st.dictionaries(st.from_regex(r"[A-Z]{1,8}", fullmatch=True), st.text(st.characters(codec="utf-8"))))
def test_what_is_encoded_is_decoded(fields: dict[str, str]) -> None:
    """Whatever the values hold, newlines and equal signs included."""
    assert fields == decode(encode(fields))


class Journald:
    """A socket that takes datagrams."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(2)

    def entry(self) -> dict[str, str]:
        return decode(self.socket.recv(65536))

    def __enter__(self) -> Journald:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self.path.unlink()


@pytest.fixture
def error() -> Iterator[tuple[int, int]]:
    """A pipe as standard error: read it here, write it there."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    yield reader, writer
    os.close(reader)
    os.close(writer)


def test_an_entry_has_its_fields(tmp_path: Path) -> None:
    """The message, the priority, and what is known about it by name; what is empty is left out."""
    with Journald(tmp_path / "j") as journald:
        journal = Journal(str(journald.path))
        journal.log("came back", WARNING, event="activity", stage="", monitor="ssh")
        entry = journald.entry()
        journal.close()

    assert entry == {
        "MESSAGE": "came back", "PRIORITY": "4", "SYSLOG_IDENTIFIER": "powernapd", "POWERNAP_EVENT": "activity",
        "POWERNAP_MONITOR": "ssh",
    }  # fmt: skip


def test_a_journal_that_was_started_anew_is_found_again(tmp_path: Path, error: tuple[int, int]) -> None:
    """While it is gone the lines go to standard error with their priority; afterwards to the new socket."""
    path = tmp_path / "j"
    with Journald(path):
        journal = Journal(str(path), error=error[1])
    journal.log("nobody there")
    with Journald(path) as journald:
        journal.log("back")
        assert journald.entry()["MESSAGE"] == "back"
    journal.close()

    assert os.read(error[0], 100) == b"<6>nobody there\n"


def test_a_journal_that_does_not_read_is_not_waited_for(tmp_path: Path, error: tuple[int, int]) -> None:
    """Its queue is full: the lines go to standard error, and when that is full too they are lost; nobody waits."""
    with Journald(tmp_path / "j") as journald:
        journal = Journal(str(journald.path), error=error[1])
        for _ in range(2000):
            journal.log("x" * 200)
        journal.close()


def test_an_entry_that_is_too_long_goes_to_standard_error(tmp_path: Path, error: tuple[int, int]) -> None:
    """A datagram has its limit; the line is cut to what a pipe takes."""
    with Journald(tmp_path / "j") as journald:
        journal = Journal(str(journald.path), error=error[1])
        journal.log("y" * 1_000_000)
        journal.close()

    assert len(os.read(error[0], 65536)) == LINE_MAX


def test_in_the_foreground_it_speaks_to_the_terminal(error: tuple[int, int]) -> None:
    """With the daemon's name; quiet, only warnings."""
    Journal(error=error[1]).log("hello")
    Journal(quiet=True, error=error[1]).log("not this")
    Journal(quiet=True, error=error[1]).log("but this", WARNING)

    assert os.read(error[0], 100) == b"powernapd: hello\npowernapd: but this\n"


@pytest.mark.parametrize("number", [-1, 987_654])
def test_a_standard_error_that_is_closed_is_borne(number: int) -> None:
    """Nothing is raised."""
    Journal(error=number).log("hello")


def test_a_reader_that_is_gone_is_borne(error: tuple[int, int]) -> None:
    """A broken pipe, too."""
    reader, writer = os.pipe()
    os.close(reader)
    Journal(error=writer).log("hello")
    os.close(writer)


def test_somebodys_newline_begins_no_line_of_ours() -> None:
    """A reason with a newline and a priority cannot forge an entry."""
    assert one_line("a\n<0>panic\rb\udc80") == b"a <0>panic b\\udc80\n"
