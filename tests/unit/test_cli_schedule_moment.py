"""``powernap schedule test``: an instant explained."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from fakedaemon import FakeDaemon
from powernap.cli import main, schedule_moment
from powernap.cli.schedule_time import instant
from powernap.cli.schedule_week import tell
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from unit.test_cli_schedule import BERLIN, LADDER, OFFICE, answering, at, file, knows

__all__ = ["file"]

HOLIDAYS = (
    OFFICE.replace('up = "Mon', 'unless = ["holidays"]\nup = "Mon')
    + """
[schedule.holidays]
type = "dates"
days = ["12-24", "12-25"]
"""
)


def explained(
    text: str, asked: str, now: str = "2026-11-23 12:00", **said: Any
) -> tuple[dict[str, Any], str]:
    """The document, and what is printed."""
    about = knows(text, now, **said)
    found = instant(asked, BERLIN, about.now)
    told = tell(about, found.at - schedule_moment.BEFORE, found.at + schedule_moment.AHEAD)
    document = schedule_moment.document_of(about, told, found)
    return document, schedule_moment.text(about, document)


def test_up_beats_off_and_says_where_that_is_written() -> None:
    """The spans whole, the place of each section, the rule, the next change."""
    _, text = explained(OFFICE, "Tue 07:40", alarm=None)
    line = OFFICE.splitlines().index
    assert (
        f"""\
Tue 24 Nov 07:40, in 19h 40min (2026-11-24T07:40:00+01:00, Europe/Berlin): up
  because    office: Mon-Fri 07:30-18:00 says up, Tue 24 Nov 07:30 until 18:00 (powernap.toml:{line("[schedule.office]") + 2})
  overruled  night: daily 23:00-08:00 says off, Mon 23 Nov 23:00 until Tue 24 Nov 08:00 (powernap.toml:{line("[schedule.night]") + 2}): up beats off
  next       may nap, at most ease from Tue 24 Nov 18:00: night: daily 18:00-23:00
  machine    it stays up, no stage is entered; were it asleep or off, its alarm would have woken it in time"""
        == text
    )


def test_off_says_when_it_goes_down_and_when_it_is_back() -> None:
    """With the warning; the next thing that it is woken for."""
    document, text = explained(OFFICE, "03:00")
    assert "off" == document["says"]
    assert (
        "  machine    it powers off once nobody has used it for 5min, users are warned 10min before; "
        "its alarm wakes it for office: Mon-Fri 07:30-18:00, Tue 24 Nov 07:30\n"
    ) in text
    assert "  attention  exceptions are not known: powernapd is not running" in text


@pytest.mark.parametrize(
    ("more", "asked", "says"),
    [
        ("", "Sat 12:00", "the ladder alone decides: ease after 2min, suspend after 30min of idle time"),
        ("", "Sat 20:00", "it may nap: ease after 2min of idle time; not suspend"),
        ("", "Sat 12:00", "because    no schedule says anything of it"),
        ('[schedule.x]\ntype = "windows"\nnap = "Sat"\n', "Sat 12:00", "it may nap: ease after 2min, suspend after 30min of idle time\n"),
        ('[schedule.x]\ntype = "windows"\nup = "Sat"\nwake = false\n', "Sat 12:00", "it stays up if it is, no stage is entered; it is not woken for x"),
        ('[schedule.x]\ntype = "windows"\nnap = "Sat"\n', "Sat 20:00", "of several that allow to nap, the shallowest stage holds"),
        ('[off]\nin_use = "off"\nwarn = "0"\n', "03:00", "it powers off also while somebody uses it; its alarm"),
    ],
)  # fmt: skip
def test_what_the_machine_would_do(more: str, asked: str, says: str) -> None:
    """By the ladder, the options of off and of the schedule."""
    assert says in explained(OFFICE + more, asked)[1] + "\n"


def test_off_may_be_a_sleep(tmp_path: Path) -> None:
    """Where the machine has it."""
    (tmp_path / "sys/power").mkdir(parents=True)
    (tmp_path / "sys/power/state").write_text("freeze mem\n")
    about = knows(OFFICE + '[off]\nsleep = "suspend"\n', "2026-11-23 12:00")
    about = dataclasses.replace(about, host=Host(TreeFiles(str(tmp_path))))
    told = tell(about, about.now, about.now + 86400)
    document = schedule_moment.document_of(about, told, instant("03:00", BERLIN, about.now))
    assert document["machine"].startswith("it goes to sleep (suspend) once nobody has used it for 5min, ")


def test_a_machine_that_nothing_wakes_or_that_has_no_ladder() -> None:
    """It is said."""
    bare = '[sleep]\nproof = "override"\n[monitor.load]\n[schedule.x]\ntype = "windows"\noff = "Sat"\nwake = false\n'
    document, text = explained(bare, "Sat 12:00")
    assert '; nothing that is known wakes it again (but mode = "watch": powernapd only says so)' in text
    assert "it has no stages, so nothing is entered" in explained(bare, "Sun 12:00")[1]
    assert document["next"]["says"] == "free"


def test_who_is_silent_and_why() -> None:
    """Because another schedule speaks, or because of an exception."""
    holes = [
        {"start": at("2026-12-23 06:00"), "end": at("2026-12-23 18:00"), "schedule": "office", "who": "ann"}
    ]
    document, text = explained(HOLIDAYS, "2026-12-24 12:00", skipped=holes)
    assert "free" == document["says"]
    assert "\n  silent   office: Mon-Fri 07:30-18:00 says up, " in text
    assert ": unless holidays: 12-24\n" in text
    document, text = explained(HOLIDAYS, "2026-12-23 12:00", skipped=holes)
    assert ": skipped by ann until Wed 23 Dec 18:00\n" in text
    document, text = explained(HOLIDAYS, "2026-12-22 12:00", skipped=holes)
    assert ("up", []) == (document["says"], document["silent"])


def test_of_a_statement_that_is_cut_the_rest_still_speaks() -> None:
    """An exception of the morning says nothing of the afternoon."""
    holes = [{"start": at("2026-11-24 07:00"), "end": at("2026-11-24 12:00"), "schedule": "", "who": ""}]
    document, _ = explained(OFFICE, "2026-11-24 14:00", skipped=holes)
    assert ("up", []) == (document["says"], document["silent"])
    assert at("2026-11-24 12:00") == document["start"]
    document, text = explained(OFFICE, "2026-11-24 11:00", skipped=holes)
    assert ": skipped until Tue 24 Nov 12:00\n" in text
    assert "free" == document["says"]


def test_an_extended_machine_is_up_because_of_it() -> None:
    """Nobody's schedule; and it is woken for that too."""
    more = [
        {"start": at("2026-11-23 20:00"), "end": at("2026-11-24 04:00"), "why": "patch day", "who": "root"}
    ]
    _, text = explained(OFFICE, "03:00", extended=more)
    assert (
        "  because    an exception: patch day (root) says up, Mon 23 Nov 20:00 until Tue 24 Nov 04:00\n"
        in text
    )
    assert "its alarm would have woken it in time" in text


