"""The process that reads calendars: what it may not do, what it may use, and what is left when it ends otherwise than it should."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC
from pathlib import Path

import pytest

from calendars import calendar, instant
from machines import Clock
from powernap.host import calendar_reader
from powernap.host.host import Host
from powernap.host.transient_unit import environment
from powernap.schedules._ical_upkeep import DAY
from powernap.schedules.ical import Options, due, refresh, spans

NOON = instant("2026-11-23T12:00Z")
GOOD = calendar("DTSTART:20261124T100000Z\nDTEND:20261124T110000Z\nSUMMARY:Good\nRRULE:FREQ=WEEKLY")
HOUR = "SUMMARY:It\nDTSTART:20261124T100000Z\nDTEND:20261124T110000Z"
ENDLESS = HOUR + "\nRRULE:FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30"


LONG = {
    "one line of 5 MiB": HOUR + "\nDESCRIPTION:" + "x" * (5 << 20),
    "5 MiB of a parameter": HOUR + '\nLOCATION;X-A="' + "b;,:" * (5 << 18) + '":here',
    "5 MiB in folds": HOUR + "\nDESCRIPTION:x" + "\n x" * (5 << 18),
}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A machine at noon, with a daemon that has a directory."""
    return Host(clock=Clock(NOON), state=str(tmp_path / "state"))


@pytest.fixture
def options(tmp_path: Path) -> Options:
    """A file that root alone may read."""
    path = tmp_path / "a.ics"
    path.write_bytes(GOOD)
    path.chmod(0o600)
    return Options(source=str(path))


def titles(host: Host, options: Options) -> list[str]:
    """What the schedule says for a week."""
    return [span.detail for span in spans(host, options, NOON, NOON + 7 * DAY, UTC)]


def python(code: str, given: bytes = b"", *flags: str) -> subprocess.CompletedProcess[bytes]:
    """A few lines in a process as the reader's."""
    words = [sys.executable, "-s", "-P", *flags, "-c", code]
    return subprocess.run(
        words, input=given, capture_output=True, cwd="/", env=environment(), check=False, timeout=120
    )


# --- what it may not do


