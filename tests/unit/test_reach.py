"""host/reach.py and wakeproxy/confirm.py: who is there. Who is not, and who cannot be asked: test_waking_live.py."""

from __future__ import annotations

import asyncio
import socket

import pytest

from powernap.config.inventory import Target, port_of
from powernap.host import reach
from powernap.wakeproxy.confirm import Looks


def asked(address: str, confirm: str, limit: float = 5.0) -> reach.Answer:
    """One look."""

    async def work() -> reach.Answer:
        return await Looks().look(Target(address, confirm), limit)

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
