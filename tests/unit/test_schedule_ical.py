"""schedules/ical.py: what calendars say, from the last good copy alone."""

from __future__ import annotations

import os
import re
import sys
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from calendars import PROGRAMS, calendar, content, expected, instant, read_into, utc
from machines import Clock
from powernap.core.options import REQUIRED
from powernap.core.timetable import Span
from powernap.host import calendars
from powernap.host.host import Host
from powernap.schedules import ScheduleError, _ical_source, find, ical
from powernap.schedules._ical_upkeep import AHEAD, BEHIND, DAY, FIRST_PAUSE, LONGEST_PAUSE, RENEWED
from powernap.schedules.ical import Options, due, probe, shown, spans, state, watched

NOON = instant("2026-11-23T12:00Z")
BERLIN = ZoneInfo("Europe/Berlin")
ADDRESS = "https://cloud.example.org:8443/private-0123456789abcdef/basic.ics?export"


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A machine at noon, with a daemon that has a directory."""
    return Host(clock=Clock(NOON), state=str(tmp_path))


def said(host: Host, options: Options, zone: tzinfo = UTC, days: float = 7) -> list[Span]:
    """From noon on, for a week."""
    return list(spans(host, options, NOON, NOON + days * DAY, zone))


# --- what calendar programs show


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_calendar_is_what_its_program_shows(host: Host, program: str) -> None:
    """Recurrences, moved and cancelled ones, zones of their own and of Windows, whole days, times without a zone, over changes of the clock."""
    wanted, options = expected(program), Options(source=f"/{program}.ics")
    host = Host(clock=Clock(wanted.start), state=host.state)
    assert read_into(host, options, content(program)) == ""
    found = spans(host, options, wanted.start, wanted.end, wanted.zone)
    assert wanted.events == sorted((utc(span.start), utc(span.end), span.detail) for span in found)
    assert state(host, options).notes == ()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_part_of_the_time_tells_that_part(host: Host, program: str) -> None:
    """Asked of each hour, it tells what touches that hour, whole."""
    wanted, options = expected(program), Options(source=f"/{program}.ics")
    host = Host(clock=Clock(wanted.start), state=host.state)
    read_into(host, options, content(program))
    everything = list(spans(host, options, wanted.start, wanted.end, wanted.zone))
    for hour in range(int(wanted.start), int(wanted.end), 7 * 3600):
        touching = [span for span in everything if span.start < hour + 3600 and span.end > hour]
        assert touching == list(spans(host, options, hour, hour + 3600, wanted.zone))


# --- what is said of an event


def test_an_event_says_what_the_schedule_means(host: Host) -> None:
    """With its title, and how deep a nap may be."""
    options = Options(source="/a.ics", means="nap", deepest="ease")
    read_into(host, options, calendar("DTSTART:20261124T100000Z\nDTEND:20261124T110000Z\nSUMMARY:Quiet"))
    start = instant("2026-11-24T10:00Z")
    assert [Span(start, start + 3600, "nap", detail="Quiet", deepest="ease")] == said(host, options)


CHOICE = calendar(
    "DTSTART:20261124T100000Z\nDURATION:PT1H\nSUMMARY:Server: load test\nCATEGORIES:Servers,Work",
    "DTSTART:20261125T100000Z\nDURATION:PT1H\nSUMMARY:Dentist\nCATEGORIES:Private\nTRANSP:TRANSPARENT",
    "DTSTART:20261126T100000Z\nDURATION:PT1H\nCATEGORIES:Private\nCATEGORIES:servers",
)


@pytest.mark.parametrize(
    ("options", "days"),
    [
        (Options(source="/a.ics"), [24, 25, 26]),
        (Options(source="/a.ics", only="^Server"), [24]),
        (Options(source="/a.ics", only="(?i)DENT|load"), [24, 25]),
        (Options(source="/a.ics", categories=("Servers",)), [24, 26]),
        (Options(source="/a.ics", categories=("private", "work")), [24, 25, 26]),
        (Options(source="/a.ics", transparent=False), [24, 26]),
        (Options(source="/a.ics", only="Server", categories=("Private",)), []),
    ],
)
def test_events_are_chosen_by_title_category_and_whether_they_are_free(
    host: Host, options: Options, days: list[int]
) -> None:
    """Free ones count unless they are told not to: holidays and whole days are free in most programs."""
    read_into(host, options, CHOICE)
    assert days == [int(utc(span.start)[8:10]) for span in said(host, options)]


def test_a_private_event_is_not_named(host: Host) -> None:
    """Anybody may ask the daemon; the choice by title still sees it."""
    options = Options(source="/a.ics", only="Doctor")
    read_into(
        host,
        options,
        calendar(
            "DTSTART:20261124T100000Z\nDURATION:PT1H\nSUMMARY:Doctor\nCLASS:CONFIDENTIAL",
            "DTSTART:20261125T100000Z\nDURATION:PT1H\nSUMMARY:Doctor Who",
        ),
    )
    assert ["a private event", "Doctor Who"] == [span.detail for span in said(host, options)]


def test_whole_days_are_the_local_ones(host: Host) -> None:
    """Of the section's zone, else of the machine's; a new zone needs no new copy."""
    for zone, local in (("", BERLIN), ("Europe/Berlin", UTC)):
        options = Options(source="/a.ics", zone=zone)
        read_into(host, options, calendar("DTSTART;VALUE=DATE:20261125"))
        (span,) = said(host, options, local)
        assert ("2026-11-24 23:00Z", "2026-11-25 23:00Z") == (utc(span.start), utc(span.end))
    (span,) = said(host, Options(source="/a.ics"), ZoneInfo("Pacific/Auckland"))
    assert utc(span.start) == "2026-11-24 11:00Z"


@pytest.mark.parametrize(
    ("times", "found"),
    [
        ("DTSTART:20260329T021500\nDTEND:20260329T024500", ("01:15Z", "01:45Z")),
        ("DTSTART:20260329T014500\nDTEND:20260329T021500", ("00:45Z", "01:15Z")),
        ("DTSTART:20260329T023000\nDTEND:20260329T031500", ("01:30Z", "02:15Z")),
    ],
)
def test_a_time_that_the_clock_leaves_out_is_later_by_as_much(
    host: Host, times: str, found: tuple[str, str]
) -> None:
    """In Berlin there is no half past two on 29 March 2026; whatever begins then lasts as long as it would have."""
    options, now = Options(source="/a.ics"), instant("2026-03-28T12:00Z")
    host = Host(clock=Clock(now), state=host.state)
    read_into(host, options, calendar(times))
    (span,) = spans(host, options, now, now + DAY, BERLIN)
    assert found == (utc(span.start)[11:], utc(span.end)[11:])


def test_an_event_without_an_end_holds_at_any_time(host: Host) -> None:
    """Programs write "for ever" as the year 9999; in any zone."""
    options = Options(source="/a.ics")
    read_into(
        host,
        options,
        calendar(
            "DTSTART;VALUE=DATE:20200229\nDTEND;VALUE=DATE:99991231",
            "DTSTART:20200229T000000Z\nDTEND:99991231T235959Z",
        ),
    )
    for zone in (UTC, BERLIN, ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Honolulu")):
        assert len(said(host, options, zone)) == 2


def test_of_a_time_that_the_clock_shows_twice_the_first_is_meant(host: Host) -> None:
    """RFC 5545, 3.3.5; with a zone and without one."""
    options, now = Options(source="/a.ics"), instant("2026-10-24T12:00Z")
    host = Host(clock=Clock(now), state=host.state)
    times = "DTSTART{0}:20261025T023000\nDTEND{0}:20261025T024500"
    read_into(host, options, calendar(times.format(";TZID=Europe/Berlin"), times.format("")))
    assert {("2026-10-25 00:30Z", "2026-10-25 00:45Z")} == {
        (utc(span.start), utc(span.end)) for span in spans(host, options, now, now + DAY, BERLIN)
    }


# --- no copy, or an old one


def test_without_a_copy_it_cannot_tell(host: Host) -> None:
    """Whether it was never tried, has always failed, or there is nowhere to keep one."""
    options = Options(source=ADDRESS)
    with pytest.raises(ScheduleError, match="has not been read yet"):
        said(host, options)
    calendars.remember(
        host.state, ical.key(options), calendars.Attempts(1.0, 0.0, 1.0, 1, "it refuses (403)")
    )
    with pytest.raises(
        ScheduleError, match=r"^https://cloud.example.org:8443 could never be read: it refuses"
    ):
        said(host, options)
    with pytest.raises(ScheduleError, match="no directory"):
        said(Host(clock=Clock(NOON)), options)


def test_where_a_library_is_missing_it_is_said_how_to_install_it(host: Host) -> None:
    """Into the environment that powernap runs in: where nothing is known, and where the last copy goes on."""
    options = Options(source="/a.ics")
    failed = calendars.Attempts(NOON, 0.0, NOON, 1, "the library icalendar is not installed")
    calendars.remember(host.state, ical.key(options), failed)
    install = f"{sys.prefix}/bin/pip install '.[ical]' in PowerNap's source"
    with pytest.raises(ScheduleError, match="could never be read: the library icalendar") as caught:
        said(host, options)
    assert caught.value.remedy == install
    read_into(host, options, calendar("DTSTART;VALUE=DATE:20261125"))
    calendars.remember(host.state, ical.key(options), failed)
    assert ical.state(host, options).reason == f"/a.ics: {failed.reason}; {install}"


def test_a_copy_that_does_not_reach_so_far_is_not_taken_for_an_empty_calendar(host: Host) -> None:
    """After more than a year without a newer one it says that it cannot tell."""
    options = Options(source="/a.ics")
    read_into(host, options, calendar("DTSTART;VALUE=DATE:20261125\nRRULE:FREQ=DAILY"))
    late = NOON + AHEAD
    assert list(spans(host, options, late - DAY, late + DAY, UTC))
    with pytest.raises(ScheduleError, match="too old to tell"):
        list(spans(host, options, late, late + DAY, UTC))


def test_a_copy_that_was_damaged_is_no_copy(host: Host) -> None:
    """Neither one whose head is not understood nor one in whose events something else stands."""
    options = Options(source="/a.ics")
    read_into(host, options, calendar("DTSTART;VALUE=DATE:20261125"))
    path = Path(host.state, "calendars", f"{ical.key(options)}.events")
    lines = path.read_bytes().split(b"\n", 2)
    path.write_bytes(b"\n".join([lines[0], b"{}", lines[2]]))
    with pytest.raises(ScheduleError, match="cannot be read"):
        said(host, options)
    path.write_bytes(b"[]")
    with pytest.raises(ScheduleError, match="has not been read yet"):
        said(host, options)


# --- when it is due


def copied(host: Host, options: Options, **attempts: float) -> None:
    """A copy, and how the latest attempts went."""
    read_into(host, options, calendar("DTSTART;VALUE=DATE:20261125"))
    made = {"tried": NOON, "good": NOON} | attempts
    calendars.remember(host.state, ical.key(options), calendars.Attempts(**made))  # type: ignore[arg-type]


def test_what_was_never_read_is_due_at_once(host: Host) -> None:
    """And where nothing can be kept, never."""
    assert due(host, Options(source=ADDRESS)) == 0
    assert due(Host(clock=Clock(NOON)), Options(source=ADDRESS)) == float("inf")


def test_an_address_is_due_when_its_time_has_passed(host: Host) -> None:
    """Also after a sleep of any length, and at once where the clock was put back."""
    options = Options(source=ADDRESS, every=7200)
    copied(host, options)
    for passed, left in ((0, 7200), (7000, 200), (7200, 0), (90 * DAY, 0), (-60, 0)):
        assert left == due(Host(clock=Clock(NOON + passed), state=host.state), options)


def test_one_that_fails_is_asked_later_each_time(host: Host) -> None:
    """Half a minute, a minute, two, and an hour at most."""
    options = Options(source=ADDRESS)
    pauses = []
    for fails in (1, 2, 3, 9, 10_000):
        copied(host, options, since=NOON, fails=fails)
        pauses.append(due(host, options))
    assert [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE] == pauses


def test_a_file_is_due_when_it_is_another_or_its_copy_ends_too_soon(host: Host, tmp_path: Path) -> None:
    """A change is seen also where another file is put in its place with the same size."""
    path = tmp_path / "a.ics"
    path.write_bytes(calendar("DTSTART;VALUE=DATE:20261125"))
    options = Options(source=str(path))
    read_into(host, options, path.read_bytes())
    made = calendars.Attempts(NOON, NOON, origin=ical.origin(host, options))
    calendars.remember(host.state, ical.key(options), made)
    assert due(host, options) == RENEWED
    assert due(Host(clock=Clock(NOON + RENEWED), state=host.state), options) == 0
    other = tmp_path / "b.ics"
    other.write_bytes(path.read_bytes())
    os.replace(other, path)
    assert due(host, options) == 0


def test_the_state_tells_since_when_it_fails_and_why(host: Host) -> None:
    """And of an address no more than its server."""
    options = Options(source=ADDRESS)
    copied(host, options, since=NOON + 60, fails=2)
    path = Path(host.state, "calendars", f"{ical.key(options)}.json")
    path.write_text(path.read_text().replace('"reason": ""', '"reason": "it has no calendar there (404)"'))
    found = state(host, options)
    assert (NOON, NOON + 60) == (found.good, found.since)
    assert found.reason == "https://cloud.example.org:8443: it has no calendar there (404)"
    assert state(Host(clock=Clock(NOON)), options) == ical.State()


# --- options


@pytest.mark.parametrize("means", ["off", "nap", "days"])
def test_what_anybody_on_the_way_can_change_may_only_keep_it_awake(means: str) -> None:
    """Regression: a neighbour in the LAN could have switched it off."""
    with pytest.raises(ValueError, match="write https://"):
        ical.Options("http://nas.example.org/a.ics", means=means)
    ical.Options("http://nas.example.org/a.ics", means="up")
    ical.Options("http://localhost/a.ics", means=means)
    ical.Options("https://nas.example.org/a.ics", means=means)


@pytest.mark.parametrize(
    "source",
    [
        "/srv/a b.ics",
        "https://example.org/a.ics",
        "webcal://p01-cal.example.com/published/2/MTIz",
        "http://[::1]:8080/x?y=%20",
        "https://example.org",
    ],
)
def test_paths_and_addresses_are_sources(source: str) -> None:
    """Webcal is how Apple's programs write https."""
    assert _ical_source.wrong(source) is None


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("a.ics", "neither"),
        ("file:///etc/shadow", "neither"),
        ("ftp://example.org/a.ics", "neither"),
        ("https://", "neither"),
        ("https://example.org/a b.ics", "neither"),
        ("https://example.org/a\nb", "neither"),
        ("/srv/a\nb.ics", "neither"),
        ("https://ada:secret@example.org/a.ics", "secret_file"),
    ],
)
def test_anything_else_is_not(source: str, said: str) -> None:
    """Above all no address with a password in it; that password is not repeated."""
    complaint = _ical_source.wrong(source)
    assert complaint is not None
    assert said in complaint
    assert "secret@" not in complaint


