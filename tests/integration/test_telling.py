"""Users really told: on a session bus with a notification service, at a terminal, by systemd-logind itself, by a program; and postponing ends it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import pty
import pwd
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import bus as private
import reallogind
from agendas import Clock, instant
from bus import PrivateBus
from fakenotifications import Desktop
from integration.daemon_process import Daemon, request
from keeper import Fake, Keeper, config, until
from powernap.cli import main
from powernap.config.model import Off, ScheduleConfig, Warn
from powernap.daemon.control import Client, Peer
from powernap.daemon.loop_ears import LoopEars
from powernap.daemon.requests import Requests
from powernap.daemon.telling_desktop import on_desktops
from powernap.daemon.telling_ways import TellingError, by_logind
from powernap.daemon.telling_words import Coming, Said
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.schedules import windows

MISSING = private.missing() or reallogind.missing()
pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(bool(MISSING), reason=MISSING),
    pytest.mark.xdist_group("bus"),
]
ANN, BOB, CAROL, DAVE = (pwd.getpwnam(name).pw_uid for name in ("games", "www-data", "man", "lp"))
NIGHT = Coming(
    "web3", "scheduled-off", "power-off", 1e9, 600.0, "23:00", 'a <b>"night"', key=True, postpone=3600.0
)
WARN, UNWARN, OVER = (Said(event, NIGHT) for event in ("warn", "unwarn", "over"))


@pytest.fixture
def root() -> Iterator[Path]:
    """Of a machine; others may enter. The path is short: a socket's may have 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="tell-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def desktops(root: Path) -> Iterator[Callable[[int], Desktop]]:
    """Makes a user's."""
    made: list[Desktop] = []

    def make(uid: int) -> Desktop:
        made.append(Desktop(root, uid))
        return made[-1]

    yield make
    for each in made:
        each.close()


def tell(root: str | Path, way: Any, *said: Said, kept: dict[str, Any]) -> None:
    """One after the other, in a loop of its own; what takes 30 s has failed."""

    async def work() -> None:
        host = Host(TreeFiles(str(root)), ears=LoopEars(asyncio.get_running_loop()))
        async with asyncio.timeout(30):
            for each in said:
                await way(host, each, kept)

    asyncio.run(work())


# ------------------------------------------------------------ desktops


def test_each_user_is_told_as_that_user(root: Path, desktops: Callable[[int], Desktop]) -> None:
    """Whoever has a notification service that runs; told again it takes the place of the one before, and over it is gone."""
    ann, bob = desktops(ANN), desktops(BOB)
    ann.start("body", "body-markup")
    bob.start("body")
    kept: dict[str, Any] = {}
    again = dataclasses.replace(WARN, coming=dataclasses.replace(NIGHT, left=60.0))
    tell(root, on_desktops, WARN, again, OVER, kept=kept)

    for desktop in (ann, bob):
        first, second, closed = desktop.told()
        assert {each["uid"] for each in desktop.told()} == {desktop.uid}
        assert (first["summary"], first["urgency"], first["timeout"], first["transient"]) == (
            "web3 powers off at 23:00", 2, 600000, False,
        )  # fmt: skip
        assert (first["number"], second["number"], closed["number"]) == (1, 1, 1)
        assert (second["timeout"], closed["did"]) == (60000, "close")
    assert kept == {str(ANN): 0, str(BOB): 0}
    # Where the text is markup, nobody's words are; where it is not, nothing is escaped.
    assert "a &lt;b&gt;" in ann.told()[0]["body"]
    assert 'a <b>"night"' in bob.told()[0]["body"]


def test_whose_doing_it_is_that_it_does_not_come_is_shown_for_a_moment(
    root: Path, desktops: Callable[[int], Desktop]
) -> None:
    """As a notification that goes by itself, after the urgent one was closed."""
    ann = desktops(ANN)
    ann.start()
    tell(root, on_desktops, WARN, dataclasses.replace(UNWARN, because="bob postponed it"), kept={})
    _, closed, news = ann.told()
    assert (closed["did"], closed["number"]) == ("close", 1)
    assert (news["summary"], news["body"], news["urgency"], news["transient"], news["timeout"]) == (
        "web3 stays awake", "bob postponed it", 1, True, 15000,
    )  # fmt: skip


def test_who_has_no_desktop_is_passed_over(root: Path, desktops: Callable[[int], Desktop]) -> None:
    """No bus, a bus without such a service, a socket that nobody listens on: no failure, and the others are told."""
    ann, bob = desktops(ANN), desktops(BOB)
    ann.start()
    bob.start_bus()
    desktops(CAROL)
    stale = desktops(DAVE)
    stale.start_bus()
    stale.close()
    (root / "run/systemd/users").mkdir(parents=True)
    for uid in (ANN, BOB, CAROL, DAVE, 99999):
        (root / f"run/systemd/users/{uid}").write_text("")
    kept: dict[str, Any] = {}
    tell(root, on_desktops, WARN, kept=kept)
    assert ["notify"] == [each["did"] for each in ann.told()]
    assert kept == {str(ANN): 1, **{str(uid): 0 for uid in (BOB, CAROL, DAVE, 99999)}}


