"""daemon/lean.py: what is put off comes whole when it is asked for, and what is not asked for does not come."""

from __future__ import annotations

import subprocess
import sys


def run(program: str) -> str:
    """What a fresh interpreter prints: in this one everything is loaded already."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return (done.stdout + done.stderr).strip()


def test_starting_the_daemon_loads_none_of_them() -> None:
    """Asyncio is there, and the modules that it wants in passing are not."""
    program = "import powernap.daemon.start, sys; print(sys.modules['ssl'], *(type(sys.modules[n]).__name__ for n in ('inspect', 'logging', 'subprocess')))"
    assert "None Late Late Late" == run(program)


def test_each_is_whole_when_asked_for() -> None:
    """The first attribute that the stand-in does not have brings the real module, also for who imported it before."""
    program = (
        "import powernap.daemon.lean, inspect, subprocess, logging\n"
        "print(inspect.signature(lambda a: a), subprocess.run(['true']).returncode, logging.getLevelName(30))"
    )
    assert "(a) 0 WARNING" == run(program)


def test_what_asyncio_complains_of_is_heard() -> None:
    """An exception that nobody awaits is printed, as with the real logging from the start."""
    program = (
        "import powernap.daemon.start, asyncio\n"
        "async def f():\n"
        "    asyncio.get_running_loop().call_soon(lambda: 1 / 0)\n"
        "    await asyncio.sleep(0.01)\n"
        "asyncio.run(f())"
    )
    assert "ZeroDivisionError" in run(program)


def test_a_task_can_be_described() -> None:
    """Asyncio names a task's function through the two that the stand-in has."""
    program = (
        "import powernap.daemon.start, asyncio, functools\n"
        "@functools.wraps(print)\n"
        "def g(*a): ...\n"
        "async def f():\n"
        "    task = asyncio.current_task()\n"
        "    task.add_done_callback(g)\n"
        "    print('coro=<f()' in repr(task), asyncio.iscoroutinefunction(f), asyncio.iscoroutinefunction(print))\n"
        "asyncio.run(f())"
    )
    assert "True True False" == run(program)


def test_what_is_loaded_is_left_alone() -> None:
    """In a process that uses them already nothing changes."""
    program = "import inspect, logging, ssl, powernap.daemon.lean, sys; print(sys.modules['inspect'] is inspect, sys.modules['ssl'] is ssl)"
    assert "True True" == run(program)
