"""``powernap schedule``: the coming days as text, as a picture and as a document."""

from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree as ET
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from calendars import calendar, read_into
from fakedaemon import FakeDaemon, Script
from machines import Clock
from powernap.cli import main, schedule, schedule_facts, schedule_picture, schedule_text, schedule_week
from powernap.cli.schedule_facts import document_of
from powernap.cli.schedule_rows import ASCII, BLOCKS, Picture, marks
from powernap.cli.schedule_week import Known, Told, tell
from powernap.config.load import build
from powernap.config.model import ScheduleConfig
from powernap.core.timetable import NAP, UP, Period, Span
from powernap.daemon import timetables
from powernap.host import calendars, zones
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.schedules import ScheduleError, ical
from unit.test_cli_commands import conversation

BERLIN = ZoneInfo("Europe/Berlin")
LADDER = """
mode = "act"
[[stage]]
name = "ease"
after = "2min"
actions = ["cpu-clock"]
[[stage]]
name = "suspend"
after = "30min"
sleep = "suspend"
[sleep]
proof = "override"
[monitor.load]
"""
OFFICE = (
    LADDER
    + """
[schedule.office]
type = "windows"
up = "Mon-Fri 07:30-18:00"

[schedule.night]
type = "windows"
nap = "daily 18:00-23:00"
deepest = "ease"
off = "daily 23:00-08:00"
"""
)
SCHEDULED: dict[str, Any] = {
    "ok": True,
    "version": 1,
    "skipped": [],
    "extended": [],
    "alarm": None,
    "need": None,
    "troubles": [],
    "lead": {"suspend": 0, "boot": 0},
}


def at(text: str, fold: int = 0) -> float:
    """``2026-11-23 14:05`` in Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()


def knows(text: str, now: str, **said: Any) -> Known:
    """A machine in Berlin with this configuration; what its daemon says, if anything."""
    running = {**SCHEDULED, **said} if said else {}
    local = zones.Local(BERLIN, "Europe/Berlin")
    absent = "" if said else "powernapd is not running"
    return Known(
        build([("powernap.toml", text)]), local, at(now), Host(TreeFiles("/nonexistent")), running, absent
    )


def week(about: Known, since: str, until: str, *, width: int = 80, **how: Any) -> str:
    """What is printed."""
    told = tell(about, at(since), at(until))
    stages = [stage.name for stage in about.config.stages]
    picture = Picture(told.periods, about.local.zone, about.now, stages, width, how.pop("signs", BLOCKS))
    return schedule_text.week(about, told, document_of(about, told), picture, **how)


GOLDEN = """\
Thu 22 Oct 2026 to Wed 28 Oct 2026, time of Europe/Berlin

            0     3     6     9     12    15    18    21    24
Thu 22 Oct  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁█████████████████████▓▓▓▓▓▓▓▓▓▓▁▁
Fri 23 Oct  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁█████████████████████▓▓▓▓▓▓▓▓▓▓▁▁
Sat 24 Oct  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁····················▓▓▓▓▓▓▓▓▓▓▁▁
                                    ▲ now, 12:10
