"""Claims of host/programs.py, on real programs."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from loop_ears import LoopEars, until
from powernap.host import programs
from powernap.host.programs import Account, Program, ProgramError, Result

SH = "/bin/sh"


def serve(test: Callable[[LoopEars], Coroutine[Any, Any, None]]) -> None:
    """Run a test on a loop; afterwards no child is left, no descriptor, and nothing is listened to."""

    async def whole() -> None:
        ears = LoopEars()
        before = set(os.listdir("/proc/self/fd"))
        await test(ears)
        await until(lambda: not ears.listening)
        assert set(os.listdir("/proc/self/fd")) <= before

    asyncio.run(whole())
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def gone(pid: int) -> bool:
    """Whether a process has ended (init may not have buried it yet)."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def test_status_and_both_outputs_are_answered() -> None:
    """The status, what it said, and what it complained of."""

    async def test(ears: LoopEars) -> None:
        result = await programs.run(ears, [SH, "-c", "echo said; echo complained >&2; exit 3"], limit=5)
        assert result == Result(3, b"said\n", b"complained\n")

    serve(test)


def test_a_signal_is_a_negative_status() -> None:
    """As subprocess has it."""

    async def test(ears: LoopEars) -> None:
        assert (await programs.run(ears, [SH, "-c", "kill -SEGV $$"], limit=5)).status == -signal.SIGSEGV

    serve(test)


def test_arguments_are_never_read_by_a_shell() -> None:
    """Each argument arrives as it was written."""

    async def test(ears: LoopEars) -> None:
        nasty = ["$(id)", "; rm -rf x", "a b", "*", ""]
        code = "import sys; print(sys.argv[1:])"
        assert (
            await programs.run(ears, [sys.executable, "-c", code, *nasty], limit=5)
        ).output.decode().strip() == str(nasty)

    serve(test)


def test_a_program_finds_a_clean_place() -> None:
    """No input, "/" as directory, our few variables, no descriptor of ours, a session of its own."""

    async def test(ears: LoopEars) -> None:
        os.environ["SECRET_OF_THE_DAEMON"] = "x"
        inherited = os.open("/dev/null", os.O_RDONLY)
        os.set_inheritable(inherited, True)
        code = (
            "import os,sys; print(sorted(os.environ.keys() - {'LC_CTYPE'}), os.getcwd(), sys.stdin.read()=='', "
            "len(os.listdir('/proc/self/fd'))-1, os.getsid(0)==os.getpid())"
        )
        result = await programs.run(
            ears, [sys.executable, "-c", code], limit=5, environment={"POWERNAP_MONITOR": "m"}
        )
        os.close(inherited)
        del os.environ["SECRET_OF_THE_DAEMON"]
        assert result.output.decode().strip() == "['LANG', 'PATH', 'POWERNAP_MONITOR'] / True 3 True"

    serve(test)


def test_a_program_that_is_not_there_is_an_os_error() -> None:
    """Nothing is left of the attempt."""

    async def test(ears: LoopEars) -> None:
        with pytest.raises(FileNotFoundError):
            await programs.run(ears, ["/nonexistent/program"], limit=5)

    serve(test)


@pytest.mark.parametrize(
    "flood",
    ["yes | tr -d '\\n'", "cat /dev/zero", "head -c 1000000000 /dev/urandom", "yes", "cat /dev/zero >&2"],
)
def test_endless_output_is_cut_off_at_once(flood: str) -> None:
    """A gigabyte without a newline, binary, on either output: killed after 64 KiB, in a fraction of a second."""

    async def test(ears: LoopEars) -> None:
        begin = time.monotonic()
        with pytest.raises(ProgramError, match="more than 65536 bytes"):
            await programs.run(ears, [SH, "-c", flood], limit=20)
        assert time.monotonic() - begin < 10

    serve(test)


