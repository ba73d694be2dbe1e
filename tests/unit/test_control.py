"""The control socket: real sockets, a real loop, and clients that misbehave."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper import run, until
from powernap.daemon.control import (
    CLIENTS_PER_USER,
    REQUEST_MAX,
    REST,
    Client,
    ControlSocket,
    Peer,
    RefusedError,
    group_id,
    peer_of,
    user_name,
)


class Desk:
    """A listening socket whose answers the test gives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked = list[dict[str, Any]]()
        self.clients = list[Client]()
        self.errors = list[dict[str, Any]]()
        self.control = ControlSocket(str(path), self.answer)
        self.control.loop.set_exception_handler(lambda _loop, context: self.errors.append(context))

    def answer(self, client: Client, request: dict[str, Any]) -> dict[str, Any] | None:
        self.asked.append(request)
        self.clients.append(client)
        op = request.get("op")
        if op == "refuse":
            raise RefusedError("no", "ask nicely", 1)
        if op == "defect":
            raise KeyError("oops")
        if op == "slow":
            time.sleep(0.02)
        if op == "silent":
            client.closing["x"] = lambda: self.asked.append({"op": "closed"})
            return None
        return {"ok": True, "n": len(self.asked), "fill": "x" * request.get("fill", 0)}

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(str(self.path), limit=2**26)


def serving(path: Path, test: Callable[[Desk], Coroutine[Any, Any, None]]) -> None:
    async def work() -> None:
        desk = Desk(path)
        await desk.control.listen()
        try:
            await test(desk)
        finally:
            await desk.control.close()
            assert not desk.control.clients

    run(work())


async def ask(desk: Desk, *lines: bytes) -> list[dict[str, Any]]:
    reader, writer = await desk.connect()
    writer.write(b"".join(line + b"\n" for line in lines))
    answers = [json.loads(await reader.readline()) for _ in lines]
    writer.close()
    await writer.wait_closed()
    return answers


def test_each_line_has_its_answer_in_order(tmp_path: Path) -> None:
    """Requests sent at once are answered one by one; refusals and defects have words, and only the defect is loud."""

    async def test(desk: Desk) -> None:
        lines = (b'{"op":"a"}', b'{"op":"refuse"}', b"nonsense", b"[]", b'{"op":"defect"}', b'{"op":"b"}')
        a, refused, nonsense, array, defect, b = await ask(desk, *lines)

        assert a["ok"]
        assert refused == {"ok": False, "error": "no", "remedy": "ask nicely", "code": 1}
        assert nonsense["error"] == "the request is not JSON"
        assert array["error"] == "a request is a JSON object"
        assert "KeyError" in defect["error"]
        assert b["ok"]
        assert ["KeyError"] == [type(context["exception"]).__name__ for context in desk.errors]

    serving(tmp_path / "control", test)


@settings(max_examples=50, deadline=None)
@given(data=st.binary(min_size=1, max_size=200))
def test_garbage_has_an_error(data: bytes) -> None:
    """Whatever the bytes, each line is answered, and none kills the connection before the next."""
    path = Path(f"/dev/shm/powernap-control-{os.getpid()}")

    async def test(desk: Desk) -> None:
        lines = data.split(b"\n")
        answers = await ask(desk, *lines, b'{"op":"a"}')
        assert answers[-1]["ok"]
        assert not desk.errors

    serving(path, test)


def test_a_request_in_pieces_is_one_request(tmp_path: Path) -> None:
    """However the bytes arrive."""

    async def test(desk: Desk) -> None:
        reader, writer = await desk.connect()
        for byte in b'{"op":"a"}\n':
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert json.loads(await reader.readline())["ok"]
        writer.close()

    serving(tmp_path / "control", test)


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_longer_than_any_request_ends_the_connection(tmp_path: Path, end: bytes) -> None:
    """Also one that comes whole, with its end."""

    async def test(desk: Desk) -> None:
        reader, writer = await desk.connect()
        writer.write(b'{"op":"' + b"x" * REQUEST_MAX + b'"}' + end)
        assert "longer" in json.loads(await reader.readline())["error"]
        assert await reader.read() == b""
        assert not desk.asked
        writer.close()

    serving(tmp_path / "control", test)