Sun 25 Oct  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁····················▓▓▓▓▓▓▓▓▓▓▁▁  25h: 02:00-03:00 comes twice
Mon 26 Oct  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁█████████████████████▓▓▓▓▓▓▓▓▓▓▁▁
Tue 27 Oct  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁█████████████████████▓▓▓▓▓▓▓▓▓▓▁▁
Wed 28 Oct  ▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁█████████████████████▓▓▓▓▓▓▓▓▓▓▁▁

  █ up   ▓ may nap, at most ease   · free: the ladder alone decides   ▁ off
  a character is 30min, and shows what holds for most of it, or up if that is in it

  from              until             what                   says so                      overrules
  Sat 24 Oct 08:00  18:00             free                   the ladder alone decides
  Sat 24 Oct 18:00  23:00             may nap, at most ease  night: daily 18:00-23:00
  Sat 24 Oct 23:00  Sun 25 Oct 08:00  off                    night: daily 23:00-08:00
  Sun 25 Oct 08:00  18:00             free                   the ladder alone decides
  Sun 25 Oct 18:00  23:00             may nap, at most ease  night: daily 18:00-23:00
  Sun 25 Oct 23:00  Mon 26 Oct 07:30  off                    night: daily 23:00-08:00
  Mon 26 Oct 07:30  08:00             up                     office: Mon-Fri 07:30-18:00  night (off)
  Mon 26 Oct 08:00  18:00             up                     office: Mon-Fri 07:30-18:00
  Mon 26 Oct 18:00  23:00             may nap, at most ease  night: daily 18:00-23:00
  Mon 26 Oct 23:00  Tue 27 Oct 07:30  off                    night: daily 23:00-08:00
  Tue 27 Oct 07:30  08:00             up                     office: Mon-Fri 07:30-18:00  night (off)
  Tue 27 Oct 08:00  18:00             up                     office: Mon-Fri 07:30-18:00
  Tue 27 Oct 18:00  23:00             may nap, at most ease  night: daily 18:00-23:00
  Tue 27 Oct 23:00  Wed 28 Oct 07:30  off                    night: daily 23:00-08:00
  Wed 28 Oct 07:30  08:00             up                     office: Mon-Fri 07:30-18:00  night (off)
  Wed 28 Oct 08:00  18:00             up                     office: Mon-Fri 07:30-18:00
  Wed 28 Oct 18:00  23:00             may nap, at most ease  night: daily 18:00-23:00
  Wed 28 Oct 23:00  24:00 or later    off                    night: daily 23:00-08:00

  next alarm  not known: powernapd is not running
  conflict    "off" by night is overruled by "up" of office: Thu 22 Oct 07:30 until 08:00, and 4 more times"""


def test_a_week_in_which_the_clock_is_put_back() -> None:
    """Whole: the hours stand below their numbers all week, the day is said to be longer; what is over is only in the picture."""
    about = knows(OFFICE, "2026-10-24 12:10")
    assert GOLDEN == week(about, "2026-10-22", "2026-10-29")


def test_an_hour_that_the_clock_jumps_over_is_left_out() -> None:
    """Nothing holds in it."""
    about = knows(OFFICE, "2027-03-28 08:00")
    lines = week(about, "2027-03-28", "2027-03-29", signs=ASCII).splitlines()
    assert (
        "Sun 28 Mar  ____  __________....................==========__  23h: there is no 02:00-03:00"
        == lines[3]
    )


@pytest.mark.parametrize(
    ("width", "per_hour"), [(20, 1), (60, 1), (61, 2), (80, 2), (108, 2), (109, 4), (300, 4)]
)
def test_the_picture_is_as_fine_as_the_line_is_long(width: int, per_hour: int) -> None:
    """A quarter, half or whole hour a character; never wider than the line, but for one that is too short for a day."""
    about = knows(OFFICE, "2026-11-23 23:50")
    text = week(about, "2026-11-23", "2026-11-24", width=width)
    row, pointer = text.splitlines()[3:5]
    assert 12 + 24 * per_hour == len(row)
    assert pointer.strip() in {"▲ now, 23:50", "now, 23:50 ▲"}
    assert len(row) - 1 == pointer.index("▲")
    assert len(pointer) <= max(width, len(row))


def test_any_up_in_a_character_is_shown() -> None:
    """Else what holds longest; of two that hold as long, the one that comes first in the order."""
    jobs = '[schedule.{}]\ntype = "windows"\n{} = "{}"\n'
    text = (
        LADDER
        + jobs.format("job", "up", "daily 02:10-02:15")
        + jobs.format("off", "off", "daily 04:15-05:10")
    )
    about = knows(text, "2026-11-23 12:00")
    row = week(about, "2026-11-23", "2026-11-24", signs=ASCII).splitlines()[3]
    assert "Mon 23 Nov  ....#...__......" == row[:28]


def test_naps_are_told_apart_by_how_deep_they_may_be() -> None:
    """Those with a limit from the shallowest on; the last character is for those without."""
    names = ["a", "b", "c"]
    told = [Period(i * 3600.0, (i + 1) * 3600.0, NAP, name) for i, name in enumerate(["", "c", "a", "b"])]
    picture = Picture(told, ZoneInfo("UTC"), -1.0, names, 80, ASCII)
    assert "Thu 01 Jan  ~~--==--" == picture.draw()[1][:20]
    legend = "  = may nap, at most a   - may nap, at most b or may nap, at most c   ~ may nap"
    assert legend == picture.draw()[3]


@pytest.mark.parametrize(
    ("encoding", "plain", "signs"),
    [
        ("utf-8", False, BLOCKS),
        ("utf-8", True, ASCII),
        ("ascii", False, ASCII),
        ("latin-1", False, ASCII),
        ("nonsense", False, ASCII),
        (None, False, ASCII),
    ],
)
def test_blocks_only_where_they_can_be_shown(encoding: str | None, plain: bool, signs: Any) -> None:
    """And are wanted."""
    assert signs is marks(encoding, plain=plain)


def test_what_the_daemon_knows_is_said_below() -> None:
    """The alarm and for what, exceptions, who could not tell and since when."""
    about = knows(
        OFFICE,
        "2026-11-23 12:00",
        skipped=[
            {
                "start": at("2026-11-23 11:00"),
                "end": at("2026-11-23 18:00"),
                "schedule": "office",
                "who": "root",
            }
        ],
        extended=[
            {
                "start": at("2026-11-24 18:00"),
                "end": at("2026-11-24 20:00"),
                "why": "patch day",
                "who": "ann",
            },
            {
                "start": at("2026-11-23 11:30"),
                "end": at("2026-11-23 12:30"),
                "why": "",
                "who": "bob",
                "postponed": 3600.0,
            },
        ],
        alarm={"rtc": "rtc0", "at": at("2026-11-24 07:25")},
        need={"at": at("2026-11-24 07:30"), "schedule": "office", "detail": "Mon-Fri 07:30-18:00"},
        troubles=[
            {
                "schedule": "team",
                "reason": "no answer",
                "remedy": "is the server up?",
                "since": at("2026-11-20 06:00"),
            }
        ],
        lead={"suspend": 5, "boot": 120},
    )
    text = week(about, "2026-11-23", "2026-11-25")
    assert text.endswith("""\
  next alarm  rtc0 rings Tue 24 Nov 07:25, for office: Mon-Fri 07:30-18:00 at Tue 24 Nov 07:30; it takes 5s to resume and 2min to boot
  skipped     office until Mon 23 Nov 18:00 (by root)
  extended    up from Tue 24 Nov 18:00 until Tue 24 Nov 20:00 (by ann: patch day)
  postponed   up until Mon 23 Nov 12:30 (by bob)
  conflict    "off" by night is overruled by "up" of office: Mon 23 Nov 07:30 until 08:00, and once more
  attention   team cannot tell since Fri 20 Nov 06:00 (what it said last goes on): no answer -> is the server up?""")
    assert (
        "Mon 23 Nov 11:30  12:30             up                     an exception: postponed (bob)\n" in text
    )
    about.running["extended"][-1].update(postponed=0.0, off_until=at("2026-11-24 08:00"))
    assert text == week(about, "2026-11-23", "2026-11-25"), (
        "an admin has no limit, and postpones all the same"
    )
    assert "Mon 23 Nov 12:30  18:00             free " in text
    assert (
        "Tue 24 Nov 18:00  20:00             up                     an exception: patch day (ann)  night (may nap"
        in text
    )


@pytest.mark.parametrize(
    ("alarm", "need", "says"),
    [
        (None, None, "none: nothing that is known needs this machine to be woken"),
        (
            None,
            {"at": 0.0, "schedule": "x", "detail": ""},
            "none is set; the next that it must be up for is x at",
        ),
        ({"rtc": "rtc1", "at": 0.0}, None, "rtc1 rings Thu 01 Jan 1970 01:00"),
    ],
)
def test_the_alarm(alarm: Any, need: Any, says: str) -> None:
    """What is known of it."""
    text = week(knows(OFFICE, "2026-11-23 12:00", alarm=alarm, need=need), "2026-11-23", "2026-11-24")
    assert f"  next alarm  {says}" in text


def broken(about: Known) -> Known:
    """With a schedule that cannot tell."""
    schedules = {**about.config.schedules, "broken": ScheduleConfig("broken", "no-such-kind", None)}
    return dataclasses.replace(about, config=dataclasses.replace(about.config, schedules=schedules))


def test_a_schedule_that_cannot_tell_only_here() -> None:
    """Beside a daemon that can: whoever asks may read less. The picture has the others."""
    text = week(broken(knows(OFFICE, "2026-11-23 12:00", alarm=None)), "2026-11-23", "2026-11-24")
    assert (
        '  attention   broken cannot tell (only here, powernapd can): no schedule type is called "no' in text
    )
    assert "  Mon 23 Nov 18:00  23:00 " in text


def test_one_of_which_nothing_is_known_keeps_it_up_from_now_on() -> None:
    """So says the picture too; whether a daemon says so or none runs. It is no contradiction, and the alarm is not for it."""
    theirs = [
        {
            "schedule": "broken",
            "reason": "no such file",
            "remedy": "write it",
            "since": at("2026-11-20 06:00"),
        }
    ]
    for about in (knows(OFFICE, "2026-11-23 12:00"), knows(OFFICE, "2026-11-23 12:00", troubles=theirs, told_last={"broken": None})):  # fmt: skip
        text = week(broken(about), "2026-11-23", "2026-11-25")
        document = document_of(broken(about), tell(broken(about), at("2026-11-23"), at("2026-11-25")))
        up = [each for each in document["periods"] if each["end"] > about.now]
        assert {"up"} == {each["says"] for each in up}
        assert ["off", "up", "up"] == [each["says"] for each in document["periods"]][:3]
        assert [True] == [each["keeps_up"] for each in document["troubles"]]
        assert [("night", "office", 2)] == [
            (each["off"], each["up"], each["times"]) for each in document["conflicts"]
        ]
        assert "broken: cannot tell" in text
        assert (
            "(nothing is known of it, so the machine stays up until it can): no such" in text
            or "no schedule type" in text
        )


def test_of_one_that_told_powernapd_something_once_that_goes_on() -> None:
    """Although whoever asks could tell something else, or nothing. Beyond what it told nobody knows."""
    last = [{"start": at("2026-11-23 20:00"), "end": at("2026-11-23 21:00"), "says": "up", "deepest": ""},
            {"start": at("2026-11-30 20:00"), "end": at("2026-11-30 21:00"), "says": "up", "deepest": ""}]  # fmt: skip
    theirs = [
        {"schedule": name, "reason": "no answer", "remedy": "", "since": 0.0} for name in ("broken", "office")
    ]
    said = {
        "troubles": theirs,
        "told_last": {
            "broken": {"end": at("2026-11-23 23:00"), "spans": last},
            "office": {"end": at("2026-12-24"), "spans": []},
        },
    }
    about = broken(knows(OFFICE, "2026-11-23 12:00", **said))
    told = tell(about, at("2026-11-23"), at("2026-11-24"))
    beyond = "what it says from then on is not known"
    assert [(at("2026-11-23 20:00"), "as it said last"), (at("2026-11-23 23:00"), beyond)] == [
        (span.start, span.detail) for each in told.periods if each.says == UP for span in each.because
    ]
    assert {} == told.unknown


def test_one_that_says_more_than_is_taken_at_once_is_asked_for_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As powernapd does, as time goes by: nothing is unknown in between. Without end nobody goes on."""
    job = '[schedule.job]\ntype = "cron"\nat = "*/10 * * * *"\nstay = "1min"\n'
    about = knows(LADDER + job, "2026-11-23 12:00")
    monkeypatch.setattr(timetables, "SPANS_MAX", 500)
    told = tell(about, at("2026-11-23"), at("2026-12-03"))
    assert [1440] == [len(spans) for spans in told.answers.spans.values()]
    assert {"*/10 * * * *"} == {span.detail for each in told.periods for span in each.because}
    monkeypatch.setattr(schedule_week, "MOST", 600)
    told = tell(about, at("2026-11-23"), at("2026-12-03"))
    assert "what it says from then on is not known" == told.periods[-1].because[0].detail


