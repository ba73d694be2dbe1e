"""host/zones.py: which time zone is the machine's, and which ones an admin may name."""

from __future__ import annotations

import os
import sys
import zoneinfo
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import TZPATH

import pytest

from powernap.host import zones
from powernap.host.files import TreeFiles

DATABASE = next(base for base in TZPATH if os.path.isdir(base))
SUMMER = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """/etc of another machine."""
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc"


def machine(etc: Path) -> zones.Local:
    """That machine's zone."""
    return zones.local(TreeFiles(str(etc.parent)))


@pytest.mark.parametrize("target", [f"{DATABASE}/Europe/Berlin", "../usr/share/zoneinfo/posix/Europe/Berlin"])
def test_the_link_names_the_zone(etc: Path, target: str) -> None:
    """As localtime(5) has it, absolute or relative."""
    (etc / "localtime").symlink_to(target)
    if not target.startswith("/"):
        zone = etc.parent / "usr/share/zoneinfo/posix/Europe/Berlin"
        zone.parent.mkdir(parents=True)
        zone.write_bytes(Path(DATABASE, "Europe/Berlin").read_bytes())
    found = machine(etc)
    assert (found.name, found.reason) == ("Europe/Berlin", "")
    assert SUMMER.astimezone(found.zone).hour == 2


def test_the_environment_does_not_count(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TZ is one user's."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    (etc / "localtime").symlink_to(f"{DATABASE}/Europe/Berlin")
    assert machine(etc).name == "Europe/Berlin"


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Gaza"])
def test_a_copy_is_read_to_the_byte(etc: Path, zone: str) -> None:
    """It has rules and no name; carriage returns among its bytes are no ends of lines."""
    data = Path(DATABASE, zone).read_bytes()
    (etc / "localtime").write_bytes(data)
    found = machine(etc)
    assert (found.name, found.reason) == ("/etc/localtime", "")
    for month in range(1, 13):
        moment = datetime(2026, month, 1, tzinfo=UTC)
        assert moment.astimezone(found.zone).utcoffset() == moment.astimezone(zones.named(zone)).utcoffset()


def test_a_zone_of_a_database_of_its_own_is_read_from_its_file(etc: Path) -> None:
    """The machine's link leads to a name that the system's database does not have."""
    zone = etc.parent / "opt/zoneinfo/House/Time"
    zone.parent.mkdir(parents=True)
    zone.write_bytes(Path(DATABASE, "Asia/Tokyo").read_bytes())
    (etc / "localtime").symlink_to("../opt/zoneinfo/House/Time")
    found = machine(etc)
    assert (found.name, found.reason) == ("House/Time", "")
    assert SUMMER.astimezone(found.zone).hour == 9


def test_where_nothing_is_said_it_is_utc_and_that_is_right(etc: Path) -> None:
    """localtime(5): "If /etc/localtime is missing, the default UTC timezone is used"."""
    assert machine(etc) == zones.Local(UTC, "UTC")


def test_what_cannot_be_read_is_utc_with_the_reason(etc: Path) -> None:
    """A dangling link, another file, a broken zone under a zone's name."""
    (etc / "localtime").symlink_to("../usr/share/zoneinfo/Mars/Base")
    assert machine(etc) == zones.Local(UTC, "UTC", "/etc/localtime leads nowhere")
    (etc / "localtime").unlink()
    (etc / "localtime").write_text("Europe/Berlin\n")
    assert machine(etc).reason.startswith("/etc/localtime is no time zone (")
    broken = etc.parent / "usr/share/zoneinfo/Mars/Base"
    broken.parent.mkdir(parents=True)
    broken.write_text("TZ")
    (etc / "localtime").unlink()
    (etc / "localtime").symlink_to("../usr/share/zoneinfo/Mars/Base")
    assert machine(etc).reason.startswith('/etc/localtime leads to "Mars/Base", which is no time zone (')
    assert machine(etc).zone is UTC


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("europe/berlin", 'did you mean "Europe/Berlin"?'),
        ("berlin", 'did you mean "Europe/Berlin"?'),
        ("new york", 'did you mean "America/New_York"?'),
        ("Europe/Berln", 'did you mean "Europe/Berlin"?'),
        ("Amsterdamm", 'did you mean "Europe/Amsterdam"?'),
        ("CEST", zones.TO_WRITE),
        ("Middle-earth/Shire", zones.TO_WRITE),
        ("/etc/passwd", zones.TO_WRITE),
        ("../../etc/passwd", zones.TO_WRITE),
        ("Europe", None),
        ("zone.tab", None),
        ("\udcff", zones.TO_WRITE),
    ],
)
def test_a_zone_that_does_not_exist_is_named_with_the_one_that_was_meant(
    name: str, remedy: str | None
) -> None:
    """Another spelling, a city alone, a slip of the pen; never another abbreviation."""
    answer = zones.wrong(name)
    assert answer is not None
    assert answer.startswith(f'there is no time zone "{name}"; ')
    assert remedy is None or answer.endswith(remedy)


def test_a_machine_without_a_time_zone_database_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Minimal containers have none; UTC is known all the same."""
    for name in {"tzdata", *(name for name in sys.modules if name.startswith("tzdata."))}:
        monkeypatch.setitem(
            sys.modules, name, None
        )  # the database from PyPI, where something has installed it
    zoneinfo.reset_tzpath([str(tmp_path)])
    try:
        assert zones.wrong("UTC") is None
        assert zones.wrong("Europe/Berlin") == (
            'there is no time zone "Europe/Berlin"; this machine has no time zone database: install the package tzdata'
        )
        assert zones.files_of({"Europe/Berlin"}) == ()
    finally:
        zoneinfo.reset_tzpath()


def test_a_new_version_of_the_database_is_used_at_once(tmp_path: Path) -> None:
    """Its package changes several times a year, and the daemon runs on."""
    zone = tmp_path / "House"
    zoneinfo.reset_tzpath([str(tmp_path)])
    try:
        hours = []
        for rules in ("Europe/Berlin", "Asia/Tokyo"):
            zone.write_bytes(Path(DATABASE, rules).read_bytes())
            hours.append(SUMMER.astimezone(zones.named("House")).hour)
    finally:
        zoneinfo.reset_tzpath()
    assert hours == [2, 9]


def test_a_zone_that_exists_is_right_and_so_is_none() -> None:
    """Empty: the machine's own."""
    assert [zones.wrong(name) for name in ("", "UTC", "Europe/Berlin", "America/Port-au-Prince")] == [
        None
    ] * 4


def test_what_to_watch() -> None:
    """The rules' files, as far as there are such, and the machine's choice."""
    assert zones.files_of({"Europe/Berlin", "", "Mars/Base"}) == (
        "/etc/localtime",
        f"{DATABASE}/Europe/Berlin",
    )


def test_a_zone_is_found_without_a_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    """None where there is none, whatever it is called: users write such names."""
    monkeypatch.setattr(zones, "_meant", lambda _name: pytest.fail("it was guessed at"))
    assert zones.found("UTC") is UTC
    assert str(zones.found("Europe/Berlin")) == "Europe/Berlin"
    for name in (
        "Europe/Atlantis",
        "",
        "/etc/passwd",
        "../../etc/passwd",
        "x" * 300,
        "a\0b",
        "\udc80",
        "Europe",
    ):
        assert zones.found(name) is None
