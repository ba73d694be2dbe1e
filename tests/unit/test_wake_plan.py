"""wakeproxy/plan.py, main.py and start.py: what a user sees, with and without a daemon, and how it is told what is wrong."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from json_tables import Table
from powernap.config.hosts import build
from powernap.host.host import Host
from powernap.host.journal import Journal
from powernap.wakeproxy import main as daemon
from powernap.wakeproxy import plan
from powernap.wakeproxy.gate import Gate
from powernap.wakeproxy.places import Places
from powernap.wakeproxy.probes import Probes
from powernap.wakeproxy.roster import Roster
from powernap.wakeproxy.start import main
from powernap.wakeproxy.waking import Means
from powernap.wakeproxy.words import LOUD, SENTENCES, sentence
from sleepers import berlin, host, inventory

PAGE = (Path(__file__).parents[2] / "docs" / "others.md").read_text(encoding="utf-8")
NEVER = 'type = "dates"\nmeans = "up"\ndays = ["2001-01-01"]\n'


CALENDAR = 'type = "ical"\nsource = "/etc/powernap/servers.ics"\nmeans = "up"\n'


class Clock:
    """It stands still."""

    def __init__(self, at: str) -> None:
        self.at = berlin(at)

    def wall(self) -> float:
        """Seconds since the epoch."""
        return self.at

    def boottime(self) -> float:
        """Seconds."""
        return 1000.0


def document(tmp_path: Path, *texts: str, at: str = "2035-01-02 12:00") -> dict[str, Any]:
    """Of an inventory, at that time."""
    places = Places(str(tmp_path / "run"), str(tmp_path / "state"))
    return plan.document_of(inventory(*texts), places, Host(clock=Clock(at)))


def test_without_a_daemon_the_plan_is_known(tmp_path: Path) -> None:
    """What it must be now, what it is needed for next, and when it is woken for that; and that nobody does it."""
    found = document(tmp_path, host("web"), host("db", NEVER))
    web = next(each for each in found["hosts"] if each["name"] == "web")
    assert "up" == web["now"]
    assert berlin("2035-01-03 07:30") == web["need"]["at"] == web["wake_at"] + 180
    lines = plan.text(found)
    assert lines[1].split() == ["db", "not", "asked", "never"]
    assert lines[2].startswith("web      not asked  up       Wed 03 Jan ")
    assert "office (Mon-Fri 07:30-18:00 Europe/Berlin)" in lines[2]
    assert "powerwaked is not running: nobody is woken (systemctl enable --now powerwaked)" == lines[-1]


def test_with_a_daemon_its_findings_are_shown(tmp_path: Path) -> None:
    """Who is not up, since when, with reason and remedy; what it has learned counts."""
    (tmp_path / "run").mkdir()
    known = {"state": "not-up", "since": berlin("2035-01-02 07:33"), "detail": "it does not answer", "remedy": "look at its card", "lead_s": 60}  # fmt: skip
    (tmp_path / "run/status.json").write_text(json.dumps({"version": 1, "hosts": {"web": known}}))
    found = document(tmp_path, host("web"))
    assert (60, "not-up") == (found["hosts"][0]["lead_s"], found["hosts"][0]["state"])
    lines = plan.text(found)
    assert lines[-2].startswith("web is not up since Tue 02 Jan ")
    assert lines[-2].endswith(": it does not answer")
    assert "  -> look at its card" == lines[-1]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"hosts": 1}', "\0"])
def test_a_status_without_sense_is_none(tmp_path: Path, text: str) -> None:
    """It may be half of one."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run/status.json").write_text(text)
    assert not document(tmp_path, host("web"))["powerwaked"]


def test_a_schedule_that_cannot_tell_is_shown(tmp_path: Path) -> None:
    """With its reason."""
    unknown = 'type = "dates"\nmeans = "up"\nfile = "/nonexistent/days"\n'
    found = document(tmp_path, host("web", unknown))
    assert "office" == found["hosts"][0]["troubles"][0]["schedule"]
    assert any(line.startswith("web: office cannot tell: ") for line in plan.text(found))


