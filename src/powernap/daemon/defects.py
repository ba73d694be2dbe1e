"""What is said of a defect of ours: once a minute, and where it happened.

Owns the words and the loop's exceptions that nobody catches. What follows from a defect is for others to decide.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import Any

from powernap.daemon.voice import Voice

SILENCE = 60.0
"""Seconds in which the same defect is said once."""


class Defects:
    """Make it in a running loop.

    :param unsure: called when something failed of which nobody knows what it would have told of the machine's use.
    :ivar said: what was said within the last minute, and when by the loop's clock.
    """

    def __init__(self, voice: Voice, unsure: Callable[[], None]) -> None:
        self.voice, self.unsure = voice, unsure
        self.loop = asyncio.get_running_loop()
        self.said: dict[str, float] = {}

    def startled(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The loop's exception handler: something failed that nobody catches, such as what a monitor does when it hears."""
        self.say(str(context.get("message", "")), context.get("exception"))
        # A client's connection says nothing of the machine's use.
        if "transport" not in context:
            self.unsure()

    def say(self, where: str, error: BaseException | None) -> None:
        """It goes on all the same."""
        now, what = self.loop.time(), f"{where}: {named(error)}" if error else where
        if now < self.said.get(what, float("-inf")) + SILENCE:
            return
        self.said = {text: at for text, at in self.said.items() if now < at + SILENCE}
        self.said[what] = now
        self._tell(f"{what}; going on", error)

    def say_each(self, troubles: list[str]) -> None:
        """What went wrong with several things that are given up."""
        for trouble in troubles:
            self._tell(f"{trouble}; going on")

    def say_last(self, error: BaseException) -> None:
        """It does not go on."""
        self._tell(f"{named(error)}; putting everything back and ending", error)

    def _tell(self, detail: str, error: BaseException | None = None) -> None:
        self.voice.say("defect", detail=detail)
        if error is not None:
            self.voice.trace(traceback.format_exception(error))


def named(error: BaseException) -> str:
    """An exception in words: its kind, and what it says."""
    return f"{type(error).__name__}: {error}"
