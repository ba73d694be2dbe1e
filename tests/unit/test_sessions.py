"""Claims of monitors/sessions.py and host/people.py without a message bus: which sessions count, and machines without logind."""

from __future__ import annotations

import asyncio
import os
import struct
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loop_ears import LoopEars, until
from powernap.core.reading import Reading
from powernap.host import logind, people
from powernap.host.availability import UnavailableError
from powernap.host.dbus_message import SIGNAL, Message
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.host.logins import Login, TypingTimes
from powernap.host.people import Person
from powernap.monitors import Context, sessions
from powernap.monitors.sessions import Options, judge

NOW = 10_000.0
SSH = Person("1", "alice", "pts/0", "10.0.0.7", remote=True, used=NOW - 10, since=9000.0)
DESK = Person("2", "bob", "", kind="user", since=8000.0)
OPTIONS = Options()


def test_the_reason_names_everybody() -> None:
    """Who, where, whence; since the first of them."""
    reading = judge("m", [SSH, DESK], OPTIONS, NOW, told=True)
    assert (reading.active, reading.reason, reading.since) == (
        True,
        "alice on pts/0 from 10.0.0.7; bob",
        8000.0,
    )


def test_a_crowd_is_counted() -> None:
    """Three names, then how many more; all of them for programs."""
    reading = judge("m", [Person(str(n), f"u{n}") for n in range(9)], OPTIONS, NOW, told=True)
    assert reading.reason == "u0; u1; u2 and 6 more"
    assert len(reading.who) == 9


@pytest.mark.parametrize(
    ("person", "options", "active"),
    [
        (SSH, OPTIONS, True),
        (Person("1", "a", "pts/0", used=NOW - 1800), OPTIONS, False),
        (Person("1", "a", "pts/0", used=NOW - 1799), OPTIONS, True),
        (Person("1", "a", "pts/0", used=NOW - 9000), Options(idle=0.0), True),
        (Person("1", "a", "pts/0", used=NOW, idle=True), OPTIONS, True),
        (Person("1", "a", "pts/0", used=None), OPTIONS, True),
        (Person("1", "a", idle=True), OPTIONS, False),
        (Person("1", "a", idle=True), Options(idle_hint=False), True),
        (Person("1", "a"), OPTIONS, True),
        (Person("1", "a", kind="greeter"), OPTIONS, False),
        (Person("1", "a", kind="manager"), OPTIONS, False),
        (Person("1", "a"), Options(exclude_users=("a",)), False),
        (Person("1", "a"), Options(remote_only=True), False),
        (SSH, Options(remote_only=True), True),
    ],
)
def test_who_counts(person: Person, options: Options, active: bool) -> None:
    """Each option, each side of its edge; what cannot be told counts."""
    assert judge("m", [person], options, NOW, told=True).active is active


def test_only_an_end_that_will_be_told_is_promised() -> None:
    """A terminal falls idle without a word; a source without events promises nothing."""
    assert judge("m", [DESK], OPTIONS, NOW, told=True).told
    assert not judge("m", [DESK, SSH], OPTIONS, NOW, told=True).told
    assert judge("m", [SSH], Options(idle=0.0), NOW, told=True).told
    assert not judge("m", [DESK], OPTIONS, NOW, told=False).told


def test_idle_sessions_tell_their_last_use() -> None:
    """Idle time goes on from the last key, not from the look."""
    reading = judge(
        "m",
        [Person("1", "a", "pts/0", used=NOW - 5400), Person("2", "b", used=NOW - 7200, idle=True)],
        OPTIONS,
        NOW,
        told=True,
    )
    assert (reading.active, reading.last, reading.reason) == (
        False,
        NOW - 5400,
        "2 sessions, idle for 1h 30min",
    )


@given(
    st.lists(
        st.builds(
            Person,
            st.text(),
            st.text(),
            used=st.none() | st.floats(0, NOW),
            idle=st.booleans(),
            terminal=st.sampled_from(["", "pts/1"]),
        )
    )
)
def test_no_instant_lies_in_the_future(people: list[Person]) -> None:
    """Whatever the sessions: last is at most now, and active has a reason."""
    reading = judge("m", people, OPTIONS, NOW, told=True)
    assert reading.last is None or reading.last <= NOW
    assert reading.active == bool(reading.who)


