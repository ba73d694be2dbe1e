"""Logins through a real message bus and a mock of logind; one bus for all of this file."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

import bus as private
from bus import PrivateBus
from loop_ears import LoopEars, until
from powernap.core.reading import Reading
from powernap.host import dbus
from powernap.host.dbus import Bus, BusError, BusLostError
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.monitors import Context, sessions
from powernap.monitors.sessions import Options, SessionsMonitor

MISSING = private.missing()
pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING), pytest.mark.xdist_group("bus")]

CONSOLE = "org.freedesktop.login1"


@pytest.fixture(scope="module")
def shared() -> Iterator[PrivateBus]:
    """A bus with logind."""
    machine = PrivateBus()
    machine.start_bus()
    machine.start_logind()
    yield machine
    machine.close()


@pytest.fixture
def machine(shared: PrivateBus) -> Iterator[PrivateBus]:
    """The same, with nobody logged in."""
    yield shared
    listed = shared.gdbus(CONSOLE, "/org/freedesktop/login1", "org.freedesktop.login1.Manager.ListSessions")
    for path in [
        part.split("'")[0]
        for part in listed.split("'")
        if part.startswith("/org/freedesktop/login1/session/")
    ]:
        shared.remove_session(path)


class House:
    """A monitor on that machine."""

    def __init__(self, machine: PrivateBus, options: Options | None = None) -> None:
        self.ears = LoopEars()
        self.told: list[Reading] = []
        self.host = Host(files=TreeFiles(machine.root), ears=self.ears)
        self.monitor: SessionsMonitor = sessions.open(
            Context("people", self.host, self.told.append), options or Options()
        )

    async def check(self) -> Reading:
        return await self.monitor.check(self.host.clock.boottime())


def serve(
    machine: PrivateBus, test: Callable[[House], Coroutine[Any, Any, None]], options: Options | None = None
) -> None:
    """Run a test on a loop, then see that no descriptor is left."""

    async def whole() -> None:
        before = len(os.listdir("/proc/self/fd"))
        house = House(machine, options)
        try:
            await test(house)
        finally:
            house.monitor.close()
        assert not house.ears.listening
        assert len(os.listdir("/proc/self/fd")) == before

    asyncio.run(whole())


async def aside(do: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
    """Somebody else does something while the loop runs on."""
    return await asyncio.to_thread(do, *arguments, **more)


def test_nobody_somebody_nobody(machine: PrivateBus) -> None:
    """A desktop login is told at once, with who and whence; its end too."""

    async def test(house: House) -> None:
        first = await house.check()
        assert (first.active, first.reason, house.monitor.source) == (False, "nobody is logged in", "logind")
        path = await aside(machine.add_session, "c1", "alice", RemoteHost="'10.0.0.7'", Remote="true")
        await until(lambda: house.told)
        assert (house.told[0].active, house.told[0].told, house.told[0].reason) == (
            True,
            True,
            "alice from 10.0.0.7",
        )
        await aside(machine.remove_session, path)
        await until(lambda: len(house.told) == 2)
        assert not house.told[1].active
        assert house.told[1].last == pytest.approx(house.host.clock.boottime(), abs=5)

    serve(machine, test)


def test_an_idle_desktop_counts_no_longer_and_again_when_used(machine: PrivateBus) -> None:
    """The idle hint ends the hold; the instant it began is the last use."""

    async def test(house: House) -> None:
        path = await aside(machine.add_session, "c2", "alice", Type="'wayland'")
        assert (await house.check()).active
        since = int((time.monotonic() - 100) * 1e6)
        await aside(machine.change, path, IdleHint="true", IdleSinceHintMonotonic=f"uint64 {since}")
        await until(lambda: house.told)
        assert house.told[0].reason.startswith("1 session, idle for 1min 4")
        assert house.told[0].last == pytest.approx(house.host.clock.boottime() - 100, abs=5)
        await aside(machine.change, path, IdleHint="false")
        await until(lambda: len(house.told) == 2)
        assert house.told[1].active

    serve(machine, test)


def test_a_greeter_and_an_excluded_user_are_nobody(machine: PrivateBus) -> None:
    """Classes and users that do not count are not told of."""

    async def test(house: House) -> None:
        await house.check()
        await aside(machine.add_session, "c3", "gdm", Class="'greeter'")
        await aside(machine.add_session, "c4", "backup")
        await asyncio.sleep(0.1)
        assert not (await house.check()).active
        assert [reading for reading in house.told if reading.active and "gdm" in reading.reason] == []

    serve(machine, test, Options(exclude_users=("backup",)))


def test_a_terminal_that_is_typed_on_counts_until_it_is_idle(machine: PrivateBus) -> None:
    """ssh: the terminal's input decides, not logind's half hour; its falling idle is never promised to be told."""
    Path(machine.root, "dev/pts/3").touch()

    async def test(house: House) -> None:
        await aside(
            machine.add_session,
            "c5",
            "bob",
            TTY="'pts/3'",
            RemoteHost="'10.0.0.9'",
            Remote="true",
            IdleHint="true",
        )
        reading = await house.check()
        assert (reading.active, reading.told, reading.who) == (True, False, ("bob on pts/3 from 10.0.0.9",))
        os.utime(f"{machine.root}/dev/pts/3", (time.time() - 1000, 0))
        house.monitor.where.times.known.clear()  # type: ignore[attr-defined]
        house.monitor.where.times.looked.clear()  # type: ignore[attr-defined]
        idle = await house.check()
        assert not idle.active
        assert idle.last == pytest.approx(house.host.clock.boottime() - 1000, abs=10)

    serve(machine, test, Options(idle=600.0))


def test_unrelated_signals_wake_nobody(machine: PrivateBus) -> None:
    """The bus keeps them away: locked screens of other objects, other services."""

    async def test(house: House) -> None:
        await house.check()
        wakeups = house.ears.wakeups
        for _ in range(5):
            await aside(
                machine.gdbus,
                CONSOLE,
                "/org/freedesktop/login1",
                "org.freedesktop.DBus.Mock.EmitSignal",
                "org.freedesktop.login1.Manager",
                "PrepareForSleep",
                "b",
                "[<true>]",
            )
        assert house.ears.wakeups == wakeups

    serve(machine, test)


def test_descriptors_come_along(machine: PrivateBus) -> None:
    """Inhibit answers with a descriptor: it is ours, close-on-exec, and readable as what it is."""

    async def test(house: House) -> None:
        bus = await dbus.connect(house.host.files, house.ears, lambda _: None, lambda _: None)
        reply = await bus.call(
            CONSOLE,
            "/org/freedesktop/login1",
            "org.freedesktop.login1.Manager",
            "Inhibit",
            "ssss",
            "sleep",
            "p",
            "w",
            "delay",
        )
        (fd,) = reply.fds
        assert (reply.body, os.get_inheritable(fd)) == ((0,), False)
        os.close(fd)
        bus.close()

    serve(machine, test)


def test_an_error_is_answered_as_one(machine: PrivateBus) -> None:
    """A service that is not there is not started, and its name of the error arrives."""

    async def test(house: House) -> None:
        bus = await dbus.connect(house.host.files, house.ears, lambda _: None, lambda _: None)
        with pytest.raises(BusError) as raised:
            await bus.call("org.example.None", "/", "org.example", "M")
        assert raised.value.name == "org.freedesktop.DBus.Error.NameHasNoOwner"
        bus.close()
        with pytest.raises(BusLostError):
            await bus.ask_bus("ListNames")

    serve(machine, test)


def test_a_bus_that_dies_is_a_failure_until_it_is_back() -> None:
    """Told at once as failed; a look fails while there is no bus, and works when there is one again."""
    machine = PrivateBus()
    try:
        machine.start_bus()
        machine.start_logind()

        async def test(house: House) -> None:
            assert not (await house.check()).failed
            machine.stop("bus")
            await until(lambda: house.told)
            assert house.told[0].failed
            assert "staying awake" in house.told[0].reason
            with pytest.raises(ConnectionRefusedError):
                await house.check()
            machine.stop("logind")
            os.unlink(machine.socket)
            await aside(machine.start_bus)
            with pytest.raises(BusError):
                await house.check()
            await aside(machine.start_logind)
            await aside(machine.add_session, "c1", "alice")
            assert (await house.check()).reason == "alice"

        serve(machine, test)
    finally:
        machine.close()


@pytest.mark.parametrize(
    "nonsense", [b"REJECTED EXTERNAL\r\n", b"OK 1\r\nERROR\r\n" + b"x" * 64, b"\0" * 70000, b""]
)
def test_a_peer_that_is_no_bus_is_lost_not_waited_for(nonsense: bytes, tmp_path: Path) -> None:
    """Refused, garbage, a flood, or a connection that closes: BusLostError, and nothing left."""

    async def serve_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(nonsense)
        writer.close()

    async def test() -> None:
        address = f"/tmp/nonsense-{os.getpid()}-{len(nonsense)}"
        server = await asyncio.start_unix_server(serve_nonsense, address)
        ears = LoopEars()
        with pytest.raises(ConnectionError):
            await dbus.connect(TreeFiles("/"), ears, lambda _: None, lambda _: None, address)
        assert not ears.listening
        server.close()
        os.unlink(address)

    asyncio.run(test())


def test_a_cancelled_call_leaves_the_connection_usable(machine: PrivateBus) -> None:
    """The daemon's time limit cancels a look; the next one works."""

    async def test(house: House) -> None:
        bus: Bus = await dbus.connect(house.host.files, house.ears, lambda _: None, lambda _: None)
        call = asyncio.ensure_future(bus.ask_bus("ListNames"))
        await asyncio.sleep(0)
        call.cancel()
        assert CONSOLE in (await bus.ask_bus("ListNames")).body[0]
        assert bus.waiting == {}
        bus.close()

    serve(machine, test)


def test_descriptors_that_nobody_waits_for_are_closed(machine: PrivateBus) -> None:
    """A call that was cancelled is answered with a descriptor all the same: serve() finds none left."""

    async def test(house: House) -> None:
        bus: Bus = await dbus.connect(house.host.files, house.ears, lambda _: None, lambda _: None)
        manager = (CONSOLE, "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
        call = asyncio.ensure_future(bus.call(*manager, "Inhibit", "ssss", "sleep", "p", "w", "delay"))
        await asyncio.sleep(0)
        call.cancel()
        before = len(os.listdir("/proc/self/fd"))
        await bus.call(*manager, "CanSuspend")
        assert len(os.listdir("/proc/self/fd")) == before
        bus.close()

    serve(machine, test)