def test_what_powernapd_cannot_tell_is_not_known_although_somebody_here_could() -> None:
    """Its files may be hidden from it."""
    theirs = [{"schedule": "office", "reason": "no such file", "remedy": "", "since": at("2026-11-20 06:00")}]
    about = knows(OFFICE, "2026-11-23 12:00", troubles=theirs, told_last={"office": None})
    told = tell(about, at("2026-11-23"), at("2026-11-24"))
    assert {"cannot tell"} == {
        span.detail for each in told.periods if each.says == UP for span in each.because
    }
    assert {"office": "no such file"} == told.unknown
    assert [True] == [each["keeps_up"] for each in schedule_facts.troubles(about, told)]


def test_what_is_skipped_need_not_be_known() -> None:
    """It keeps the machine up again when that ends."""
    theirs = [{"schedule": "office", "reason": "no such file", "remedy": "", "since": at("2026-11-20 06:00")}]
    hole = {"start": at("2026-11-23"), "end": at("2026-11-23 18:00"), "schedule": "office", "who": "root"}
    about = knows(OFFICE, "2026-11-23 12:00", troubles=theirs, told_last={"office": None}, skipped=[hole])
    told = tell(about, at("2026-11-23"), at("2026-11-24"))
    assert at("2026-11-23 18:00") == min(each.start for each in told.periods if each.says == UP)
    assert [False] == [each["keeps_up"] for each in schedule_facts.troubles(about, told)]