def test_logind_properties_are_read() -> None:
    """What is missing or of another type is empty, never an error."""
    values = {
        "Id": "3",
        "Name": "alice",
        "TTY": "/dev/tty2",
        "Remote": False,
        "IdleHint": True,
        "IdleSinceHintMonotonic": 5_000_000,
        "Class": 7,
    }
    session = logind.parse(values)
    assert (session.id, session.user, session.terminal, session.idle, session.idle_since, session.kind) == (
        "3",
        "alice",
        "tty2",
        True,
        5.0,
        "",
    )


@pytest.mark.parametrize(
    ("member", "body", "matters"),
    [
        ("SessionNew", ("1", "/s"), True),
        ("SessionRemoved", ("1", "/s"), True),
        ("PrepareForSleep", (True,), False),
        ("PropertiesChanged", (logind.SESSION, {"IdleHint": True}, []), True),
        ("PropertiesChanged", (logind.SESSION, {}, ["State"]), True),
        ("PropertiesChanged", (logind.SESSION, {"LockedHint": True}, []), False),
        ("PropertiesChanged", (), False),
    ],
)
def test_only_telling_signals_lead_to_a_look(member: str, body: tuple[Any, ...], matters: bool) -> None:
    """A locked screen is nobody's coming or going."""
    assert logind.matters(Message(SIGNAL, 1, member=member, body=body)) is matters


@pytest.mark.parametrize(
    ("login", "remote"),
    [
        (Login("a", "pts/0", "10.0.0.7"), True),
        (Login("a", "pts/0", ":0"), False),
        (Login("a", "pts/0", "tmux(4).%0"), False),
        (Login("a", "tty1", ""), False),
        (Login("a", "pts/0", ""), True),
    ],
)
def test_where_a_login_comes_from(tmp_path: Path, login: Login, remote: bool) -> None:
    """A host is remote, a display is not; a pseudo terminal of unknown origin is taken for remote."""
    host = Host(files=TreeFiles(str(tmp_path)))
    assert people.person_of(login, host, TypingTimes(host.files, host.clock), NOW).remote is remote


# --- machines without logind


def utmp(root: Path, *users: tuple[str, str, int]) -> None:
    """Write /run/utmp: a boot record and a row for each (user, line, pid)."""
    wide = os.uname().machine in {"aarch64", "loongarch64", "ia64", "alpha"}
    rows = [(2, 0, "~", "reboot")] + [(7, pid, line, user) for user, line, pid in users]
    data = b"".join(
        struct.pack("=hxxi32s4s32s256s", kind, pid, line.encode(), b"", user.encode(), b"").ljust(
            400 if wide else 384, b"\0"
        )
        for kind, pid, line, user in rows
    )
    (root / "run").mkdir(exist_ok=True)
    (root / "run/utmp").write_bytes(data)


class House:
    """A monitor on the machine below a directory."""

    def __init__(self, root: Path, options: Options = OPTIONS) -> None:
        self.ears = LoopEars()
        self.told: list[Reading] = []
        self.host = Host(files=TreeFiles(str(root)), ears=self.ears)
        self.monitor = sessions.open(Context("people", self.host, self.told.append), options)

    async def check(self) -> Reading:
        return await self.monitor.check(self.host.clock.boottime())


def serve(root: Path, test: Callable[[House], Coroutine[Any, Any, None]]) -> None:
    """Run a test, then see that nothing is left."""

    async def whole() -> None:
        before = len(os.listdir("/proc/self/fd"))
        house = House(root)
        try:
            await test(house)
        finally:
            house.monitor.close()
        assert (len(os.listdir("/proc/self/fd")), house.ears.listening) == (before, set())

    asyncio.run(whole())


def test_utmp_tells_of_logins_and_logouts(tmp_path: Path) -> None:
    """Without logind: heard by inotify when somebody logs in; deaf while somebody is there; found by a look when gone."""
    (tmp_path / "proc/42").mkdir(parents=True)
    (tmp_path / "dev/pts").mkdir(parents=True)
    (tmp_path / "dev/pts/0").touch()
    utmp(tmp_path)

    async def test(house: House) -> None:
        assert (house.monitor.source, house.monitor.events) == ("utmp", True)
        assert (await house.check()).reason == "nobody is logged in"
        utmp(tmp_path, ("alice", "pts/0", 42))
        await until(lambda: house.told)
        assert (house.told[0].active, house.told[0].told, house.told[0].who) == (
            True,
            False,
            ("alice on pts/0",),
        )
        utmp(tmp_path)
        await until(lambda: house.monitor.changed_at > house.told[0].at)
        ended = house.monitor.changed_at
        reading = await house.check()
        assert (reading.active, reading.last) == (False, ended)
        assert (await house.check()).last == ended

    serve(tmp_path, test)


