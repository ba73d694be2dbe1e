"""cli/foreground.py without a daemon: what is shown, where the ledger is, and what is left behind."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from powernap.cli import foreground, main
from powernap.cli.client import DaemonError
from powernap.daemon.main import make_places
from powernap.daemon.places import Places
from powernap.host.ledger_file import LedgerBusyError, LedgerFile

TRYING: dict[str, Any] = {
    "event": "trying", "root": True, "for_s": 60.0, "nap_after_s": 10.0, "actions": ["kernel-quiet"], "monitors": ["input", "ssh (22)"],
    "left_out": {"cpu-clock": "no cpufreq"}, "trouble": "", "socket": Places().socket, "invitation": "dpkg --version",
}  # fmt: skip
TRIED: dict[str, Any] = {
    "event": "tried", "for_s": 60.0, "watching": False, "naps": 0, "napping_s": 0.0, "blockers": [], "latest": None, "left_changed": 0,
    "nap_after_s": 10.0, "quiet_only": False,
}  # fmt: skip


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed powernap."""
    monkeypatch.setattr(shutil, "which", lambda _name: "/usr/bin/powernap")


def test_the_opening_says_what_will_happen_and_how_to_come_back() -> None:
    """Before anything is changed."""
    text = foreground.opening(TRYING)
    assert "for 1min, napping after 10s" in text
    assert "a nap changes  kernel-quiet\n" in text
    assert "after SIGKILL: `powernap undo`" in text
    assert "watches        input, ssh (22)" in text
    assert "left out       cpu-clock: no cpufreq" in text
    assert "in another terminal: dpkg --version" in text
    assert "in another terminal: powernap why" in text


def test_the_opening_of_a_try_that_only_watches() -> None:
    """An ordinary user's has a socket of its own."""
    text = foreground.opening(
        {
            **TRYING,
            "actions": [],
            "invitation": "",
            "socket": "/tmp/x/control",
            "trouble": "the configuration has 1 fault",
        }
    )
    assert "nothing: it only says what it would do" in text
    assert "undo" not in text
    assert "come back      POWERNAP_SOCKET=/tmp/x/control powernap wake" in text
    assert "attention     the configuration has 1 fault" in text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"naps": 1, "napping_s": 30.0}, "it napped once, 30s of 1min"),
        ({"naps": 3, "napping_s": 30.0}, "it napped 3 times, 30s of 1min"),
        ({"blockers": [{"name": "ssh", "reason": "alice"}]}, "it did not nap: ssh: alice ("),
        ({"latest": {"name": "cpu", "reason": "cpu 85%"}}, "it did not nap: cpu: cpu 85% (--quiet-only"),
        (
            {},
            "it did not nap: it was not idle for long enough (--quiet-only leaves rates out, --nap-after 2s waits",
        ),
        ({"quiet_only": True}, "it did not nap: it was not idle for long enough (--nap-after 2s waits less"),
        (
            {"nap_after_s": 2.0},
            "it did not nap: it was not idle for long enough (--quiet-only leaves rates out)",
        ),
        ({"naps": 2, "napping_s": 30.0, "watching": True}, "it would have napped twice, 30s"),
        ({"watching": True}, "it would not have napped: it was not idle"),
        ({"naps": 1, "left_changed": 2}, "2 values could not be put back; try `powernap undo`"),
    ],
)
def test_the_closing_says_what_came_of_it(change: dict[str, Any], says: str) -> None:
    """A try that shows no nap must say why."""
    assert foreground.closing({**TRIED, **change}).startswith(says)


def test_what_was_given_is_not_suggested() -> None:
    """Nor what would be no shorter."""
    words = foreground.closing({**TRIED, "quiet_only": True, "nap_after_s": 1.0})
    assert words == "it did not nap: it was not idle for long enough"
    view = foreground.View(as_json=True, nap_after=1.0, quiet_only=True)
    told: list[dict[str, Any]] = []
    view.say = told.append  # type: ignore[assignment]
    assert 0 == view.end(None)
    assert (1.0, True) == (told[0]["nap_after_s"], told[0]["quiet_only"])


class Hands:
    def changed(self) -> list[dict[str, str]]:
        return [{"action": "kernel-quiet", "stage": "ease", "target": "/proc/x", "old": "1", "new": "60"}]


class Node:
    hands = Hands()


def told(view: foreground.View, *entries: dict[str, Any]) -> None:
    for entry in entries:
        view.hear(entry, Node())  # type: ignore[arg-type]


