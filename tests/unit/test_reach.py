"""host/reach.py and wakeproxy/confirm.py: who is there. Who is not, and who cannot be asked: test_waking_live.py."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import threading

import pytest

from powernap.config.inventory import HostConfig, Target, port_of
from powernap.host import reach
from powernap.wakeproxy import confirm
from powernap.wakeproxy.confirm import Looks


def asked(address: str, confirm: str, limit: float = 5.0) -> reach.Answer:
    """One look."""

    async def work() -> reach.Answer:
        return await Looks().look(HostConfig("web", Target(address, confirm), ()), limit)

    return asyncio.run(work())


def test_who_accepts_and_who_refuses_is_there() -> None:
    """By address and by name, IPv4 and IPv6."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert reach.Answer(reach.UP, f"tcp:{port} of 127.0.0.1 answers") == asked("127.0.0.1", f"tcp:{port}")
        assert asked("localhost", f"tcp:{port}").up
    assert reach.Answer(reach.UP, f"tcp:{port} of 127.0.0.1 refuses connections") == asked("127.0.0.1", f"tcp:{port}")  # fmt: skip
    assert reach.Answer(reach.UP, "tcp:1 of ::1 refuses connections") == asked("::1", "tcp:1")


@pytest.mark.parametrize("text", ["tcp:0", "tcp:65536", "tcp:", "tcp", "udp:7", "ping:1"])
def test_what_asks_nothing(text: str) -> None:
    """Is refused by the inventory."""
    assert port_of(text) is None


def test_a_name_that_hangs_takes_one_thread_and_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name server is gone. However often it is asked for, the others' names are resolved; and its own, once that server is back."""
    back = threading.Event()
    asked: list[str] = []

    def resolve(address: str, flags: int = 0) -> list[reach.Place]:
        if flags:
            raise OSError
        asked.append(address)
        if address == "gone":
            back.wait()
        return [reach.Place(socket.AF_INET, ("127.0.0.1", 0))]

    async def claim() -> None:
        looks = Looks()
        for _ in range(2 * confirm.THREADS):
            answer = await looks.look(HostConfig("web", Target("gone", "tcp:1"), ()), 0.001)
            assert (reach.UNKNOWN, "gone: no name server answers") == (answer.state, answer.detail)
        assert (await looks.look(HostConfig("web", Target("there", "tcp:1"), ()), 5.0)).up
        assert ["gone", "there"] == asked
        back.set()
        assert (await looks.look(HostConfig("web", Target("gone", "tcp:1"), ()), 5.0)).up

    monkeypatch.setattr(confirm, "resolve", resolve)
    try:
        asyncio.run(claim())
    finally:
        back.set()


def test_more_machines_than_descriptors() -> None:
    """A thousand are looked at at a start; where there is none left for a look, that is its answer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    async def claim() -> None:
        looks = Looks()
        found = await asyncio.gather(*(looks.look(HostConfig("web", Target(f"127.0.{n // 250}.{n % 250 + 1}", "tcp:1"), ()), 5.0) for n in range(1000)))  # fmt: skip
        assert {reach.UP} == {each.state for each in found}
        held = []
        try:
            while True:
                held.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            answer = await looks.look(HostConfig("web", Target("127.0.0.1", "tcp:1"), ()), 5.0)
        finally:
            for each in held:
                os.close(each)
        assert (reach.UNKNOWN, "tcp:1 of 127.0.0.1: Too many open files") == (answer.state, answer.detail)

    resource.setrlimit(resource.RLIMIT_NOFILE, (confirm.TOGETHER + 100, hard))
    try:
        asyncio.run(claim())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