def test_utmp_that_vanishes_is_a_failure(tmp_path: Path) -> None:
    """Not an empty house."""
    utmp(tmp_path)

    async def test(house: House) -> None:
        os.unlink(tmp_path / "run/utmp")
        with pytest.raises(FileNotFoundError):
            await house.check()

    serve(tmp_path, test)


def leader(root: Path, pid: int, tty: int) -> None:
    """A process; with ``tty`` a session leader on it."""
    (root / f"proc/{pid}").mkdir(parents=True)
    (root / f"proc/{pid}/stat").write_text(
        f"{pid} (sh) S 1 {pid} {pid} {tty} -1 0 {' '.join('0' * 13)} 1 0\n"
    )
    (root / f"proc/{pid}/status").write_text("Uid:\t0\t0\t0\t0\n")


def test_without_logind_and_utmp_the_terminals_are_looked_at(tmp_path: Path) -> None:
    """Debian 13 without logind: users are found all the same, and the source is named."""
    leader(tmp_path, 1, 0)
    leader(tmp_path, 50, 136 << 8)

    async def test(house: House) -> None:
        assert (house.monitor.source, house.monitor.events) == ("controlling terminals in /proc", False)
        reading = await house.check()
        assert (reading.active, reading.who) == (True, ("uid 0 on pts/0",))
        (tmp_path / "proc/50/stat").unlink()
        gone = await house.check()
        assert (gone.active, gone.last) == (False, gone.at)

    serve(tmp_path, test)


def test_where_nothing_can_tell_it_is_unavailable(tmp_path: Path) -> None:
    """Never "nobody": unavailable, with a remedy."""
    host = Host(files=TreeFiles(str(tmp_path)))
    answer = sessions.probe(host, OPTIONS)
    assert not answer
    assert "logind" in answer.remedy
    with pytest.raises(UnavailableError):
        sessions.open(Context("people", host, lambda _: None), OPTIONS)


def test_the_source_follows_the_machine(tmp_path: Path) -> None:
    """Logind where its mark and the bus are; a recorded machine cannot be asked and has its files."""
    leader(tmp_path, 1, 0)
    host = Host(files=TreeFiles(str(tmp_path)))
    assert people.choose(host) == "proc"
    utmp(tmp_path)
    assert people.choose(host) == "utmp"
    (tmp_path / "run/systemd/seats").mkdir(parents=True)
    assert people.choose(host) == "utmp"
    (tmp_path / "run/dbus").mkdir()
    (tmp_path / "run/dbus/system_bus_socket").touch()
    assert people.choose(host) == "logind"
    assert people.choose(Host(files=TreeFiles(str(tmp_path)), live=False)) == "utmp"


def test_a_logind_that_cannot_be_reached_fails(tmp_path: Path) -> None:
    """A dead socket is no empty house: each look fails until it answers."""
    (tmp_path / "run/systemd/seats").mkdir(parents=True)
    (tmp_path / "run/dbus").mkdir()
    (tmp_path / "run/dbus/system_bus_socket").touch()

    async def test(house: House) -> None:
        for _ in range(2):
            with pytest.raises(OSError):
                await house.check()

    serve(tmp_path, test)


def test_this_machine_itself_is_answered() -> None:
    """On whatever machine the tests run: a reading, quickly, not an exception."""
    begin = time.monotonic()

    async def test() -> None:
        ears = LoopEars()
        monitor = sessions.open(Context("people", Host(ears=ears), lambda _: None), OPTIONS)
        reading = await monitor.check(time.clock_gettime(time.CLOCK_BOOTTIME))
        assert reading.reason
        monitor.close()

    if sessions.probe(Host(), OPTIONS):
        asyncio.run(test())
    assert time.monotonic() - begin < 5
