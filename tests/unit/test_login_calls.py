"""Claims of sleep/login_calls.py that need no bus; the others are in tests/integration/test_login_manager.py."""

from __future__ import annotations

import asyncio
import os
from typing import Any, cast

import pytest

from powernap.host.dbus import Bus, BusError, BusLostError
from powernap.host.dbus_message import REPLY, Message
from powernap.sleep.failure import SleepError
from powernap.sleep.login_calls import asking, close_all, unit_failure, value_of


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BusError("org.freedesktop.DBus.Error.AccessDenied", "denied"), "it says: denied"),
        (TimeoutError(), "it says: no answer within 25 s"),
        (BusLostError("the bus is gone"), "it says: the bus is gone"),
    ],
)
def test_whatever_goes_wrong_keeps_the_machine_awake_with_a_reason(error: Exception, words: str) -> None:
    """One exception for all of it."""
    with pytest.raises(SleepError) as caught, asking("it says"):
        raise error
    assert caught.value.reason == words


class Answering:
    """A bus whose answers, or errors, are given one after the other."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    async def call(self, *_: Any) -> Message:
        """The next one."""
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return Message(REPLY, 1, body=(answer,))


UNKNOWN = BusError("org.freedesktop.DBus.Error.UnknownProperty", "no such property")


def asked(work: Any, *answers: Any) -> Any:
    """What comes of it with these answers."""
    return asyncio.run(work(cast("Bus", Answering(*answers))))


def test_a_property_that_a_version_has_not_is_none() -> None:
    """The others have their value."""
    wanted = ("to", "/path", "interface", "name")
    assert asked(lambda bus: value_of(bus, *wanted), 5) == 5
    assert asked(lambda bus: value_of(bus, *wanted), UNKNOWN) is None


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (("/unit", "exit-code"), "x.service failed (exit-code); `journalctl -b -u x.service` says why"),
        (("/unit", "success"), ""),
        (("/unit", UNKNOWN), ""),
        ((UNKNOWN,), ""),
        ((BusLostError("gone"),), ""),
    ],
)
def test_systemd_tells_why_a_service_failed_if_it_did(answers: tuple[Any, ...], words: str) -> None:
    """Where it does not tell, nothing is said of it."""
    assert asked(lambda bus: unit_failure(bus, "x.service"), *answers) == words


def test_descriptors_that_are_not_wanted_are_closed() -> None:
    """All of them."""
    pair = os.pipe()
    close_all(pair)
    for fd in pair:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