def test_who_may_not_read_and_has_no_daemon_does_not_know_that_it_stays_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Root could tell."""
    about = knows(LADDER + "[schedule.at-jobs]\n", "2026-11-23 12:00")
    error = ScheduleError("/var/spool/at cannot be read (Permission denied)", "run as root")
    answers = timetables.Answers(at("2026-11-23"), at("2026-11-24"), {}, {"at-jobs": error})
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert {} == schedule_week.again(about, answers, about.exceptions).unknown
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert {"at-jobs"} == schedule_week.again(about, answers, about.exceptions).unknown.keys()


def test_a_calendar_that_is_about_to_be_read_is_no_trouble(tmp_path: Path) -> None:
    """It is said that it is missing here, and keeps nothing up."""
    about = knows(LADDER + '[schedule.team]\ntype = "ical"\nsource = "/team.ics"\n', "2026-11-24 09:00")
    about = dataclasses.replace(about, host=Host(clock=Clock(about.now), state=str(tmp_path)))
    document = document_of(about, tell(about, at("2026-11-24"), at("2026-11-25")))
    assert ([], ["free"]) == (document["troubles"], [each["says"] for each in document["periods"]])
    assert ["team"] == [each["schedule"] for each in document["notes"]]
    text = week(about, "2026-11-24", "2026-11-25")
    assert "  attention   team: /team.ics has not been read yet, so what it says is missing here; " in text


def test_off_that_would_be_refused_is_said_above_the_picture() -> None:
    """With the remedy; only watching it would be; where nothing says off it is of no interest."""
    careful = OFFICE.replace('"override"', '"require"')
    lines = week(knows(careful, "2026-11-23 12:00"), "2026-11-23", "2026-11-24").splitlines()
    assert (
        "  attention  it will not go off where a schedule says so: no way to wake this machine from power-off is proven; "
        'run `powernap prove-wake --state power-off`, or set [sleep] proof = "override" if you know that there is one'
    ) == lines[2]
    watching = careful.replace('"act"', '"watch"')
    assert "  attention  it would not go off where" in week(
        knows(watching, "2026-11-23 12:00"), "2026-11-23", "2026-11-24"
    )
    assert "go off where" not in week(knows(careful, "2026-11-23 12:00"), "2026-11-23", "2026-11-23 17:00")


def test_what_cannot_be_here_is_refused_too(tmp_path: Path) -> None:
    """With an override as well."""
    about = knows(OFFICE + '[off]\nsleep = "hibernate"\n', "2026-11-23 12:00")
    (tmp_path / "sys/power").mkdir(parents=True)
    (tmp_path / "sys/power/state").write_text("freeze mem\n")
    about = dataclasses.replace(about, host=Host(TreeFiles(str(tmp_path))))
    assert "hibernate is not possible here: " in week(about, "2026-11-23", "2026-11-24").splitlines()[2]


def test_what_a_job_is_woken_for_is_no_contradiction() -> None:
    """It is said once, with how often, but for what is over; of one for which nobody is woken it is."""
    job = '[schedule.{}]\ntype = "cron"\nat = "30 2 * * *"\n'
    about = knows(OFFICE + job.format("backup") + job.format("other") + "wake = false\n", "2026-11-23 12:00")
    text = week(about, "2026-11-23", "2026-11-30")
    assert (
        '  woken for   backup, also while night says "off": Tue 24 Nov 02:30 until 02:40, and 5 more times\n'
        in text
    )
    assert '"off" by night is overruled by "up" of other: ' in text
    assert '"up" of backup' not in text


def test_what_is_far_away_is_shown_with_its_year() -> None:
    """What is near is not."""
    about = knows(OFFICE, "2026-11-23 12:00")
    assert "  Mon 24 Jan 2028 07:30  08:00 " in week(about, "2028-01-24", "2028-01-25", past=True)
    assert "  Mon 24 May 07:30  08:00 " in week(about, "2027-05-24", "2027-05-25", past=True)


def test_of_two_that_cannot_tell_the_daemon_counts() -> None:
    """It knows since when."""
    theirs = [{"schedule": "broken", "reason": "no answer", "remedy": "", "since": at("2026-11-20 06:00")}]
    about = broken(knows(OFFICE, "2026-11-23 12:00", troubles=theirs))
    found = document_of(about, tell(about, at("2026-11-23"), at("2026-11-24")))["troubles"]
    assert [("no answer", at("2026-11-20 06:00"), False)] == [
        (each["reason"], each["since"], each["only_here"]) for each in found
    ]


def test_a_section_is_where_something_of_it_is_given() -> None:
    """Its type need not be: the section's name is one."""
    config = build([("p.toml", LADDER + '[schedule.windows]\nup = "Sat"\n')])
    assert f"p.toml:{len(LADDER.splitlines()) + 2}" == schedule_week.where(config, "windows")
    assert "" == schedule_week.where(config, "nobody")