def test_who_sends_no_more_is_answered_first(tmp_path: Path) -> None:
    """`printf ... | socat`: the end of the requests does not cut off their answers, and ends what hung on the connection."""

    async def test(desk: Desk) -> None:
        reader, writer = await desk.connect()
        writer.write(b'{"op":"silent"}\n{"op":"a"}\n{"op":"b"}\nhalf')
        writer.write_eof()
        lines = (await reader.read()).splitlines()
        assert [2, 3] == [json.loads(line)["n"] for line in lines]
        await until(lambda: desk.asked[-1] == {"op": "closed"})
        writer.close()

    serving(tmp_path / "control", test)


def test_one_that_does_not_read_is_served_no_further(tmp_path: Path) -> None:
    """Its first unread answer stops it: nothing gathers. The others are served, and when it reads it goes on."""

    async def test(desk: Desk) -> None:
        reader, writer = await desk.connect()
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b'{"op":"a","fill":2000000}\n' * 50)
        await until(lambda: desk.asked)
        await asyncio.sleep(0.02)
        assert 1 == len(desk.asked)
        assert (await ask(desk, b'{"op":"b"}'))[0]["ok"]
        reader._transport.resume_reading()  # type: ignore[attr-defined]
        for _ in range(50):
            await reader.readline()
        writer.close()

    serving(tmp_path / "control", test)


def test_one_that_reads_no_news_is_cut_off(tmp_path: Path) -> None:
    """What is sent unasked gathers up to its bound only."""

    async def test(desk: Desk) -> None:
        reader, writer = await desk.connect()
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b'{"op":"silent"}\n')
        await until(lambda: desk.clients)
        client = desk.clients[0]
        for _ in range(2000):
            client.send({"event": "reading", "fill": "x" * 1000})
        assert client.gone
        await until(lambda: desk.asked[-1] == {"op": "closed"})
        client.send({"event": "more"})
        writer.close()

    serving(tmp_path / "control", test)


def test_a_thousand_requests_at_once_do_not_hold_up_another_client(tmp_path: Path) -> None:
    """Requests are served in turn: one client's pile is not served in one go."""

    async def test(desk: Desk) -> None:
        _, flood = await desk.connect()
        flood.write(b'{"op":"a"}\n' * 2000)
        await until(lambda: desk.asked)
        assert (await ask(desk, b'{"op":"b"}'))[0]["n"] < 200
        flood.close()

    serving(tmp_path / "control", test)


def test_who_may_only_read_rests_between_answers(tmp_path: Path) -> None:
    """A user's turn comes after the rest, on whichever connection; root's and other users' at once; what is over is forgotten."""

    async def test(desk: Desk) -> None:
        alice, bob, root = (Peer(1, 1000, 1000, False), Peer(1, 1001, 1001, False), Peer(1, 0, 0, True))
        for peer in (alice, root):
            desk.control.rest(peer, 0.05)
        now = desk.control.loop.time()
        assert now < desk.control.turn_of(alice) <= now + 0.05
        assert desk.control.turn_of(bob) <= now
        assert desk.control.turn_of(root) <= now
        reader, writer = await desk.connect()
        writer.write(b'{"op":"a"}\n')
        await reader.readline()
        desk.clients[0].peer = alice
        writer.write(b'{"op":"b"}\n')
        await reader.readline()
        assert desk.control.loop.time() >= now + 0.05
        for uid in range(2000, 3000):
            desk.control.rest(Peer(1, uid, uid, False), -1.0)
        assert len(desk.control.resting) <= 128
        writer.close()

    serving(tmp_path / "control", test)


def test_all_connections_of_a_user_rest_together(tmp_path: Path) -> None:
    """Two that ask at once: the second is served after the rest that the first one's answer made."""

    async def test(desk: Desk) -> None:
        both = [await desk.connect() for _ in range(2)]
        for reader, writer in both:
            writer.write(b'{"op":"a"}\n')
            await reader.readline()
        for client in desk.control.clients:
            client.peer = Peer(1, 1000, 1000, may_act=False)
        began = desk.control.loop.time()
        for _, writer in both:
            writer.write(b'{"op":"slow"}\n')
        for reader, writer in both:
            await reader.readline()
            writer.close()
        assert desk.control.loop.time() - began >= 0.02 + REST * 0.02

    serving(tmp_path / "control", test)


