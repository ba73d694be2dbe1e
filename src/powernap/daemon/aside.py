"""Work that may block for ever, in a thread of its own: a pool would be used up by what hangs, and would hold up the daemon's end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any


def aside(work: Callable[[], Any], name: str) -> asyncio.Future[Any]:
    """What the work returns or raises, in the running loop; not done for as long as it hangs."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    future.add_done_callback(lambda done: done.cancelled() or done.exception())

    def settle(result: Any, error: Exception | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def run() -> None:
        result: Any = None
        failed: Exception | None = None
        try:
            result = work()
        except StopIteration as error:  # a future cannot carry it (PEP 479)
            failed = RuntimeError(f"StopIteration: {error}")
        except Exception as error:
            failed = error
        except BaseException as error:
            failed = RuntimeError(f"{type(error).__name__}: {error}")
        # a loop that was closed meanwhile has nobody left to tell
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, failed)

    threading.Thread(target=run, name=f"powernap-{name}", daemon=True).start()
    return future
