"""Claims of sleep/login_manager.py that need no bus; the others are in tests/integration/test_login_manager.py."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, cast

import pytest

from powernap.host.dbus import Bus
from powernap.host.dbus_message import REPLY, SIGNAL, Message
from powernap.host.host import Host
from powernap.sleep.failure import SleepError
from powernap.sleep.login_manager import LoginManager


def test_without_a_loop_nobody_is_asked() -> None:
    """``powernap`` without daemon gets a refusal, not a hang."""

    async def test() -> None:
        manager = LoginManager(Host(), lambda _: None, lambda _what, _slept: None, lambda _: None)
        with pytest.raises(SleepError, match="in the daemon only"):
            await manager.offers("suspend")
        manager.close()

    asyncio.run(test())


def test_only_logind_tells_of_its_locks() -> None:
    """Anybody on the machine may send a signal of that name."""
    news: list[str] = []
    manager = LoginManager(Host(), lambda _: None, lambda _what, _slept: None, lambda _: None)
    manager.owner, manager.changed = ":1.3", lambda: news.append("changed")
    for sender in (":1.99", ":1.3"):
        signal = Message(
            SIGNAL,
            1,
            member="PropertiesChanged",
            sender=sender,
            signature="sa{sv}as",
            body=("org.freedesktop.login1.Manager", {"BlockInhibited": ""}, ()),
        )
        manager._signal(signal)
    assert news == ["changed"]


class Overtaken:
    """A bus on which a newer announcement is heard while an answer is on its way."""

    def __init__(self, manager: LoginManager) -> None:
        self.manager = manager

    async def call(self, *_: Any) -> Message:
        """The answer is old when it arrives."""
        self.manager.heard += 1
        return Message(REPLY, 1, body=(True,))


def test_what_was_heard_is_newer_than_an_answer_that_comes_after_it() -> None:
    """The machine is back already when the answer says that it is about to sleep: nobody is told of that."""
    told: list[str] = []

    async def test() -> None:
        manager = LoginManager(Host(), told.append, lambda _what, _slept: None, told.append)
        await manager._learn(cast("Bus", Overtaken(manager)))
        assert (told, manager.begun) == ([], {})

    asyncio.run(test())


def test_who_waits_for_the_end_of_a_sleep_is_told_when_nobody_will_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A new configuration in the middle of one: its end would be waited for in vain, for ten minutes. Who still asks for it is told by that."""
    startled: list[Any] = []

    async def test() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: startled.append(context))
        manager = LoginManager(Host(), lambda _: None, lambda _what, _slept: None, lambda _: None)
        asked, answers = asyncio.Event(), asyncio.Event()

        async def accepted(_state: str, *, automatic: bool) -> None:
            assert automatic
            asked.set()

        async def refused(_state: str, *, automatic: bool) -> None:
            await accepted(_state, automatic=automatic)
            await answers.wait()
            raise SleepError("the message bus is gone")

        for answer, words in ((accepted, "left the login manager"), (refused, "bus is gone")):
            asked.clear()
            monkeypatch.setattr(manager, "sleep", answer)
            waits = asyncio.ensure_future(manager.sleep_through("suspend"))
            await asked.wait()
            manager.close()
            answers.set()
            with pytest.raises(SleepError, match=words):
                await waits
            del waits
            gc.collect()

    asyncio.run(asyncio.wait_for(test(), 20))
    assert startled == []