def test_one_user_gets_so_many_connections(tmp_path: Path) -> None:
    """Then it is turned away, in words; one that ends makes room."""

    async def test(desk: Desk) -> None:
        def named(sock: socket.socket, uid: int = 1000) -> Peer:
            return Peer(1, uid, uid, may_act=False)

        clients = [Client(desk.control, named(None)) for _ in range(CLIENTS_PER_USER)]  # type: ignore[arg-type]
        assert [""] * CLIENTS_PER_USER == [desk.control.admit(client) for client in clients]
        one_more = Client(desk.control, named(None))  # type: ignore[arg-type]
        assert "too many" in desk.control.admit(one_more)
        assert desk.control.admit(Client(desk.control, Peer(1, 0, 0, True))) == ""
        desk.control.clients.clear()

    serving(tmp_path / "control", test)


def test_a_client_that_says_nothing_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that never asks is not kept."""
    monkeypatch.setattr("powernap.daemon.control.SILENCE_MAX", 0.02)

    async def test(desk: Desk) -> None:
        reader, writer = await desk.connect()
        with pytest.raises(ConnectionError):
            assert await reader.read() != b"" or _reset()
        writer.close()

    serving(tmp_path / "control", test)


def _reset() -> bool:
    raise ConnectionResetError


# ------------------------------------------------------------ the path


def test_anybody_may_connect(tmp_path: Path) -> None:
    """The socket's mode is 0666 whatever the umask, and no other file stays beside it; at the end it is gone."""
    path = tmp_path / "run" / "control"

    async def test(desk: Desk) -> None:
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
        assert ["control"] == os.listdir(path.parent)

    old = os.umask(0o077)
    try:
        serving(path, test)
    finally:
        os.umask(old)
    assert [] == os.listdir(path.parent)


@pytest.mark.parametrize("what", ["socket", "file", "link"])
def test_what_a_dead_daemon_left_is_replaced(tmp_path: Path, what: str) -> None:
    """A socket that nobody answers on, a file, or a link: replaced itself, not what it points to; also the name used on the way."""
    path, target = tmp_path / "control", tmp_path / "target"
    for place in (path, Path(f"{path}.{os.getpid()}")):
        if what == "socket":
            with socket.socket(socket.AF_UNIX) as sock:
                sock.bind(str(place))
        elif what == "file":
            place.write_text("x")
        else:
            target.write_text("mine")
            place.symlink_to(target)

    async def test(desk: Desk) -> None:
        assert (await ask(desk, b'{"op":"a"}'))[0]["ok"]
        if what == "link":
            assert target.read_text() == "mine"

    serving(path, test)


@pytest.mark.parametrize("path", ["/proc/powernap/control", "/dev/null/control", f"/tmp/{'x' * 200}/control"])
def test_a_path_that_cannot_be_is_an_error(path: str) -> None:
    """An `OSError`, and no descriptor stays open (a `ResourceWarning` would fail this test)."""

    async def work() -> None:
        control = ControlSocket(path, lambda _client, _request: None)
        with pytest.raises(OSError, match=r".*"):
            await control.listen()
        await control.close()

    run(work())
    if path.startswith("/tmp/"):
        os.rmdir(os.path.dirname(path))


def test_the_socket_of_a_later_daemon_is_left(tmp_path: Path) -> None:
    """The first one's end does not unlink what the second listens on."""

    async def test(first: Desk) -> None:
        second = Desk(tmp_path / "control")
        await second.control.listen()
        await first.control.close()
        assert (await ask(second, b'{"op":"a"}'))[0]["ok"]
        await second.control.close()

    serving(tmp_path / "control", test)


def test_the_end_waits_for_no_client(tmp_path: Path) -> None:
    """One that does not read is cut off."""

    async def test(desk: Desk) -> None:
        reader, writer = await desk.connect()
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b'{"op":"a","fill":5000000}\n')
        await until(lambda: desk.asked)
        await desk.control.close()
        assert not desk.control.clients
        writer.close()

    serving(tmp_path / "control", test)


# ------------------------------------------------------------ who it is


def test_the_peer_is_who_it_is() -> None:
    """By the kernel's word: our own process, which may act."""
    ours, theirs = socket.socketpair()
    peer = peer_of(ours)
    ours.close()
    theirs.close()

    assert (peer.pid, peer.uid, peer.may_act) == (os.getpid(), os.geteuid(), True)
    assert peer.name == user_name(os.geteuid())


def test_names_and_groups_come_from_the_files() -> None:
    """Root is 0 in both; who is not there has a number, or none."""
    assert (user_name(0), user_name(4_000_000_000)) == ("root", "4000000000")
    assert (group_id("root"), group_id("no-such-group")) == (0, None)