def test_a_bus_that_hangs_holds_up_nobody_else(
    root: Path, desktops: Callable[[int], Desktop], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its user is named, the other is told; and a directory that is somebody else's is not entered."""
    ann, bob = desktops(ANN), desktops(BOB)
    ann.start()
    bob.start(does="hang")
    foreign = desktops(CAROL)
    os.chown(foreign.runtime, ANN, ANN)
    kept: dict[str, Any] = {}
    with pytest.raises(TellingError) as error:
        tell(root, on_desktops, WARN, kept=kept)
    assert f"user {BOB}: no answer within 8 s" in str(error.value)
    assert f"user {CAROL}: /run/user/{CAROL} belongs to user {ANN}" in str(error.value)
    assert kept == {str(ANN): 1}
    assert ["notify"] == [each["did"] for each in ann.told()]
    # What was shown to somebody whose bus hangs now is still there, and is taken away when it answers.
    kept[str(BOB)] = 5
    with pytest.raises(TellingError):
        tell(root, on_desktops, WARN, kept=kept)
    assert kept == {str(ANN): 1, str(BOB): 5}


# ------------------------------------------------------------ logind


@pytest.fixture
def machine() -> Iterator[PrivateBus]:
    """A bus with systemd-logind itself."""
    made = PrivateBus()
    try:
        made.start_bus()
        reallogind.start(made)
        yield made
    finally:
        made.stop("systemd")
        made.close()


def wall(machine: PrivateBus) -> tuple[str, str]:
    """What logind would broadcast, and whether it would."""
    get = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.DBus.Properties.Get")
    message, enabled = (
        machine.gdbus(*get, "org.freedesktop.login1.Manager", name)
        for name in ("WallMessage", "EnableWallMessages")
    )
    return message, enabled


def test_logind_gets_last_words_and_has_its_own_back(machine: PrivateBus) -> None:
    """However often it was said; words that somebody else gave meanwhile stay."""
    before = wall(machine)
    kept: dict[str, Any] = {}
    tell(machine.root, by_logind, WARN, WARN, kept=kept)
    message, enabled = wall(machine)
    assert "wants it off." in message
    assert "true" in enabled
    tell(machine.root, by_logind, UNWARN, kept=kept)
    assert wall(machine) == before
    assert kept == {}

    tell(machine.root, by_logind, WARN, kept=kept)
    manager = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
    machine.gdbus(*manager[:2], f"{manager[2]}.SetWallMessage", "maintenance", "true")
    tell(machine.root, by_logind, OVER, kept=kept)
    assert "maintenance" in wall(machine)[0]

    # Words that came between two warnings come back, also where no schedule wants it off any more by then.
    tell(machine.root, by_logind, WARN, kept=kept)
    machine.gdbus(*manager[:2], f"{manager[2]}.SetWallMessage", "kernel update", "true")
    tell(machine.root, by_logind, WARN, kept=kept)
    assert "wants it off." in wall(machine)[0]
    gone = dataclasses.replace(UNWARN, coming=dataclasses.replace(NIGHT, sleep=""))
    tell(machine.root, by_logind, gone, kept=kept)
    assert "kernel update" in wall(machine)[0]

    # A powernapd that is killed leaves its own, which the next one does not take for somebody's.
    tell(machine.root, by_logind, WARN, kept={})
    tell(machine.root, by_logind, WARN, UNWARN, kept={})
    assert "PowerNap" not in wall(machine)[0]


# ------------------------------------------------------------ a whole night


def test_a_user_reads_of_it_at_the_terminal_and_postpones_it(root: Path) -> None:
    """A real terminal and a real program; what follows is told there, to the core and in the history. At its end it goes off after all."""
    logged = root / "run/systemd/users"
    logged.mkdir(parents=True)
    (logged / str(ANN)).write_text("STATE=active\nSESSIONS=3\n")
    (root / "run/systemd/sessions").mkdir()
    (root / "run/systemd/sessions/3").write_text("CLASS=user\n")
    program = root / "tell"
    program.write_text(f'#!/bin/sh\necho "$POWERNAP_EVENT $POWERNAP_WHY" >> {root}/told\n')
    program.chmod(0o755)
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    os.chmod(os.ttyname(theirs), stat.S_IMODE(os.stat(os.ttyname(theirs)).st_mode) | stat.S_IWGRP)
    (root / "dev/pts").mkdir(parents=True)
    (root / "dev/pts/0").symlink_to(os.ttyname(theirs))
    screen = bytearray()

    def reads(text: str) -> bool:
        with contextlib.suppress(BlockingIOError):
            screen.extend(os.read(ours, 65536))
        return text.encode() in screen

    async def work() -> None:
        clock = Clock(instant("2035-01-01 21:55"))
        plain = config("work", stages=(), settings={"min_awake": 0.0})
        night = ScheduleConfig("night", "windows", windows.Options(off=("daily 22:00-06:00 UTC",)))
        given = dataclasses.replace(
            plain,
            schedules={"night": night},
            off=Off(warn=600.0, in_use="off"),
            warn=Warn(command=("/tell",)),
        )
        keeper = Keeper({"work": Fake()}, given, clock)
        keeper.host.files = TreeFiles(str(root))
        keeper.node.begin()
        await until(lambda: keeper.said("warned"))
        await until(lambda: reads("powers off at 22:05 (in 10min)"))
        assert reads('schedule "night" wants it off. To postpone it, run `powernap postpone`')

        desk = Requests(keeper.node, list)
        visitor = Client(None, Peer(7, ANN, ANN, may_act=False))  # type: ignore[arg-type]
        answer = desk.answer(visitor, {"op": "postpone", "for_s": 1800, "why": "a \x1b[2Jbuild"})
        assert answer is not None
        assert answer["until"] == instant("2035-01-01 22:30")
        await until(lambda: reads("postponed it until 22:30 (a ?[2Jbuild)"))
        await until(lambda: (root / "told").exists() and len((root / "told").read_text().splitlines()) == 2)
        assert (root / "told").read_text().splitlines() == [
            'warn schedule "night" wants it off',
            "unwarn games postponed it until 22:30 (a ?[2Jbuild)",
        ]
        [entry] = keeper.said("postponed")
        assert entry["detail"].startswith(
            "games postponed the off of schedule night, due at 22:00, until 22:30"
        )
        assert keeper.said("unwarned")
        assert keeper.said("warn-failed") == []
        telling = keeper.node.telling
        assert telling is not None
        await until(lambda: not any(turn.locked() for turn in telling.turns.values()))
        await keeper.end()

    async def bounded() -> None:
        async with asyncio.timeout(30):
            await work()

    try:
        asyncio.run(bounded())
    finally:
        os.close(ours)
        os.close(theirs)


# ------------------------------------------------------------ asked by real users

WATCHING = """
mode = "watch"
[monitor.load]
above = "1000000"
[off]
in_use = "off"
{limits}
[schedule.night]
type = "windows"
off = "daily 00:00-24:00"
"""


def until_off_is_known(daemon: Daemon) -> None:
    """The schedules have answered, for the first time."""
    while any("asked" in each["reason"] or "known" in each["reason"] for each in windows_of(daemon)):
        time.sleep(0.02)


def windows_of(daemon: Daemon) -> list[Any]:
    """What keeps it up on behalf of schedules."""
    return [each for each in daemon.ask("why", refresh=False)["blockers"] if each["kind"] == "window"]


def as_user(uid: int, ask: Callable[[], Any]) -> Any:
    """What is answered to a process of that user's."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            os.write(writes, json.dumps(ask()).encode())
        finally:
            os._exit(0)
    os.close(writes)
    os.waitpid(pid, 0)
    with os.fdopen(reads, "rb") as file:
        return json.load(file)


def test_the_daemon_knows_who_asks(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the credentials of the connection: somebody who is not logged in may not, root may; the schedule shows it, and one that was killed knows it."""
    with Daemon(root, WATCHING.format(limits="")) as daemon:
        until_off_is_known(daemon)
        refused = as_user(ANN, lambda: daemon.ask("postpone"))
        assert (refused["ok"], refused["code"]) == (False, 3)
        assert refused["error"] == "user games is not logged in here"

        monkeypatch.setenv("POWERNAP_SOCKET", str(daemon.socket))
        assert main.main(["postpone", "--for", "2h", "--why", "patches"]) == 0
        assert "this machine stays up until" in capsys.readouterr().out
        [extended] = daemon.ask("schedule")["extended"]
        assert (extended["who"], extended["why"]) == ("root", "patches")
        assert "root postponed the off of schedule night, due at " in daemon.until("postponed")["detail"]
        assert main.main(["schedule"]) == 0
        assert "by root: patches" in capsys.readouterr().out


def test_however_often_somebody_asks_there_is_an_end(root: Path) -> None:
    """A hundred requests end in refusals; what is kept of each is short."""
    with Daemon(root, WATCHING.format(limits="")) as daemon, daemon.connect() as connection:
        until_off_is_known(daemon)
        answers = [request(connection, "postpone", for_s=600, why="x" * 5000) for _ in range(100)]
        kept = daemon.ask("schedule")["extended"]
        assert sum(answer["ok"] for answer in answers) == len(kept) <= 64
        assert not answers[-1]["ok"]
        assert {len(each["why"]) for each in kept} == {200}