@pytest.mark.parametrize(
    "given",
    [
        {"deepest": "ease"},
        {"source": "/a.ics", "secret_file": "/etc/powernap/calendar"},
        {"source": "/a.ics", "cacert": "/etc/ssl/own.pem"},
        {"every": 10.0},
    ],
)
def test_options_that_contradict_each_other_are_refused(given: dict[str, object]) -> None:
    """With what to write instead."""
    with pytest.raises(ValueError, match="; "):
        Options(**({"source": ADDRESS} | given))  # type: ignore[arg-type]


def test_of_an_address_only_the_server_is_shown() -> None:
    """The rest is often the calendar's password."""
    assert shown(Options(source=ADDRESS)) == "https://cloud.example.org:8443"
    assert shown(Options(source="webcal://Example.org/x")) == "https://example.org"
    assert shown(Options(source="/srv/a.ics")) == "/srv/a.ics"


def test_a_file_and_the_rules_of_the_zone_are_watched() -> None:
    """Of an address there is nothing to watch."""
    assert watched(Options(source="/srv/a.ics", zone="UTC"))[0] == "/srv/a.ics"
    assert any("Berlin" in path for path in watched(Options(source=ADDRESS, zone="Europe/Berlin")))
    assert not any("example" in path for path in watched(Options(source=ADDRESS)))


