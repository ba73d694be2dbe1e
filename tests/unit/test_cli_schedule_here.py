"""cli/schedule_here.py: what `powernap config check` notes about schedules on this machine."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from machines import Clock
from powernap.cli import main, schedule_here
from powernap.config.load import build
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.schedules import Doubt, ical, named, windows

NOW = 1795434600.0
"""A Monday in November 2026."""


def notes(root: Path, text: str, head: str = '[sleep]\nproof = "override"\n[monitor.load]\n') -> list[str]:
    """Of a machine with these files."""
    host = Host(TreeFiles(str(root)), Clock(NOW), state=str(root))
    return [str(note) for note in schedule_here.notes(build([("p.toml", head + text)]), host)]


def test_what_is_in_order_has_no_note(tmp_path: Path) -> None:
    """Windows, and dates of which one is to come."""
    text = '[schedule.office]\ntype = "windows"\nup = "Mon-Fri"\n[schedule.free]\ntype = "dates"\ndays = ["2025-12-24", "2026-12-24"]\n'
    assert [] == notes(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[schedule.x]\ntype = "dates"\nfile = "/etc/powernap/free"',
         'p.toml:4: schedule "x": /etc/powernap/free cannot be read (No such file or directory); create it, or delete `file`'),
        ('[schedule.x]\ntype = "dates"\ndays = ["2025-12-24", "2025-12-27..2026-01-02"]',
         'p.toml:6: schedule "x": all of its days are over, the last was 2026-01-02; add those to come'),
        ('[schedule.x]\ntype = "dates"\nfile = "/etc/empty"', 'p.toml:6: schedule "x": /etc/empty names no day; write one a line'),
        ('[schedule.x]\ntype = "dates"\nfile = "/home/ann/free"',
         'p.toml:6: schedule "x": powernapd does not see /home/ann/free: its unit hides /home (ProtectHome=); put it below /etc/powernap'),
        ('[schedule.x]\ntype = "ical"\nsource = "/root/a.ics"', 'p.toml:6: schedule "x": powernapd does not see /root/a.ics'),
        ('[schedule.x]\ntype = "ical"\nsource = "https://a.example.org"\nsecret_file = "/nonexistent/s"',
         'p.toml:4: schedule "x": /nonexistent/s: No such file or directory; write it'),
        ('[schedule.x]\ntype = "ical"\nsource = "/srv/a.ics"', 'schedule "x": /srv/a.ics is not there; export the calendar to it'),
        ("[schedule.at-jobs]", 'p.toml:4: schedule "at-jobs": there is no at here; install the package at'),
        ('[schedule.x]\ntype = "cron-jobs"\njobs = ["backup", "bakcup", "once"]',
         'p.toml:6: schedule "x": "bakcup" is in the command of no cron job here; those here are "/usr/bin/backup --all", "once"'),
    ],
)  # fmt: skip
def test_what_is_not_here_is_noted_at_its_line(text: str, says: str, tmp_path: Path) -> None:
    """With what to do, or what there is instead."""
    for path, content in {
        "etc/empty": "# nothing\n",
        "etc/crontab": "30 2 * * * root /usr/bin/backup --all\n@reboot root once\n",
        "usr/sbin/cron": "",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    found = notes(tmp_path, f"{text}\n")
    assert any(says in note for note in found), found


def test_a_missing_library_is_named_beside_a_file_that_is_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who mends one of the two has to know of the other."""
    monkeypatch.setattr(ical, "LIBRARIES", ("no_such_library",))
    found = notes(tmp_path, '[schedule.x]\ntype = "ical"\nsource = "/root/a.ics"\n')
    assert "its unit hides /root" in found[0]
    assert found[1].endswith(
        f"the library no-such-library is not installed; {sys.prefix}/bin/pip install '.[ical]' in PowerNap's source"
    )
    monkeypatch.undo()
    assert 1 == len(notes(tmp_path, '[schedule.x]\ntype = "ical"\nsource = "/root/a.ics"\n'))


def test_a_job_at_boot_only_has_no_time(tmp_path: Path) -> None:
    """And a machine without any says so."""
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "usr/sbin/cron").touch()
    text = '[schedule.x]\ntype = "cron-jobs"\njobs = "once"\n'
    assert "no crontab here has a job" in notes(tmp_path, text)[0]
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/crontab").write_text("@reboot root once\n")
    assert '"once" is run @reboot only, at no time of the clock' in notes(tmp_path, text)[0]


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ('[schedule.x]\ntype = "windows"\noff = "Sat"', 5),
        ('[schedule.y]\ntype = "windows"\nup = "Sat"\n[schedule.x]\ntype = "dates"\ndays = "12-24"\nmeans = "off"', 9),
    ],
)  # fmt: skip
def test_off_that_would_be_refused_is_noted_where_it_is_said(more: str, line: int, tmp_path: Path) -> None:
    """Once, with how to prove a way back."""
    found = notes(tmp_path, more, 'mode = "act"\n[monitor.load]\n')
    assert [
        (
            f'p.toml:{line}: schedule "x": it says off, which is refused: no way to wake this machine from power-off is proven; '
            'run `powernap prove-wake --state power-off`, or set [sleep] proof = "override" if you know that there is one'
        )
    ] == found
    assert "it says off, which would be refused: " in notes(tmp_path, more, "[monitor.load]\n")[0]


def test_a_list_of_names_has_an_end() -> None:
    """The rest is counted."""
    assert "0, 1, 2, 3, 4, 5, 6, 7 and 4 more" == named([str(number) for number in range(12)])
    assert "a" == named(["a"])


def test_one_that_breaks_is_noted_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are checked."""

    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(windows, "probe", broken)
    text = '[schedule.x]\ntype = "windows"\nup = "Sat"\n[schedule.y]\ntype = "dates"\ndays = "2025-12-24"\n'
    found = notes(tmp_path, text)
    assert found[0].startswith(
        'p.toml:4: schedule "x": it cannot be checked (RuntimeError: a bug); report that'
    )
    assert "all of its days are over" in found[1]


def test_the_command_shows_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 0: a note is no fault."""
    path = tmp_path / "powernap.toml"
    path.write_text('[monitor.load]\n[schedule.x]\ntype = "dates"\nfile = "/home/ann/free"\n')
    assert 0 == main.main(["config", "check", "--config", str(path)])
    assert f'note: {path}:4: schedule "x": powernapd does not see /home/ann/free' in capsys.readouterr().out
    assert 0 == main.main(["config", "check", str(path), "--json"])
    assert ["schedule.x.file"] == [each["key"] for each in json.loads(capsys.readouterr().out)["notes"]]


def test_doubts_are_sentences_with_a_key() -> None:
    """Of another package without a line, the section's."""
    config = build([("p.toml", '[monitor.load]\n[schedule.office]\ntype = "windows"\nup = "Sat"\n')])
    assert "p.toml:2: " in str(schedule_here.note(config, "office", Doubt("", "x", "y")))
    assert "p.toml:4: " in str(schedule_here.note(config, "office", Doubt("up", "x", "y")))
    assert "p.toml:3: " in str(schedule_here.note(config, "office", Doubt("nap", "x", "y")))