def test_an_instant_that_the_clock_does_not_show_says_which_was_taken() -> None:
    """Or of one that it shows twice."""
    _, text = explained(OFFICE, "2027-03-28 02:30")
    assert "\n  note       the clock jumps over 02:30 on that day; taken as 03:30 (CEST, +02:00)\n" in text
    _, text = explained(OFFICE, "2026-10-25 02:30")
    assert text.startswith("Sun 25 Oct 02:30 (CEST, +02:00), 29d 10h ago (2026-10-25T02:30:00+02:00,")


def test_nothing_changes_in_the_time_that_is_looked_at() -> None:
    """Where one thing always holds."""
    document, text = explained(LADDER, "now")
    assert text.startswith("Mon 23 Nov 12:00, now (")
    assert (None, None, None) == (document["start"], document["end"], document["next"])
    assert "  next     nothing else within 32d\n" in text


def test_the_command(file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 0, also beside a daemon; its document has all of it; what is wrong is 2."""
    with FakeDaemon(answering(file)) as daemon:
        monkeypatch.setenv("POWERNAP_SOCKET", daemon.path)
        for words in (
            ["test", "--at", "2026-11-24 07:40", "--json"],
            ["--json", "test", "--at", "2026-11-24 07:40"],
        ):
            assert 0 == main.main(["schedule", *words])
            document = json.loads(capsys.readouterr().out)
            assert ("up", "2026-11-24T07:30:00+01:00") == (document["says"], document["start_iso"])
            assert (True, "up beats off") == (document["powernapd"], document["overruled"][0]["rule"])
            assert document["because"][0]["where"].startswith(f"{file}:")
    assert 2 == main.main(["schedule", "test", "--at", "soon"])
    assert '"soon" is not a time: "soon" is no day; write, for example' in capsys.readouterr().err
    for draft in (["--config", str(file)], [str(file)]):
        assert 0 == main.main(["schedule", "test", "--at", "Sat 20:00", *draft])
        assert "powernapd is asked only where no configuration is named" in capsys.readouterr().out
    assert 0 == main.main(["schedule", "--config", str(file), "test", "--at", "Sat 20:00"])
    assert f"{file}:" in capsys.readouterr().out


def test_off_that_would_be_refused_is_not_promised() -> None:
    """The ladder decides instead; why, and what to do."""
    careful = OFFICE.replace('"override"', '"require"')
    document, text = explained(careful, "03:00")
    assert "off" == document["says"]
    assert "no way to wake this machine from power-off is proven" in document["off_refused"]
    assert (
        "  machine    that it goes off is refused, see below; the ladder alone decides: ease after 2min, suspend after 30min of idle time\n"
    ) in text
    assert "  attention  it will not go off where a schedule says so: no way to wake" in text
    assert "" == explained(careful, "12:30")[0]["off_refused"]
    watching, _ = explained(careful.replace('"act"', '"watch"'), "03:00")
    assert watching["machine"].endswith('idle time (but mode = "watch": powernapd only says so)')


def test_one_of_which_nothing_is_known_keeps_it_up() -> None:
    """And nobody is woken for that."""
    missing = OFFICE + '[schedule.closed]\ntype = "dates"\nfile = "/nonexistent/dates"\nmeans = "off"\n'
    document, text = explained(missing, "03:00")
    assert "up" == document["says"]
    assert (
        "  because    closed cannot tell, and nothing is known of it: up until it can (powernap.toml:" in text
    )
    assert (
        "it stays up, no stage is entered, as long as closed cannot tell; it is not woken for that\n" in text
    )
    assert "closed cannot tell (nothing is known of it, so the machine stays up until it can): " in text
    assert "off" == explained(missing, "2026-11-23 03:00")[0]["says"]
    both = missing + '[schedule.x]\ntype = "windows"\nup = "Sat"\nwake = false\n'
    assert "it is not woken for closed and x" in explained(both, "Sat 12:00")[1]