def test_it_is_found_by_its_name_and_says_what_it_is() -> None:
    """The contract of a schedule."""
    assert find("ical").__doc__ == ical.__doc__
    assert all(field.metadata["help"] for field in Options.__dataclass_fields__.values())
    assert [REQUIRED] == [f.default for name, f in Options.__dataclass_fields__.items() if name == "source"]


# --- secrets


def wanted(tmp_path: Path, secrets: str, source: str = ADDRESS, mode: int = 0o600) -> dict[str, object]:
    """What the reader is told to fetch."""
    path = tmp_path / "secret"
    path.write_text(secrets)
    path.chmod(mode)
    return _ical_source.wanted(Options(source=source, secret_file=str(path)), None, 60.0)


def test_user_password_and_private_address_come_from_the_file(tmp_path: Path) -> None:
    """The address must be one of the server that the configuration names."""
    private = "https://cloud.example.org:8443/calendar/ical/private-fedcba/basic.ics"
    found = wanted(tmp_path, f"# Ada's\nuser = ada\npassword = pass word=1\naddress = {private}\n")
    assert ("ada", "pass word=1", private) == (found["user"], found["password"], found["address"])
    assert wanted(tmp_path, "user = ada", "webcal://example.org/x")["address"] == "https://example.org/x"


@pytest.mark.parametrize(
    ("secrets", "source", "mode", "said"),
    [
        ("user = ada", ADDRESS, 0o640, "can be read by others; chmod 600"),
        ("ada hunter2", ADDRESS, 0o600, ":1 is not understood; write each of user, password, address"),
        ("", ADDRESS, 0o600, "holds no secrets"),
        ("address = https://evil.example.org/x", ADDRESS, 0o600, "not one of https://cloud.example.org:8443"),
        ("address = https://cloud.example.org:8443.evil.org/x", ADDRESS, 0o600, "not one of"),
        ("address = file:///etc/shadow", ADDRESS, 0o600, "not one of"),
        ("user = ada\npassword = hunter2", "http://example.org/x", 0o600, "over https only; write https://"),
    ],
)
def test_secrets_that_do_not_fit_are_refused_and_not_told(
    tmp_path: Path, secrets: str, source: str, mode: int, said: str
) -> None:
    """A password goes over no wire in the clear, and in no message."""
    with pytest.raises(ScheduleError, match=re.escape(said)) as caught:
        wanted(tmp_path, secrets, source, mode)
    assert "hunter2" not in str(caught.value)


