"""cli/machine_time.py and who uses it: times are the machine's, whichever zone the one who asks is in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from powernap.cli import days, history, machine_time, report_text, watch
from powernap.host import zones

NOON = datetime(2026, 11, 24, 12, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
Asks = Callable[[str | None], None]


@pytest.fixture
def asks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asks]:
    """A machine in Berlin; somebody asks who has chosen this zone, or none."""

    def asks(zone: str | None) -> None:
        if zone is None:
            monkeypatch.delenv("TZ", raising=False)
        else:
            monkeypatch.setenv("TZ", zone)
        time.tzset()

    monkeypatch.setattr(zones, "local", lambda _: zones.Local(ZoneInfo("Europe/Berlin"), "Europe/Berlin"))
    machine_time._local.cache_clear()
    yield asks
    machine_time._local.cache_clear()
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("zone", ["America/New_York", "UTC", "", "Europe/Berlin"])
def test_the_machines_clock_is_shown(zone: str, asks: Asks) -> None:
    """To anybody: history, the live view, the report's headline and its days."""
    asks(zone)
    entry = {"event": "woken", "detail": "root", "time": NOON}
    assert history.line(entry).startswith("2026-11-24 12:00:00  ")
    assert watch.live_line(entry).startswith("12:00:00  ")
    document = {"from": NOON, "to": NOON, "naps": 0, "interrupted": 0, "would_nap": 0, "sleeps": 0}
    assert report_text.headline(document).startswith("2026-11-24 12:00 to ")
    assert days.Days(NOON, NOON + 3600).edges[0] == NOON - 12 * 3600


@pytest.mark.parametrize(
    ("zone", "heading"),
    [("America/New_York", True), ("UTC", True), ("Africa/Lagos", True), ("Europe/Paris", False), ("Europe/Berlin", False), (None, False)],
)  # fmt: skip
def test_the_zone_is_named_to_who_is_in_another_one(zone: str | None, heading: bool, asks: Asks) -> None:
    """Also where the two agree in winter only."""
    asks(zone)
    assert ["times of Europe/Berlin, this machine's zone"] * heading == machine_time.heading()


def test_a_zone_without_a_name_is_this_machines(asks: Asks, monkeypatch: pytest.MonkeyPatch) -> None:
    """/etc/localtime is a copy then."""
    monkeypatch.setattr(zones, "local", lambda _: zones.Local(ZoneInfo("Europe/Berlin"), zones.LOCALTIME))
    asks("UTC")
    assert ["times of this machine's zone"] == machine_time.heading()


def test_what_is_no_time_is_refused(asks: Asks) -> None:
    """A file that somebody edited; whoever asks."""
    for zone in (None, "UTC"):
        asks(zone)
        assert history.line({"event": "woken", "time": 1e99}).startswith("at some time")
        assert history.line({"event": "woken", "time": "noon"}).startswith("at some time")