def test_a_nap_is_shown_with_the_values_that_it_changes(capsys: pytest.CaptureFixture[str]) -> None:
    """And counted."""

    async def scenario() -> int:
        view = foreground.View(as_json=False)
        told(view, {"event": "entered", "stage": "ease"})
        await asyncio.sleep(0.02)
        told(view, {"event": "left", "stage": "ease", "seconds": 1.0}, {"event": "entered", "stage": "ease"})
        return view.end(None)

    assert 0 == asyncio.run(scenario())
    out = capsys.readouterr().out
    assert "            /proc/x  1 -> 60\n" in out
    assert "it napped twice" in out


def test_json_is_one_document_a_line_from_the_first_to_the_last(capsys: pytest.CaptureFixture[str]) -> None:
    """Each with version and time; readings unfiltered."""

    async def scenario() -> None:
        view = foreground.View(as_json=True)
        view.say(TRYING)
        pulse = {
            "event": "reading",
            "monitor": "cpu",
            "at": 5.0,
            "last": 5.0,
            "active": False,
            "reason": "cpu 85%",
        }
        told(view, pulse, {**pulse, "at": 500.0, "reason": "cpu 1%"}, {"event": "entered", "at": 6.0})
        view.end(None)

    asyncio.run(scenario())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert ["trying", "reading", "reading", "entered", "tried"] == [line["event"] for line in lines]
    assert all(line["version"] == 1 and line["time"] > 0 for line in lines)
    assert "/proc/x" == lines[3]["changed"][0]["target"]
    assert {"name": "cpu", "reason": "cpu 85%"} == lines[4]["latest"]


def test_a_reader_that_has_gone_ends_the_try_and_raises_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is told in the middle of a step of the daemon, which must go on to put everything back."""

    class Gone:
        def write(self, _text: str) -> int:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

        def flush(self) -> None: ...

        def fileno(self) -> int:
            raise OSError

    async def scenario() -> tuple[bool, int]:
        view = foreground.View(as_json=False)
        monkeypatch.setattr(sys, "stdout", Gone())
        told(view, {"event": "woken"}, {"event": "woken"})
        return view.over.is_set(), view.end(None)

    assert (True, 0) == asyncio.run(scenario())


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(str(tmp_path / "run"), "")


def test_no_ledger_is_left_where_there_was_none(places: Places) -> None:
    """Nor its directory."""
    with foreground.tidied(places):
        ledger, refusal = foreground.ledger_of(places)
        assert ledger is not None
        assert "" == refusal
        assert os.path.exists(places.ledger)
        ledger._book.paper.close()  # type: ignore[attr-defined]
    assert not os.path.exists(places.runtime)


def test_a_ledger_that_holds_something_stays(places: Places) -> None:
    """It is what `powernap undo` needs."""
    with foreground.tidied(places):
        make_places(places)
        Path(places.ledger).write_text("x")
    assert os.path.exists(places.ledger)


def test_an_empty_ledger_of_somebody_else_stays(places: Places) -> None:
    """We take away what we made, and nothing else."""
    make_places(places)
    Path(places.ledger).touch()
    with foreground.tidied(places):
        pass
    assert os.path.exists(places.ledger)


def test_beside_another_there_is_no_try(places: Places) -> None:
    """Two would undo each other's changes. Who it is, and how it ends, is said."""
    make_places(places)
    held = LedgerFile(places.ledger)
    Path(places.socket).touch()
    try:
        with pytest.raises(DaemonError, match="is running already") as caught, foreground.tidied(places):
            foreground.ledger_of(places)
    finally:
        held.close()
    assert os.path.exists(places.socket)
    assert os.path.exists(places.ledger)
    assert f"`kill {os.getpid()}`" in caught.value.remedy
    assert "systemctl" not in caught.value.remedy
    assert 3 == caught.value.code


def test_an_empty_ledger_that_somebody_has_stays(places: Places) -> None:
    """Also where a killed try made it: a daemon that runs would write where nobody finds it."""
    make_places(places)
    held = LedgerFile(places.ledger)
    try:
        with pytest.raises(DaemonError), foreground.tidied(places, made={places.ledger, places.runtime}):
            foreground.ledger_of(places)
    finally:
        held.close()
    assert os.path.exists(places.ledger)


