"""host/calendars.py: the last good copy, taken over from a process that is not trusted."""

from __future__ import annotations

import json
import os
import stat
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powernap.host.calendars import (
    EVENTS,
    SIZE,
    AnswerError,
    Attempts,
    Event,
    Head,
    attempts,
    events,
    head,
    keep,
    key,
    original,
    parse_event,
    parse_head,
    remember,
)

CALENDAR = b"BEGIN:VCALENDAR\r\n..."
EVENT = {"start": 10.5, "end": 20, "summary": "It", "free": False, "private": False, "categories": ["a"]}
WALL = {**EVENT, "start": "2026-11-23T09:00:00", "end": "2026-11-23T10:00:00"}


def told(*lines: dict[str, Any], calendar: bytes = CALENDAR, **more: Any) -> BytesIO:
    """An answer of the reader."""
    first = {"version": 1, "start": 0.0, "end": 100.0, "count": len(lines), "size": len(calendar), **more}
    return BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in (first, *lines)) + calendar)


def test_a_copy_is_kept_for_root_alone_and_read_again(tmp_path: Path) -> None:
    """Its head, its events one by one, and the calendar as it was."""
    state = str(tmp_path)
    keep(state, "a", told(EVENT, WALL, etag='"7"', notes=["one is left out"]))
    assert head(state, "a") == Head(0.0, 100.0, 2, len(CALENDAR), '"7"', notes=("one is left out",))
    assert [
        Event(10.5, 20.0, "It", free=False, private=False, categories=("a",)),
        Event(
            "2026-11-23T09:00:00", "2026-11-23T10:00:00", "It", free=False, private=False, categories=("a",)
        ),
    ] == list(events(state, "a"))
    with original(state, "a") as file:
        assert file.read() == CALENDAR
    directory = tmp_path / "calendars"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (directory, *directory.iterdir())]
    assert [0o700, 0o600] == modes


WRONG = [
    told(EVENT, calendar=b"", size=5),
    told(EVENT, size=len(CALENDAR) - 1),
    told(EVENT, count=2),
    told(EVENT, count=-1),
    told(EVENT, count=EVENTS + 1),
    told(EVENT, count=True),
    told(EVENT, size=SIZE + 1),
    told(EVENT, version=2),
    told(EVENT, start=float("nan")),
    told(EVENT, end=1e300),
    told(EVENT, etag="a\r\nX: y"),
    told(EVENT, notes=["a\x1b[31m"]),
    told({**EVENT, "start": "2026-11-23T09:00:00+01:00"}),
    told({**EVENT, "start": "2026-11-23"}),
    told({**EVENT, "start": None}),
    told({**EVENT, "start": True}),
    told({**EVENT, "start": float("inf")}),
    told({**EVENT, "summary": "a\nb"}),
    told({**EVENT, "summary": "a" * 301}),
    told({**EVENT, "free": 1, "categories": [1]}),
    told({"start": 1.0}),
    BytesIO(b""),
    BytesIO(b"[" * 100_000),
    BytesIO(b'{"version": 1, "count": ' + b"9" * 10_000 + b"}\n"),
    BytesIO(b"\xff\xfe\n"),
]


@pytest.mark.parametrize("answer", WRONG, ids=range(len(WRONG)))
def test_an_answer_that_is_not_what_it_must_be_leaves_the_old_copy(tmp_path: Path, answer: BytesIO) -> None:
    """Cut off, too long, of another form, with numbers that are none: nothing of it is kept, and nothing is left of the attempt."""
    state = str(tmp_path)
    keep(state, "a", told(EVENT))
    before = (tmp_path / "calendars" / "a.events").read_bytes()
    answer.seek(0)
    with pytest.raises(AnswerError):
        keep(state, "a", answer)
    assert before == (tmp_path / "calendars" / "a.events").read_bytes()
    assert os.listdir(tmp_path / "calendars") == ["a.events"]


def test_what_a_killed_daemon_left_is_in_nobodys_way(tmp_path: Path) -> None:
    """A file half written, or a link that somebody put there, is replaced and not followed."""
    (tmp_path / "calendars").mkdir()
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / "calendars" / "a.events.new").symlink_to(victim)
    keep(str(tmp_path), "a", told(EVENT))
    assert victim.read_text() == "mine"
    assert len(list(events(str(tmp_path), "a"))) == 1


@settings(deadline=None)
@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.integers(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(
                    st.sampled_from([*EVENT, "version", "count", "size", "notes", "etag"]), inner
                )
            ),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
def test_no_line_whatever_is_more_than_refused(line: bytes) -> None:
    """Neither as a head nor as an event."""
    for parse in (parse_head, parse_event):
        try:
            parse(line)
        except AnswerError:
            continue


def test_attempts_are_remembered(tmp_path: Path) -> None:
    """And nonsense in their place is as good as none."""
    made = Attempts(5.0, 1.0, 2.0, 3, "it refuses (403)", "1:2:3:4")
    remember(str(tmp_path), "a", made)
    assert made == attempts(str(tmp_path), "a")
    for nonsense in (
        "",
        "[]",
        "{",
        '{"version": 1}',
        '{"version": 9}',
        '{"version": 1, "tried": [], "good": 0}',
    ):
        (tmp_path / "calendars" / "a.json").write_text(nonsense)
        assert Attempts() == attempts(str(tmp_path), "a")


def test_the_name_of_a_file_tells_nothing_of_a_private_address() -> None:
    """And another secret file is another calendar."""
    address = "https://example.org/private-123/basic.ics"
    assert "private" not in key(address, "", "")
    assert key(address, "", "") != key(address, "/etc/powernap/calendar", "")