# --- probe


def test_it_can_be_used_where_there_is_something_to_read(host: Host, tmp_path: Path) -> None:
    """A file that is away for a while does no harm where it was read before."""
    path = tmp_path / "a.ics"
    options = Options(source=str(path))
    assert not probe(host, options)
    assert probe(host, options).remedy
    path.write_bytes(calendar("DTSTART;VALUE=DATE:20261125"))
    assert probe(host, options)
    read_into(host, options, path.read_bytes())
    path.unlink()
    assert probe(host, options)
    assert probe(host, Options(source=ADDRESS)).detail == "https://cloud.example.org:8443"


@pytest.mark.parametrize("missing", ["secret_file", "cacert"])
def test_what_is_missing_is_said_with_a_remedy(host: Host, tmp_path: Path, missing: str) -> None:
    """Before the first attempt to fetch."""
    answer = probe(host, Options(**{"source": ADDRESS, missing: str(tmp_path / "none")}))  # type: ignore[arg-type]
    assert not answer
    assert "No such file" in answer.detail
    assert answer.remedy


def test_a_recorded_machine_reads_no_calendars(host: Host) -> None:
    """Nor would it know what to do with one."""
    assert not probe(Host(live=False, state=host.state), Options(source=ADDRESS))
    assert BEHIND < AHEAD