def test_who_only_watches_and_where_the_zone_is_unknown_is_said() -> None:
    """Nobody shall count on a wake that is not coming."""
    about = knows(OFFICE.replace('"act"', '"watch"'), "2026-11-23 12:00")
    about = dataclasses.replace(about, local=zones.Local(BERLIN, "UTC", "/etc/localtime leads nowhere"))
    text = week(about, "2026-11-23", "2026-11-24")
    assert '  attention   mode = "watch": powernapd says what it would do, and does nothing' in text
    assert "  attention   the machine's time zone is taken to be UTC: /etc/localtime leads nowhere" in text


def test_the_table_has_an_end() -> None:
    """A window every quarter of an hour has 96 rows and more a day."""
    times = ",".join(
        f"{hour:02}:{minute:02}-{hour:02}:{minute + 5:02}" for hour in range(24) for minute in (0, 15, 30, 45)
    )
    about = knows(LADDER + f'[schedule.job]\ntype = "windows"\nup = "daily {times}"\n', "2026-11-23 00:00")
    lines = week(about, "2026-11-23", "2026-11-24").splitlines()
    assert 60 == sum(line.startswith("  Mon 23 Nov") for line in lines)
    assert "  and 132 more: `--days 1` or `--json` shows them" in lines


def test_a_machine_without_schedules_says_so_and_how_to_begin() -> None:
    """What it shows is a configuration without faults."""
    text = week(knows(LADDER, "2026-11-23 12:00"), "2026-11-23", "2026-11-24")
    assert text.startswith("no schedule is configured: the ladder alone decides when this machine naps\n")
    example = "\n".join(line.removeprefix("  ") for line in text.splitlines() if line.startswith("  "))
    assert 3 == len(example.splitlines())
    assert ["office"] == list(build([("x", LADDER + example)]).schedules)