def test_an_empty_inventory_says_what_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And is no fault."""
    assert 0 == main(["--plan", "--config", str(tmp_path)])
    assert "write [host.NAME] in /etc/powernap/hosts.d/NAME.toml" in capsys.readouterr().out


def test_faults_are_told_all_and_end_with_2(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """To people all of them, to a program the first."""
    path = tmp_path / "web.toml"
    path.write_text(host("web", more="boot = 1\nconfrim = 1\n"))
    for words in ([], ["--plan"]):
        assert 2 == main([*words, "--config", str(path)])
        assert [f"powerwaked: {path}:3", f"powerwaked: {path}:4"] == [
            line.partition(": ")[0] + ": " + line.split(": ")[1] for line in capfd.readouterr().err.splitlines()[:2]
        ]  # fmt: skip
    assert 2 == main(["--plan", "--json", "--config", str(path)])
    assert {"version", "error", "remedy"} == json.loads(capfd.readouterr().out).keys()


def test_a_directory_that_cannot_be_made_ends_with_3(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """And says what to give."""
    (tmp_path / "file").write_text("")
    status = main(["--config", str(tmp_path), "--runtime", str(tmp_path / "file" / "run")])
    assert 3 == status
    assert "give --runtime a directory of yours" in capfd.readouterr().err


def test_the_document_is_what_its_page_says(tmp_path: Path) -> None:
    """Every key is documented with its type, and every documented key is there."""
    rows = re.findall(r"^\| `([^`]+)` \| ([a-z ]+) \|", PAGE, re.MULTILINE)
    table = Table(dict(rows))
    unknown = 'type = "dates"\nmeans = "up"\nfile = "/nonexistent/days"\n'
    found = document(tmp_path, host("web"), host("db", unknown), host("cd", schedule=""))
    assert [] == table.strange(found)
    assert set() == table.unmet()


def test_the_example_of_the_page_is_an_inventory_without_faults_and_notes() -> None:
    """As it stands there."""
    text = PAGE.partition("```toml\n")[2].partition("```")[0]
    found = build([("web3.toml", text)])
    assert ((), ["office", "holidays"]) == (found.notes, [*found.hosts["web3"].schedules])


class Ears(Journal):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(name="powerwaked")
        self.lines: list[str] = []

    def log(self, message: str, priority: int = 6, **fields: str) -> None:
        """One line."""
        self.lines.append(message)


def test_what_cannot_be_used_now_is_told_at_the_start_and_what_cannot_be_written_once(tmp_path: Path) -> None:
    """A method without a way out; a status document without a directory."""

    async def claim() -> None:
        ears = Ears()
        voice = daemon.Voice(ears, Places(str(tmp_path / "file" / "run"), ""))
        (tmp_path / "file").write_text("")
        means = Means(Host(live=False), Gate(1, 1.0), daemon.find, lambda *_: asyncio.sleep(0))  # type: ignore[arg-type]
        roster = Roster(inventory(host("web")), "", means, voice.say)
        probes = Probes(means.machine, daemon.find, lambda detail: voice.say("note", detail=detail))
        probes.look(roster.inventory.hosts.values())
        assert probes.looking is not None
        await probes.looking
        assert ["web could not be woken by magic-packet now: a recorded machine sends nothing"] == ears.lines
        voice.publish(roster.facts())
        voice.publish(roster.facts())
        assert 2 == len(ears.lines)
        assert "status.json cannot be written" in ears.lines[1]
        roster.close()

    asyncio.run(claim())


def test_every_word_has_a_sentence() -> None:
    """Also without a machine; what is loud is one of them."""
    assert LOUD <= SENTENCES.keys()
    assert "stopped" == sentence("stopped", "", "", "")
    assert "web is not up, for x; do y" == sentence("not-up", "web", "for x", "do y")


def test_whoever_may_be_silenced_by_one_that_cannot_tell_is_not_needed(tmp_path: Path) -> None:
    """As powerwaked takes it: nobody knows whether it is a holiday. And it is told which schedule that is."""
    office = 'type = "windows"\nup = "Mon-Fri 07:30-18:00 Europe/Berlin"\nunless = ["holidays"]\n'
    holidays = '[host.web.schedule.holidays]\ntype = "dates"\nfile = "/nonexistent/days"\n'
    web = document(tmp_path, host("web", office + holidays))["hosts"][0]
    assert (None, ["holidays"]) == (web["need"], [each["schedule"] for each in web["troubles"]])


def test_who_may_not_read_the_copies_of_calendars_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's directory is closed to all but root: nobody takes "has not been read yet" for the truth."""
    really = os.listdir

    def closed(path: str) -> list[str]:
        if path.startswith(str(tmp_path)):
            raise PermissionError(path)
        return really(path)

    texts = host("web"), host("db", CALENDAR)
    assert document(tmp_path, *texts)["notes"] == []
    monkeypatch.setattr(os, "listdir", closed)
    assert "sudo powerwaked --plan" in document(tmp_path, *texts)["notes"][0]
    assert document(tmp_path, texts[0])["notes"] == []
