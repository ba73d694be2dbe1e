"""Claims of sleep/lock_watch.py, with a login manager whose answers the test gives; over a bus: tests/integration/test_night.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from keeper import run
from powernap.sleep.failure import SleepError
from powernap.sleep.inhibitors import Inhibitor
from powernap.sleep.lock_watch import LockWatch

BACKUP = Inhibitor(("sleep",), "backup", "nightly copy", "block", 0, "root", 812)


class Locks:
    """``answers`` are given one after the other, the last one for ever. One that is a function is called before."""

    def __init__(self, *answers: list[Inhibitor] | SleepError) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, bool]] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.changed: Callable[[], None] | None = None

    async def blockers(self, state: str, *, automatic: bool) -> list[Inhibitor]:
        """The next answer, which takes its time."""
        self.asked.append((state, automatic))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await asyncio.sleep(0)
        self.meanwhile()
        if isinstance(answer, SleepError):
            raise answer
        return answer

    async def hear_locks(self, changed: Callable[[], None]) -> None:
        """Noted."""
        self.changed = changed

    def ignore_locks(self) -> None:
        """Noted."""
        self.changed = None

    def change(self) -> None:
        """A lock came or went."""
        assert self.changed
        self.changed()


async def served() -> None:
    """Let everything happen that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_what_nobody_blocks_is_not_waited_for() -> None:
    """One question, and no ear."""

    async def work() -> None:
        locks = Locks([])
        watch = LockWatch(locks, lambda: None)
        assert await watch.blockers("suspend", automatic=True) == []
        assert (locks.asked, watch.waiting, locks.changed) == ([("suspend", True)], "", None)

    run(work())


def test_the_end_of_the_last_lock_is_told_once() -> None:
    """A change that leaves one is not the end; what was asked is asked again, by hand too."""

    async def work() -> None:
        locks, told = Locks([BACKUP], [BACKUP], [BACKUP], []), list[str]()
        watch = LockWatch(locks, lambda: told.append("gone"))
        assert await watch.blockers("suspend", automatic=False) == [BACKUP]
        assert watch.waiting == "suspend"
        locks.change()
        await served()
        assert (told, watch.waiting) == ([], "suspend")
        locks.change()
        await served()
        assert (told, watch.waiting, locks.changed) == (["gone"], "", None)
        assert {*locks.asked} == {("suspend", False)}

    run(work())


def test_a_lock_that_ends_before_its_end_is_listened_for_is_not_missed() -> None:
    """The second look finds it gone: then nothing was refused."""

    async def work() -> None:
        locks, told = Locks([BACKUP], []), list[str]()
        watch = LockWatch(locks, lambda: told.append("gone"))
        assert await watch.blockers("suspend", automatic=True) == []
        assert (told, watch.waiting, locks.changed) == ([], "", None)

    run(work())


def test_many_changes_are_one_question_more() -> None:
    """And what changes while it is asked is asked again: the answer may be old."""

    async def work() -> None:
        locks, told = Locks([BACKUP], [BACKUP], [], [BACKUP]), list[str]()
        watch = LockWatch(locks, lambda: told.append("gone"))
        await watch.blockers("suspend", automatic=True)
        for _ in range(5):
            locks.change()

        def another() -> None:
            locks.meanwhile = lambda: None
            locks.change()

        locks.meanwhile = another
        await served()
        assert len(locks.asked) == 4
        assert (told, watch.waiting) == ([], "suspend")

    run(work())


def test_who_no_longer_waits_is_told_nothing() -> None:
    """Also when the change was heard before."""

    async def work() -> None:
        locks, told = Locks([BACKUP], [BACKUP], []), list[str]()
        watch = LockWatch(locks, lambda: told.append("gone"))
        await watch.blockers("suspend", automatic=True)
        locks.change()
        watch.stop()
        await served()
        assert (told, len(locks.asked), locks.changed) == ([], 2, None)

    run(work())


def test_a_login_manager_that_cannot_be_asked_tells_nothing_until_it_is_back() -> None:
    """Then it says so as if something had changed."""

    async def work() -> None:
        locks, told = Locks([BACKUP], [BACKUP], SleepError("the message bus is gone"), []), list[str]()
        watch = LockWatch(locks, lambda: told.append("gone"))
        await watch.blockers("suspend", automatic=True)
        locks.change()
        await served()
        assert (told, watch.waiting) == ([], "suspend")
        locks.change()
        await served()
        assert told == ["gone"]

    run(work())