# ---------------------------------------------------------------- the drawn picture


def drawn(about: Known, since: str, until: str) -> ET.Element:
    return ET.fromstring(schedule_picture.draw(about, tell(about, at(since), at(until))))


def bars(picture: ET.Element, style: str = "") -> list[ET.Element]:
    """The rectangles that say what they are."""
    found = [each for each in picture.iter() if each.tag.endswith("rect") and len(each)]
    return [each for each in found if style in {"", each.get("class")}]


def test_the_drawn_picture_has_a_bar_for_each_part_of_each_day() -> None:
    """With what it is as its title; the present instant is a line."""
    about = knows(OFFICE, "2026-11-23 12:00")
    picture = drawn(about, "2026-11-23", "2026-11-30")
    # five days of off, up (overruling), up, nap, off; two of off, free, nap, off
    assert 5 * 5 + 2 * 4 == len(bars(picture))
    assert 10 == len(bars(picture, "s0"))
    assert 7 == len(bars(picture, "s1"))
    title = "Mon 23 Nov 07:30 until 08:00: up, says office: Mon-Fri 07:30-18:00; overrules night (off)"
    assert [title] == [bars(picture, "s0")[0][0].text]
    lines = [each for each in picture.iter() if each.get("class") == "now"]
    assert ["now, Mon 23 Nov 12:00"] == [each[0].text for each in lines]


