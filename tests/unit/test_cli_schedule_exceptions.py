"""``powernap schedule skip|extend|restore``: what is asked of the daemon, and the sentence about what is different."""

from __future__ import annotations

import argparse
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakedaemon import FakeDaemon
from powernap.cli import main, schedule_exceptions, schedule_week
from powernap.cli.schedule_exceptions import RefusalError, changes
from powernap.core.timetable import FREE, OFF, UP, Period
from powernap.host.clock import SystemClock
from unit.test_cli_schedule import LADDER, OFFICE, SCHEDULED, at, file, knows

__all__ = ["file"]

QUIET = (
    LADDER
    + """
[schedule.office]
type = "windows"
up = "Mon-Fri 07:30-18:00"

[schedule.night]
type = "windows"
off = ["daily 19:00-24:00", "daily 00:00-06:00"]
"""
)
LIMITS = {"until": None, "length": None, "why": "", "schedule": ""}


class Asked:
    """A daemon that remembers what it was asked, and answers as it is told."""

    def __init__(self, config: Path) -> None:
        self.config, self.requests, self.answers = config, [], dict[str, Any]()
        self.scheduled = dict(SCHEDULED)
        self.requests = list[dict[str, Any]]()

    def __call__(self, connection: socket.socket) -> None:
        request = json.loads(connection.recv(65536))
        known = {"status": {"config": [str(self.config)]}, "schedule": self.scheduled, **self.answers}
        if request["op"] not in {"status", "schedule"}:
            self.requests.append(request)
        connection.sendall(json.dumps({"ok": True, **known.get(request["op"], {})}).encode() + b"\n")


