"""The loop as ears: what is readable is heard, what is ignored is not, and what fails is heard no more."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

import pytest

from keeper import run, until
from powernap.daemon.loop_ears import LoopEars


def hearing(test: Any) -> None:
    """A pair of sockets on the ears of a loop of its own."""

    async def work() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        ears = LoopEars(asyncio.get_running_loop())
        try:
            await test(ears, ours, theirs)
        finally:
            ears.ignore(ours.fileno())
            ours.close()
            theirs.close()

    run(work())


def test_it_hears_counts_and_ignores() -> None:
    """Each call-back counts; after `ignore` there is none; unknown descriptors are ignored."""

    async def test(ears: LoopEars, ours: socket.socket, theirs: socket.socket) -> None:
        heard = list[bytes]()
        ears.listen(ours.fileno(), lambda: heard.append(ours.recv(10)))
        theirs.send(b"a")
        await until(lambda: heard)
        ears.ignore(ours.fileno())
        theirs.send(b"b")
        await asyncio.sleep(0.01)
        assert heard == [b"a"]
        assert ears.wakeups == 1
        ears.ignore(ours.fileno())
        ears.ignore(-1)
        ears.ignore(999_999)

    hearing(test)


def test_listening_again_replaces_the_call_back() -> None:
    """Also from ordinary to priority and back."""

    async def test(ears: LoopEars, ours: socket.socket, theirs: socket.socket) -> None:
        heard = list[str]()

        def second() -> None:
            heard.append("second")
            ours.recv(10)

        ears.listen(ours.fileno(), lambda: heard.append("first"))
        ears.listen(ours.fileno(), lambda: heard.append("priority"), priority=True)
        ears.listen(ours.fileno(), second)
        theirs.send(b"a")
        await until(lambda: heard)
        assert heard == ["second"]
        assert ears.priority == {}

    hearing(test)


def test_priority_events_are_heard() -> None:
    """`EPOLLPRI`, which asyncio does not know: out-of-band data stands in for pressure and cgroup events."""

    async def work() -> None:
        heard = list[int]()
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = socket.create_connection(server.getsockname())
            ours, _ = server.accept()
            ears = LoopEars(asyncio.get_running_loop())

            def take() -> None:
                heard.append(1)
                ours.recv(1, socket.MSG_OOB)

            ears.listen(ours.fileno(), take, priority=True)
            client.send(b"plain")
            await asyncio.sleep(0.01)
            assert heard == []
            client.send(b"!", socket.MSG_OOB)
            await until(lambda: heard)
            await asyncio.sleep(0.02)
            assert heard == [1]
            ears.ignore(ours.fileno())
            client.close()
            ours.close()

    run(work())


def test_a_descriptor_that_cannot_be_listened_to_leaves_nothing_open() -> None:
    """The error is the caller's, and no descriptor of ours stays."""

    async def work() -> None:
        ears = LoopEars(asyncio.get_running_loop())
        with open(__file__, "rb") as file:  # noqa: ASYNC230 - epoll refuses regular files
            before = len(os.listdir("/proc/self/fd"))
            try:
                ears.listen(file.fileno(), lambda: None, priority=True)
            except PermissionError:
                pass
            assert before == len(os.listdir("/proc/self/fd"))
            assert ears.priority == {}

    run(work())


@pytest.mark.parametrize("priority", [False, True])
def test_a_call_back_that_fails_is_not_called_for_ever(priority: bool) -> None:
    """What it did not take would wake the loop again at once: it is ignored, and the loop's handler knows."""

    async def test(ears: LoopEars, ours: socket.socket, theirs: socket.socket) -> None:
        told, calls = list[dict[str, Any]](), list[int]()
        ears.loop.set_exception_handler(lambda _loop, context: told.append(context))

        def fail() -> None:
            calls.append(1)
            raise RuntimeError("x")

        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            socket.create_connection(server.getsockname()) as far,
        ):
            near, _ = server.accept()
            heard = near if priority else ours
            ears.listen(heard.fileno(), fail, priority=priority)
            if priority:
                far.send(b"!", socket.MSG_OOB)
            else:
                theirs.send(b"a")
            await until(lambda: told)
            await asyncio.sleep(0.01)
            assert calls == [1]
            assert ears.priority == {}
            near.close()

    hearing(test)


def test_later_comes_once() -> None:
    """And counts as a wake-up."""

    async def work() -> None:
        ears, came = LoopEars(asyncio.get_running_loop()), list[int]()
        ears.later(0.001, lambda: came.append(1))
        await until(lambda: came)
        await asyncio.sleep(0.01)
        assert (came, ears.wakeups) == ([1], 1)

    run(work())