def test_hours_that_come_twice_lie_above_each_other_and_those_that_never_come_are_empty() -> None:
    """Half as high each; and the day says how long it is."""
    half = [
        each
        for each in bars(drawn(knows(OFFICE, "2026-11-23 12:00"), "2026-10-25", "2026-10-26"))
        if each.get("height") == "2.4"
    ]
    assert 2 == len(half)
    assert 1 == len({(each.get("x"), each.get("width")) for each in half})
    assert 12.0 == float(half[1].get("y", 0)) - float(half[0].get("y", 0))
    spring = drawn(knows(OFFICE, "2026-11-23 12:00"), "2027-03-28", "2027-03-29")
    assert 1 == len(bars(spring, "never"))
    assert "23h · Sun 28 Mar" in [
        "".join(each.itertext()).removeprefix("23h: there is no 02:00-03:00") for each in spring.iter()
    ]


def test_somebody_elses_words_neither_break_the_picture_nor_drive_the_terminal() -> None:
    """A calendar's titles are whatever somebody wrote."""
    about = knows(OFFICE, "2026-11-23 12:00")
    told = tell(about, at("2026-11-23"), at("2026-11-24"))
    evil = [
        dataclasses.replace(each, because=(Span(0.0, 1.0, UP, "team", "<b>\x1b[31m\x00 & \ud800"),))
        for each in told.periods
    ]
    told = dataclasses.replace(told, periods=evil)
    ET.fromstring(schedule_picture.draw(about, told).encode())
    text = schedule_text.week(about, told, document_of(about, told), Picture(evil, BERLIN, about.now))
    assert "team: <b>?[31m? & ?" in text


# ---------------------------------------------------------------- the command


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration; nobody listens, and the machine is in Berlin."""
    monkeypatch.setenv("POWERNAP_SOCKET", str(tmp_path / "control"))
    monkeypatch.setattr(zones, "local", lambda _: zones.Local(BERLIN, "Europe/Berlin"))
    monkeypatch.setenv("COLUMNS", "80")
    path = tmp_path / "powernap.toml"
    path.write_text(OFFICE)
    return path


def answering(file: Path, **scheduled: Any) -> Script:
    """A daemon of this configuration."""
    return conversation([], status={"config": [str(file)]}, schedule={**SCHEDULED, **scheduled})


def test_the_command_needs_no_daemon(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It shows a draft by itself, from any day on, whole days."""
    assert 0 == main.main(["schedule", "--config", str(file), "--from", "2026-10-25 15:00", "--days", "1"])
    out = capsys.readouterr().out
    assert out.startswith("Sun 25 Oct 2026, time of Europe/Berlin\n")
    assert "\n  Sun 25 Oct 00:00  08:00           off " in out


