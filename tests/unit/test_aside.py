"""Work in a thread of its own: its outcome arrives in the loop, and when it hangs nobody waits for it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from keeper import run
from powernap.daemon.aside import aside


def test_the_result_arrives() -> None:
    """What it returns, from another thread."""

    async def work() -> int:
        return int(await aside(threading.get_ident, "t"))

    assert run(work()) != threading.get_ident()


@pytest.mark.parametrize("error", [OSError(5, "x"), StopIteration("x"), SystemExit(3)])
def test_an_exception_arrives(error: BaseException) -> None:
    """Also those that would end a thread or confuse a future."""

    def fail() -> Any:
        raise error

    async def work() -> None:
        await aside(fail, "t")

    with pytest.raises(OSError if isinstance(error, OSError) else RuntimeError, match="x|SystemExit"):
        run(work())


def test_what_hangs_holds_up_neither_the_loop_nor_its_end() -> None:
    """The loop is closed while the thread hangs; the thread's end afterwards is no error."""
    gate, done = threading.Event(), threading.Event()

    def hang() -> None:
        gate.wait()
        done.set()

    async def work() -> None:
        aside(hang, "t")
        await asyncio.sleep(0.01)

    run(work())
    assert not done.is_set()
    gate.set()
    assert done.wait(5)
    for thread in threading.enumerate():
        if thread.name == "powernap-t":
            thread.join(5)


def test_a_cancelled_future_stays_cancelled() -> None:
    """Whoever gave up gets nothing later."""
    gate = threading.Event()

    async def work() -> None:
        future = aside(gate.wait, "t")
        future.cancel()
        gate.set()
        await asyncio.sleep(0.02)
        assert future.cancelled()

    run(work())