@pytest.mark.root
def test_it_is_nobody_for_good() -> None:
    """No user, no group, no capability of root's, no way back to them, no children, and no program with more rights than its own."""
    code = """
import os
from powernap.ical import bounds
bounds.become_nobody(); bounds.confine()
print(open("/proc/self/status").read())
for attempt in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), os.fork):
    try: attempt()
    except OSError as error: print("refused", error.errno)
"""
    words = [sys.executable, "-s", "-P", "-c", code]
    done = subprocess.run(words, capture_output=True, check=False, env=environment(), extra_groups=[0, 4, 24])
    facts = dict(line.split(":\t", 1) for line in done.stdout.decode().splitlines() if ":\t" in line)
    assert len({*facts["Uid"].split(), *facts["Gid"].split()} - {"65534"}) == 0
    assert facts["Groups"].strip() == ""
    assert {int(facts[name], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapAmb")} == {0}
    assert facts["NoNewPrivs"] == "1"
    assert done.stdout.count(b"refused") == 4


@pytest.mark.parametrize("online", [True, False])
def test_its_unit_is_understood_and_closed(
    online: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By systemd's own judgement of what the transient unit is given: at most 1.5 of 10, as for everything that takes strangers' bytes."""
    monkeypatch.setattr(calendar_reader, "out_of_reach", lambda: False)
    words = calendar_reader.command("/usr/bin/systemd-run", online=online)
    given = [word.removeprefix("--property=") for word in words if word.startswith("--property=")]
    unit = tmp_path / "powernap-calendar.service"
    unit.write_text("\n".join(["[Service]", "Type=exec", "ExecStart=/bin/true", *given, ""]))
    verify = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, check=False)
    assert (0, b"", b"") == (verify.returncode, verify.stdout, verify.stderr)
    judge = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", str(unit)]
    assert subprocess.run(judge, capture_output=True, check=False).returncode == 0


def test_one_that_cannot_give_up_its_privileges_reads_nothing() -> None:
    """As where a service manager has taken the right to: it says so and ends."""
    code = """
import sys
from powernap.ical import __main__ as reader, bounds
def refused(): raise PermissionError(1, "Operation not permitted")
bounds.become_nobody = refused
sys.exit(reader.main())
"""
    done = python(code, b"{}\n" + GOOD)
    assert (1, b"") == (done.returncode, done.stdout)
    assert b"cannot give up its privileges" in done.stderr


def test_without_the_libraries_it_says_which() -> None:
    """The daemon runs on without its calendar, and tells what to install."""
    done = python(
        "import sys; from powernap.ical.__main__ import main; sys.exit(main())", b"{}\n" + GOOD, "-S"
    )
    assert "is not installed" in json.loads(done.stdout.splitlines()[0])["trouble"]


# --- what it may use


def limited(limit: str, given: bytes) -> str:
    """What it says of a calendar with another limit than usual."""
    code = f"import sys; from powernap.ical import __main__ as reader, bounds; reader.load(); bounds.{limit}; sys.exit(reader.main())"
    request = json.dumps({"start": NOON - DAY, "end": NOON + 400 * DAY}).encode() + b"\n"
    done = python(code, request + given)
    assert done.returncode == 0
    trouble: str = json.loads(done.stdout.splitlines()[0]).get("trouble", "")
    return trouble


def test_a_rule_that_is_looked_for_in_vain_ends_with_its_processor_time() -> None:
    """Each minute of the thirtieth of February: no date to be counted ever comes. By the event's name."""
    trouble = limited("PROCESSOR = 2", calendar(*[ENDLESS] * 10))
    assert trouble == '"It": working it out takes more than 2 s of processor time'


def test_a_calendar_that_needs_too_much_memory_ends_in_a_sentence() -> None:
    """Not in a machine that swaps, nor in a traceback."""
    trouble = limited(
        "MEMORY = int(open('/proc/self/statm').read().split()[0]) * 4096 + (16 << 20)",
        calendar(LONG["5 MiB in folds"]),
    )
    assert re.fullmatch(r"reading it takes more than \d+ MiB of memory", trouble)


HOSTILE = {
    "each second": calendar(HOUR + "\nRRULE:FREQ=SECONDLY"),
    "each second since 1970": calendar("SUMMARY:It\nDTSTART:19700101T000000Z\nRRULE:FREQ=SECONDLY"),
    "a cut": GOOD[: len(GOOD) // 2],
    "another encoding": GOOD.decode().encode("utf-16"),
    "nothing": b"",
    "no text": os.urandom(100_000),
    "too large": b"BEGIN:VCALENDAR\r\n" + b"X" * (11 << 20),
}


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_is_no_good_calendar_keeps_the_last_good_one(host: Host, options: Options, hostile: str) -> None:
    """And says since when. When the file is good again, so is the schedule."""
    path = Path(options.source)
    refresh(host, options)
    path.write_bytes(HOSTILE[hostile])
    host.clock.now = NOON + 60  # type: ignore[attr-defined]
    assert due(host, options) == 0
    found = refresh(host, options)
    assert (NOON, NOON + 60) == (found.good, found.since)
    assert found.reason.startswith(f"{options.source}: ")
    assert titles(host, options) == ["Good"]
    path.write_bytes(GOOD.replace(b"Good", b"Better"))
    host.clock.now = NOON + 120  # type: ignore[attr-defined]
    assert due(host, options) == 0
    assert refresh(host, options).since == 0
    assert titles(host, options) == ["Better"]


@pytest.mark.parametrize("long", LONG)
def test_long_lines_are_no_trouble(host: Host, options: Options, long: str) -> None:
    """An event with a picture in it is an event."""
    Path(options.source).write_bytes(calendar(LONG[long]))
    assert refresh(host, options).reason == ""
    assert titles(host, options) == ["It"]


# --- what is left when it ends otherwise


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.kill(os.getpid(), 9)", "too much processor time or memory"),
        ("import sys; sys.exit('no luck')", "exit status 1): no luck"),
        ("print('hello')", "not understood"),
        ("pass", "not understood"),
        ('print(\'{"version": 1, "count": 1, "size": 0}\')', "not understood"),
        ("import time; time.sleep(1000)", "longer than"),
    ],
)
def test_another_end_or_another_answer_keeps_the_last_good_copy(
    host: Host, options: Options, code: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed, crashed, taken over by a stranger's code, hanging: the schedule goes on, and says what happened."""
    refresh(host, options)
    monkeypatch.setattr(calendar_reader, "command", lambda *_, **__: [sys.executable, "-c", code])
    monkeypatch.setattr(calendar_reader, "NETWORK", -94.0 if "sleep" in code else 60.0)
    host.clock.now = NOON + 60  # type: ignore[attr-defined]
    found = refresh(host, options)
    assert said in found.reason
    assert found.since == NOON + 60
    assert titles(host, options) == ["Good"]


def test_what_cannot_be_started_is_said(
    host: Host, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Python that was removed under a daemon that runs."""
    monkeypatch.setattr(calendar_reader, "command", lambda *_, **__: ["/nowhere/python"])
    assert "cannot be started: No such file" in refresh(host, options).reason


# --- files


@pytest.mark.parametrize(
    ("kind", "said"), [("fifo", "no file"), ("directory", "no file"), ("missing", "No such file")]
)
def test_what_is_no_file_is_not_waited_for(host: Host, options: Options, kind: str, said: str) -> None:
    """A pipe that nobody writes to would hold whoever opens it."""
    os.unlink(options.source)
    if kind != "missing":
        {"fifo": os.mkfifo, "directory": os.mkdir}[kind](options.source)
    assert said in refresh(host, options).reason


def test_a_file_that_went_away_keeps_its_last_good_copy_further_ahead(host: Host, options: Options) -> None:
    """A share that is not mounted for months."""
    refresh(host, options)
    os.unlink(options.source)
    host.clock.now = NOON + 300 * DAY  # type: ignore[attr-defined]
    assert due(host, options) == 0
    found = refresh(host, options)
    assert "No such file" in found.reason
    assert (NOON, NOON + 300 * DAY) == (found.good, found.since)
    late = NOON + 690 * DAY
    assert len(list(spans(host, options, late, late + 7 * DAY, UTC))) == 1


def test_a_disk_that_keeps_nothing_is_said_and_not_tried_without_end(host: Host, options: Options) -> None:
    """The state directory is a file: nothing can be written below it."""
    Path(host.state).write_text("in the way")
    found = refresh(host, options)
    assert "cannot be kept" in found.reason
    assert found.since == NOON
    assert due(host, options) == 30


def children_of_this() -> set[str]:
    """The processes that this one has started and not waited for: other tests in it may have some."""
    return {
        number for each in Path("/proc/self/task").glob("*/children") for number in each.read_text().split()
    }


def test_nothing_is_left_open(host: Host, options: Options) -> None:
    """No descriptor and no process of it, whatever became of it."""
    refresh(host, options)
    before, children = sorted(os.listdir("/proc/self/fd")), children_of_this()
    for given in (GOOD, b"nonsense", b"BEGIN:VCALENDAR\r\n" + b"X" * (11 << 20)):
        Path(options.source).write_bytes(given)
        refresh(host, options)
    assert before == sorted(os.listdir("/proc/self/fd"))
    assert children_of_this() == children