def test_the_next_try_takes_away_the_empty_ledger_of_a_killed_one(places: Places, tmp_path: Path) -> None:
    """Whoever made it wrote that down in its own directory; a process that is killed takes its lock along."""
    child = os.fork()
    if not child:
        try:
            own = tmp_path / f"powernap-try-{os.getpid()}-x"
            own.mkdir()
            foreground.locked(str(own))
            with foreground.tidied(places, str(own)):
                _held = foreground.ledger_of(places)
                os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)  # whatever fails: this is no second run of the tests
    os.waitpid(child, 0)
    assert Path(places.ledger).read_bytes() == b""
    made = foreground.tidy(str(tmp_path))
    assert {places.ledger, places.runtime} == made
    assert [] == [*tmp_path.glob("powernap-try-*")]
    with foreground.tidied(places, made=made):
        pass
    assert not os.path.exists(places.runtime)


def test_a_try_that_holds_its_lock_is_alive(tmp_path: Path) -> None:
    """Its process id means nothing in another pid namespace."""
    gone = os.spawnv(os.P_NOWAIT, "/bin/true", ["true"])
    os.waitpid(gone, 0)
    own = tmp_path / f"powernap-try-{gone}-x"
    own.mkdir()
    lock = foreground.locked(str(own))
    assert lock is not None
    assert set() == foreground.tidy(str(tmp_path))
    assert own.exists()
    os.close(lock)
    foreground.tidy(str(tmp_path))
    assert not own.exists()


def test_the_service_is_stopped_by_its_manager() -> None:
    """It would be started again."""
    assert "`systemctl stop powernapd`" in foreground.make_room(LedgerBusyError("l", 7, "powernapd"))
    assert "`systemctl stop powernapd`" in foreground.make_room(LedgerBusyError("l", 0, ""))


def test_what_is_to_be_typed_can_be_typed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After `make try` no powernap is on the path: then its place, or Python and the module."""
    assert "powernap" == foreground.program()
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    script = tmp_path / "powernap"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(script)])
    assert str(script) == foreground.program()
    assert f"in another terminal: {script} why" in foreground.opening(TRYING)
    monkeypatch.setattr(sys, "argv", ["/x/powernap/__main__.py"])
    assert f"{sys.executable} -m powernap" == foreground.program()


def test_what_killed_tries_have_left_is_taken_away(tmp_path: Path) -> None:
    """Of processes that are gone; nobody else's, nothing behind a link, nothing of another name."""
    gone = os.spawnv(os.P_NOWAIT, "/bin/true", ["true"])
    os.waitpid(gone, 0)
    for name in (
        f"powernap-try-{gone}-abc",
        f"powernap-try-{os.getpid()}-abc",
        "powernap-try-abc",
        f"other-{gone}-abc",
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "powernap.toml").touch()
    (tmp_path / "kept").mkdir()
    (tmp_path / f"powernap-try-{gone}-link").symlink_to(tmp_path / "kept")
    foreground.tidy(str(tmp_path))
    left = {name for name in os.listdir(tmp_path) if (tmp_path / name).is_dir()}
    assert {
        f"powernap-try-{os.getpid()}-abc",
        "powernap-try-abc",
        f"other-{gone}-abc",
        "kept",
        f"powernap-try-{gone}-link",
    } == left


@pytest.mark.parametrize(("length", "idle"), [("10s", "10s"), ("5s", "1min")])
def test_a_try_that_could_not_nap_is_refused(
    length: str, idle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what to write instead."""
    assert 2 == main.main(["try", "--for", length, "--nap-after", idle])
    said = capsys.readouterr().err
    assert "it could not nap" in said
    assert "write --for " in said


def test_without_a_place_for_the_ledger_nothing_is_changed() -> None:
    """A read-only container: it watches, and says why it does no more."""
    ledger, refusal = foreground.ledger_of(Places("/proc/none/powernap", ""))
    assert ledger is None
    assert "/proc/none" in refusal


def test_help_does_not_load_the_daemon() -> None:
    """Who asks for --help need not wait for asyncio."""
    code = "import sys\nfrom powernap.cli.main import main\ntry: main(['try', '--help'])\nexcept SystemExit: pass\nsys.exit('asyncio' in sys.modules)"
    assert 0 == os.waitstatus_to_exitcode(os.system(f'{sys.executable} -c "{code}" > /dev/null'))


def test_wrong_usage_comes_before_anything_is_made(capsys: pytest.CaptureFixture[str]) -> None:
    """Such as a port that is none."""
    began = time.monotonic()
    with pytest.raises(SystemExit):
        main.main(["try", "--port", "0"])
    assert time.monotonic() - began < 5
    assert "1 to 65535" in capsys.readouterr().err