def test_who_ignores_sigterm_is_killed_at_the_limit() -> None:
    """The limit needs nobody's consent."""

    async def test(ears: LoopEars) -> None:
        begin = time.monotonic()
        with pytest.raises(ProgramError, match=r"longer than 0.1 s"):
            await programs.run(
                ears, [SH, "-c", "trap '' TERM INT HUP; while :; do sleep 30; done"], limit=0.1
            )
        assert time.monotonic() - begin < 10

    serve(test)


def test_children_left_behind_are_killed_and_not_waited_for() -> None:
    """A program that forks a child which holds the output open, and exits: answered at once, and the child ends."""

    async def test(ears: LoopEars) -> None:
        begin = time.monotonic()
        result = await programs.run(ears, [SH, "-c", "sleep 60 & echo $!"], limit=20)
        assert time.monotonic() - begin < 15
        await until(lambda: gone(int(result.output)))

    serve(test)


def test_a_cancelled_wait_kills_the_program() -> None:
    """The daemon's own limit cancels the look: neither the program nor its child lives on."""

    async def test(ears: LoopEars) -> None:
        marker = f"/tmp/powernap-test-{os.getpid()}"
        look = asyncio.ensure_future(
            programs.run(ears, [SH, "-c", f"sleep 60 & echo $! > {marker}; wait"], limit=60)
        )
        await until(lambda: os.path.exists(marker) and os.path.getsize(marker))
        with open(marker) as file:  # noqa: ASYNC230
            child = int(file.read())
        os.unlink(marker)
        look.cancel()
        with pytest.raises(asyncio.CancelledError):
            await look
        await until(lambda: gone(child))

    serve(test)


def test_a_hundred_runs_leave_nothing() -> None:
    """No zombie, no descriptor, side by side; serve() counts them."""

    async def test(ears: LoopEars) -> None:
        results = await asyncio.gather(
            *[programs.run(ears, [SH, "-c", f"exit {number}"], limit=20) for number in range(50)]
        )
        assert [result.status for result in results] == list(range(50))

    serve(test)


def test_a_closed_output_is_no_end() -> None:
    """A program that closes its outputs and works on is waited for, without a wake-up."""

    async def test(ears: LoopEars) -> None:
        assert (await programs.run(ears, [SH, "-c", "exec >&- 2>&-; sleep 0.1; exit 7"], limit=5)).status == 7

    serve(test)


def test_a_program_that_runs_on_is_heard_as_it_speaks() -> None:
    """Each line at its instant, then its end."""

    async def test(ears: LoopEars) -> None:
        said: list[bytes] = []
        ends: list[int] = []
        code = "import time,sys\nfor n in range(3): print(n, flush=True); time.sleep(0.02)\nsys.exit(4)"
        Program(ears, [sys.executable, "-c", code], said.append, said.append, ends.append)
        await until(lambda: ends)
        assert (said, ends) == ([b"0\n", b"1\n", b"2\n"], [4])

    serve(test)


def test_a_stopped_program_is_reaped_and_silent() -> None:
    """After stop() nobody is called, and serve() finds no child."""

    async def test(ears: LoopEars) -> None:
        heard: list[object] = []
        program = Program(
            ears, [SH, "-c", "while :; do echo x; done"], heard.append, heard.append, heard.append
        )
        program.stop()
        await until(lambda: program.over)
        assert heard == []

    serve(test)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")
def test_it_runs_as_somebody_else() -> None:
    """The user, its group and its groups, all three."""

    async def test(ears: LoopEars) -> None:
        user = programs.account("nobody")
        result = await programs.run(ears, [SH, "-c", "id -u; id -g; id -G"], limit=5, user=user)
        assert result.output.decode().split() == [str(user.uid), str(user.gid), *map(str, user.groups)]

    serve(test)


def test_an_unknown_user_is_a_key_error() -> None:
    """The monitor makes it a sentence."""
    with pytest.raises(KeyError):
        programs.account("no-such-user-here")
    assert programs.account("root") == Account(0, 0, programs.account("root").groups)