def test_titles_and_categories_that_nothing_has_are_doubted(host: Host) -> None:
    """By the copy; the categories that there are are named. What has one such event is fine, and what has no copy yet."""
    options = Options(source="/a.ics", only="^Servr", categories=("Servers", "Wrok"))
    assert [] == list(ical.doubts(host, options))
    read_into(host, options, CHOICE)
    assert [
        ("only", 'of its 3 events none has "^Servr" in the title'),
        ("categories", 'of its 3 events none is in the category "Wrok"'),
    ] == [(each.key, each.what) for each in ical.doubts(host, options)]
    assert ["there are Private, Work, servers"] == [each.remedy for each in ical.doubts(host, options)][1:]
    assert [] == list(ical.doubts(host, Options(source="/a.ics", only="^Server", categories=("work",))))
    read_into(host, options, calendar("DTSTART:20261124T100000Z\nDURATION:PT1H\nSUMMARY:Servrs"))
    assert ["none of them is in one"] * 2 == [each.remedy for each in ical.doubts(host, options)]


def test_a_copy_that_only_root_may_read_is_not_one_that_is_not_there_yet(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks is told to be root."""
    options = Options(source="/a.ics")
    with pytest.raises(ScheduleError, match="has not been read yet") as error:
        said(host, options)
    assert error.value.soon
    calendars.make(host.state)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ScheduleError, match="cannot be read") as error:
        said(host, options)
    assert (False, "run as root") == (error.value.soon, error.value.remedy)