@pytest.mark.parametrize(
    "words", [["--config", "X"], ["X"], ["--days", "1", "X"], ["X", "--days", "1"], ["--json", "X"]]
)
def test_a_draft_is_named_as_in_config_check(
    words: list[str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --config or without; and `config check` takes both too."""
    assert 0 == main.main(["schedule", *(word.replace("X", str(file)) for word in words)])
    assert "night" in capsys.readouterr().out
    assert 0 == main.main(
        [
            "config",
            "check",
            *([word.replace("X", str(file)) for word in words][:2] if "--config" in words else [str(file)]),
        ]
    )


@pytest.mark.parametrize(
    "given",
    [
        ["schedule", "tset"],
        ["schedule", "skip", "a.b"],
        ["schedule", "--config", "x.toml", "test"],
        ["schedule", "--svg", "x.svg"],
    ],
)
def test_a_word_that_is_no_path_stays_what_it_is(given: list[str]) -> None:
    """A misspelt verb, what stands behind one, the value of an option."""
    assert given == schedule.meant(given)


def test_the_command_asks_the_daemon_for_its_files_and_exceptions(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """So it shows what is in force; NO_COLOR also means letters only."""
    monkeypatch.setenv("NO_COLOR", "1")
    hole = {
        "start": at("2026-11-23 08:00"),
        "end": at("2026-11-23 18:00"),
        "schedule": "office",
        "who": "root",
    }
    with FakeDaemon(answering(file, skipped=[hole])) as daemon:
        monkeypatch.setenv("POWERNAP_SOCKET", daemon.path)
        assert 0 == main.main(["schedule", "--from", "2026-11-23", "--days", "1"])
    assert "Mon 23 Nov  _______________#....................==========__" in capsys.readouterr().out


def test_the_document(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each instant as seconds and as text with its offset; spans whole, where they lead out of the days too."""
    words = ["--from", "2026-10-25", "--days", "1", "--svg", str(tmp_path / "x.svg")]
    assert 0 == main.main(["schedule", "--config", str(file), "--json", *words])
    found = json.loads(capsys.readouterr().out)
    assert ("2026-10-25T00:00:00+02:00", at("2026-10-25")) == (found["start_iso"], found["start"])
    assert ("2026-10-26T00:00:00+01:00", at("2026-10-26")) == (found["end_iso"], found["end"])
    assert ["off", "free", "nap", "off"] == [each["says"] for each in found["periods"]]
    span = found["periods"][0]["because"][0]
    assert ("night", "2026-10-24T23:00:00+02:00") == (span["schedule"], span["start_iso"])
    assert f"{file}:{OFFICE.splitlines().index('[schedule.night]') + 2}" == found["schedules"][1]["where"]
    assert ET.parse(tmp_path / "x.svg").getroot().tag.endswith("svg")


def test_conflicts_are_of_pairs_and_an_exception_is_none() -> None:
    """Each once, with how often; touching occasions are one."""
    more = OFFICE + '[schedule.backup]\ntype = "windows"\nup = ["daily 07:00-07:45", "daily 07:45-07:50"]\n'
    about = knows(more, "2026-11-23 12:00", extended=[
        {"start": at("2026-11-23 23:00"), "end": at("2026-11-24 01:00"), "why": "", "who": "root"}
    ])  # fmt: skip
    told = tell(about, at("2026-11-23"), at("2026-11-30"))
    assert [("night", "backup", 7), ("night", "office", 5)] == sorted(
        (each["off"], each["up"], each["times"]) for each in document_of(about, told)["conflicts"]
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--from", "soon"], '"soon" is not a time: "soon" is no day; write, for example'),
        (["--days", "367"], "--days 367 is too many; ask for 366 at most"),
        (
            ["--svg", "/nonexistent/x.svg"],
            "/nonexistent/x.svg: No such file or directory; choose another name",
        ),
        (
            ["--config", "/nonexistent"],
            "/nonexistent: does not exist; check the spelling; `powernap config check /nonexistent`",
        ),
    ],
)
def test_wrong_usage(words: list[str], says: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, a sentence; as a document too."""
    given = ["schedule", "--config", str(file), *words]
    assert 2 == main.main(given)
    assert says in capsys.readouterr().err
    assert 2 == main.main([*given, "--json"])
    assert {"version", "error", "remedy"} == json.loads(capsys.readouterr().out).keys()


@pytest.mark.parametrize("named", ["", "0", "wide"])
def test_a_line_of_unknown_length_has_80_characters(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody says, and standard output is no terminal."""
    monkeypatch.setenv("COLUMNS", named)
    assert 80 == schedule.width()


def test_told_periods_are_of_the_time_asked(file: Path) -> None:
    """Without gaps from the first instant to the last."""
    about = knows(OFFICE, "2026-11-23 12:00")
    told: Told = tell(about, at("2026-11-23"), at("2026-11-30"))
    assert (at("2026-11-23"), at("2026-11-30")) == (told.periods[0].start, told.periods[-1].end)


def test_an_old_copy_of_a_calendar_and_what_it_leaves_out_are_said(tmp_path: Path) -> None:
    """Since when, and why; what it says holds."""
    about = knows(LADDER + '[schedule.team]\ntype = "ical"\nsource = "/team.ics"\n', "2026-11-24 09:00")
    about = dataclasses.replace(about, host=Host(clock=Clock(about.now), state=str(tmp_path)))
    options = about.config.schedules["team"].options
    broken = [f"UID:{n}\nDTSTART:2026112{n}T100000Z\nRRULE:FREQ=SOMETIMES\nSUMMARY:Odd" for n in range(5)]
    meeting = "DTSTART:20261124T100000Z\nDTEND:20261124T110000Z\nSUMMARY:Meeting"
    assert "" == read_into(about.host, options, calendar(meeting, *broken))
    made = calendars.Attempts(about.now, at("2026-11-20 06:00"), at("2026-11-20 07:00"), 9, "no answer")
    calendars.remember(str(tmp_path), ical.key(options), made)
    text = week(about, "2026-11-24", "2026-11-25")
    assert "  Tue 24 Nov 11:00  12:00           up    team: Meeting\n" in text
    assert "  attention   team cannot tell since Fri 20 Nov 07:00 (what it said last goes on): " in text
    assert 3 == text.count('\n  attention   team: "Odd"')
    assert "\n  attention   and 2 more such: `--json` shows them" in text