@pytest.fixture
def asked(file: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """It is the evening of a Tuesday in Berlin, and a daemon runs."""
    file.write_text(QUIET)
    monkeypatch.setattr(SystemClock, "wall", lambda _: at("2026-11-24 14:00"))
    daemon = Asked(file)
    with FakeDaemon(daemon) as running:
        monkeypatch.setenv("POWERNAP_SOCKET", running.path)
        yield daemon


def said(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    """What is printed, one line."""
    assert status == main.main(["schedule", *words])
    shown = capsys.readouterr()
    return (shown.out if status == 0 else shown.err).removesuffix("\n")


@pytest.mark.parametrize(
    ("words", "now", "name", "end", "says"),
    [
        (["office"], "2026-11-24 14:00", "office", "2026-11-24 18:00",
         "office is skipped until Tue 24 Nov 18:00: the ladder alone decides now; it may go off from Tue 24 Nov 19:00"),
        (["office"], "2026-11-24 18:30", "office", "2026-11-25 18:00",
         "office is skipped until Wed 25 Nov 18:00: the ladder alone decides from Wed 25 Nov 07:30; it may go off from Wed 25 Nov 19:00"),
        (["night"], "2026-11-24 20:00", "night", "2026-11-25 06:00",
         "night is skipped until Wed 25 Nov 06:00: the ladder alone decides now; it must be up from Wed 25 Nov 07:30"),
        ([], "2026-11-24 14:00", "", "2026-11-24 18:00",
         "every schedule is skipped until Tue 24 Nov 18:00: the ladder alone decides now; it may go off from Tue 24 Nov 19:00"),
        ([], "2026-11-24 18:30", "", "2026-11-25 06:00",
         "every schedule is skipped until Wed 25 Nov 06:00: the ladder alone decides from Tue 24 Nov 19:00; it must be up from Wed 25 Nov 07:30"),
        (["office", "--for", "30min"], "2026-11-24 14:00", "office", "2026-11-24 14:30",
         "office is skipped until Tue 24 Nov 14:30: the ladder alone decides now; it must be up from Tue 24 Nov 14:30"),
        (["--until", "20:00"], "2026-11-24 14:00", "", "2026-11-24 20:00",
         "every schedule is skipped until Tue 24 Nov 20:00: the ladder alone decides now; it may go off from Tue 24 Nov 20:00"),
        (["office", "--until", "tomorrow 07:00"], "2026-11-24 18:30", "office", "2026-11-25 07:00",
         "office is skipped until Wed 25 Nov 07:00: nothing changes by it; it must be up from Wed 25 Nov 07:30"),
    ],
)  # fmt: skip
def test_skip(
    words: list[str], now: str, name: str, end: str, says: str,
    asked: Asked, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Until what the schedule says now, or else next, ends, if nothing else is said; windows that touch are one."""
    monkeypatch.setattr(SystemClock, "wall", lambda _: at(now))
    assert says == said(capsys, "skip", *words)
    assert [{"op": "schedule-skip", "schedule": name, "start": at(now), "end": at(end)}] == asked.requests


def test_skipping_what_another_schedule_says_too_changes_nothing(
    asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    """And that one is named."""
    asked.config.write_text(QUIET + '[schedule.backup]\ntype = "windows"\nup = "Tue 12:00-20:00"\n')
    assert (
        "office is skipped until Tue 24 Nov 18:00: nothing changes by it, backup: Tue 12:00-20:00 says up; "
        "it may go off from Tue 24 Nov 20:00"
    ) == said(capsys, "skip", "office")


def test_who_skips_a_holiday_works_on_it(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    """Days by themselves say nothing; what they silence speaks again."""
    silenced = QUIET.replace('up = "Mon', 'unless = ["holidays"]\nup = "Mon')
    asked.config.write_text(silenced + '[schedule.holidays]\ntype = "dates"\ndays = "11-24"\n')
    assert (
        "holidays is skipped until Wed 25 Nov 00:00: the machine stays up now until Tue 24 Nov 18:00"
    ) in said(capsys, "skip", "holidays")


def test_what_is_skipped_already_is_not_what_is_skipped_next(
    asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    """Today's is; so the next one is tomorrow's."""
    hole = {
        "start": at("2026-11-24 07:00"),
        "end": at("2026-11-24 18:00"),
        "schedule": "office",
        "who": "root",
    }
    asked.scheduled["skipped"] = [hole]
    assert said(capsys, "skip", "office").startswith("office is skipped until Wed 25 Nov 18:00: ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--for", "2h"],
         "it is kept up until Tue 24 Nov 16:00: nothing changes by it, office: Mon-Fri 07:30-18:00 says up"),
        (["--until", "22:00", "--why", "patch day"],
         "it is kept up until Tue 24 Nov 22:00 (patch day): without this it would be off from Tue 24 Nov 19:00, free from Tue 24 Nov 18:00"),
    ],
)  # fmt: skip
def test_extend(words: list[str], says: str, asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    """From now on; what would hold otherwise is said."""
    assert says == said(capsys, "extend", *words)
    end = at("2026-11-24 22:00") if "--why" in words else at("2026-11-24 16:00")
    why = "patch day" if "--why" in words else ""
    assert [
        {"op": "schedule-extend", "start": at("2026-11-24 14:00"), "end": end, "why": why}
    ] == asked.requests


def test_restore(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    """All of them; what holds by it is said."""
    assert "no exception stood" == said(capsys, "restore")
    asked.scheduled["skipped"] = [
        {"start": at("2026-11-24 07:00"), "end": at("2026-11-24 18:00"), "schedule": "office", "who": "root"}
    ]
    assert "1 exception is taken back: the machine stays up now until Tue 24 Nov 18:00" == said(
        capsys, "restore"
    )
    asked.scheduled["extended"] = [
        {"start": at("2026-11-24 07:00"), "end": at("2026-11-24 20:00"), "why": "", "who": "root"}
    ]
    assert (
        "2 exceptions are taken back: the ladder alone decides from Tue 24 Nov 18:00 until Tue 24 Nov 19:00, "
        "the machine may go off from Tue 24 Nov 19:00 until Tue 24 Nov 20:00"
    ) == said(capsys, "restore")
    assert [{"op": "schedule-restore"}] * 3 == asked.requests


def test_restore_of_one_schedule(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    """The others stand; what is extended has a name too; one that is not configured any more may still be skipped."""
    stretch = {"start": at("2026-11-24 07:00"), "end": at("2026-11-24 20:00"), "who": "root"}
    asked.scheduled["skipped"] = [{**stretch, "schedule": name} for name in ("office", "night", "gone")]
    asked.scheduled["extended"] = [{**stretch, "why": ""}]
    assert (
        "1 exception is taken back: nothing changes by it, an exception: extended (root), office: Mon-Fri 07:30-18:00 says up"
        == said(capsys, "restore", "office")
    )
    assert said(capsys, "restore", "gone").startswith("1 exception is taken back: nothing changes by it")
    assert ("1 exception is taken back: the ladder alone decides now until Tue 24 Nov 20:00") == said(
        capsys, "restore", "extended"
    )
    assert ["office", "gone", "extended"] == [each["schedule"] for each in asked.requests]
    asked.scheduled["skipped"] = []
    document = json.loads(said(capsys, "restore", "night", "--json"))
    assert ("night", "no exception of night stood") == (document["schedule"], document["said"])
    asked.scheduled["skipped"] = [{**stretch, "schedule": ""}]
    assert "every schedule is skipped, which `powernap schedule restore` takes back" in said(
        capsys, "restore", "night"
    )
    assert 'no schedule is called "nihgt"; did you mean "night"?' in said(
        capsys, "restore", "nihgt", status=2
    )


def test_what_is_not_named_is_counted(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    """The sentence names three times, and how many more there are."""
    asked.config.write_text(QUIET.replace("18:00", "20:00"))
    text = said(capsys, "skip", "office", "--for", "8d")
    assert text.count("the machine may go off") == 1
    assert ", and 10 more times that `--json` names; it must be up from" in text
    assert ", and once more" in said(capsys, "skip", "office", "--for", "30h")


def test_what_follows_in_several_stretches_is_said_once(
    asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    """With who speaks between them."""
    asked.config.write_text(QUIET + '[schedule.backup]\ntype = "windows"\nup = "daily 02:30-03:30"\n')
    assert said(capsys, "skip", "night") == (
        "night is skipped until Wed 25 Nov 06:00: the ladder alone decides from Tue 24 Nov 19:00, "
        "but for what backup says; it must be up from Wed 25 Nov 07:30"
    )


def test_who_keeps_it_up_hears_of_the_off_first(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    """However many times of other kinds come before it."""
    windows = (
        'up = ["daily 14:10-14:20", "daily 14:30-14:40", "daily 14:50-15:00"]\noff = "daily 19:00-20:00"'
    )
    asked.config.write_text(f'{LADDER}[schedule.x]\ntype = "windows"\n{windows}\n')
    assert "without this it would be off from Tue 24 Nov 19:00, free now, " in said(
        capsys, "extend", "--until", "22:00"
    )


def test_the_document(asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    """What was done, until when, and what is different."""
    document = json.loads(said(capsys, "skip", "office", "--json"))
    assert {"version", "did", "schedule", "end", "end_iso", "changes", "said"} == document.keys()
    assert ("skip", "office", "2026-11-24T18:00:00+01:00") == tuple(
        document[key] for key in ("did", "schedule", "end_iso")
    )
    assert [("up", "free", at("2026-11-24 14:00"), at("2026-11-24 18:00"))] == [
        (each["was"], each["says"], each["start"], each["end"]) for each in document["changes"]
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["extend"], "an exception has an end, and none is given; add `--for 2h` or `--until 22:00`"),
        (["skip", "ofice"], 'no schedule is called "ofice"; did you mean "office"?'),
        (["skip", "--until", "today 08:00"], "Tue 24 Nov 08:00 is over; name a time that lies ahead"),
        (["extend", "--until", "soon"], '"soon" is not a time: "soon" is no day; write, for example'),
        (["extend", "--until", "now"], "Tue 24 Nov 14:00 is over; name a time that lies ahead"),
    ],
)
def test_wrong_usage_is_not_asked_of_the_daemon(
    words: list[str], says: str, asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2 with what to write."""
    assert said(capsys, *words, status=2).startswith(f"powernap: {says}")
    assert [] == asked.requests


@pytest.mark.parametrize(
    ("config", "name", "says"),
    [
        (LADDER, "", "no schedule is configured; so there is nothing to skip; see `powernap schedule`"),
        (OFFICE.replace("Mon-Fri", "Fri"), "office", ""),
        (LADDER + '[schedule.x]\ntype = "windows"\noff = "daily"\n', "x",
         "what x says now does not end in the next 8 days; say until when: `--until TIME`"),
        (LADDER + '[schedule.x]\ntype = "windows"\noff = "daily"\n', "",
         "what holds now does not end in the next 8 days; say until when: `--until TIME`"),
        (LADDER + '[schedule.x]\ntype = "dates"\ndays = "01-01"\nmeans = "up"\n', "x",
         "x says nothing in the next 8 days; say until when it is to be skipped: `--until TIME`"),
        (LADDER + '[schedule.x]\ntype = "dates"\ndays = "01-01"\nmeans = "up"\n', "",
         "no schedule says anything in the next 8 days; say until when it is to be skipped: `--until TIME`"),
    ],
)  # fmt: skip
def test_what_has_no_end_or_is_not_there_cannot_be_skipped_without_a_time(
    config: str, name: str, says: str
) -> None:
    """The remedy says what to add."""
    about = knows(config, "2026-11-24 14:00", alarm=None)
    args = argparse.Namespace(**{**LIMITS, "schedule": name})
    if not says:
        told = schedule_week.tell(about, about.now, about.now + schedule_exceptions.AHEAD)
        assert at("2026-11-27 18:00") == schedule_exceptions.end_of_speech(name, told, about)
        return
    with pytest.raises(RefusalError) as error:
        schedule_exceptions.skip(args, about)
    assert says == f"{error.value.message}; {error.value.remedy}"


@pytest.mark.parametrize("words", [["skip"], ["extend", "--for", "2h"], ["restore"]])
def test_without_the_daemon_nothing_can_be_done(
    words: list[str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 3 with what to do."""
    assert "powernap: powernapd is not running; start it" in said(capsys, *words, status=3)


def test_what_the_daemon_refuses_is_said_with_its_exit_status(
    asked: Asked, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is claimed."""
    refused = {"ok": False, "error": "user x may not schedule-skip", "remedy": "use sudo", "code": 3}
    asked.answers["schedule-skip"] = refused
    assert "powernap: user x may not schedule-skip; use sudo" == said(capsys, "skip", status=3)


def test_changes_are_where_two_timetables_differ() -> None:
    """From an instant on; neighbours that differ alike are one, whoever says so."""
    before = [Period(0, 10, UP), Period(10, 20, OFF), Period(20, 30, FREE)]
    after = [Period(0, 4, FREE), Period(4, 6, FREE, because=()), Period(6, 12, OFF), Period(12, 30, FREE)]
    assert [(2, 6, UP, FREE), (6, 10, UP, OFF), (12, 20, OFF, FREE)] == [
        (each.start, each.end, each.was.says, each.now.says) for each in changes(before, after, 2)
    ]
    assert [] == changes(before, before, 0)
    apart = [Period(0, 2, FREE), Period(2, 4, OFF), Period(4, 6, FREE)]
    twice = changes([Period(0, 2, UP), Period(2, 4, OFF), Period(4, 6, UP)], apart, 0)
    assert [(0, 2), (4, 6)] == [(each.start, each.end) for each in twice]
