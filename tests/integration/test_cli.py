"""The command line as a person meets it: real processes, as root, as nobody, in a container, on a pipe and on a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import bus
from fakedaemon import free_path
from integration.daemon_process import Daemon
from machine_tree import changed, look
from powernap.cli import glance, overview
from powernap.config.model import MonitorConfig
from powernap.daemon.loop_ears import LoopEars
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.monitors import sessions

ROOT = Path(__file__).parents[2]
KNOB = Path("/proc/sys/vm/stat_interval")
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
CONTAINER = (ROOT / "tests" / "container.sh").read_text()
"""What docker does by default: kernel files to be read only, few capabilities, and namespaces of its own."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A clone that everybody may read, also where the checkout is in somebody's home."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for path in (tmp_path, *tmp_path.parents):
        if path.is_relative_to("/tmp") and path != Path("/tmp"):
            path.chmod(0o755)
    return tmp_path


def python() -> str:
    """One that every user may run: a virtual environment's may lead into a home."""
    system = "/usr/bin/python3"
    done = subprocess.run([system, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"], check=False)
    return sys.executable if done.returncode else system


def environment(**more: Any) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1", **more}


def powernap(*words: str, before: Sequence[str] = (), **more: Any) -> subprocess.CompletedProcess[str]:
    """Run to its end."""
    command = [*before, sys.executable if not before else python(), "-m", "powernap", *words]
    return subprocess.run(
        command, env=environment(**more), capture_output=True, text=True, timeout=60, check=False
    )


def entries(text: str) -> list[dict[str, Any]]:
    """Each line is a document."""
    return [json.loads(line) for line in text.splitlines()]


def wait_for(stream: Any, event: str) -> dict[str, Any]:
    """Read up to an entry."""
    for line in stream:
        entry: dict[str, Any] = json.loads(line)
        if entry["event"] == event:
            return entry
    raise AssertionError(f"no {event}")


@contextlib.contextmanager
def running(*words: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A command in the background, ended at last."""
    command = [sys.executable, "-m", "powernap", *words]
    with subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, text=True, **options
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


# ---------------------------------------------------------------- try


@pytest.mark.root
@pytest.mark.alone
def test_a_try_naps_comes_back_and_leaves_everything_as_it_was(tmp_path: Path) -> None:
    """By itself when nothing happens; back when a watched process starts; every writable kernel file is the same afterwards."""
    program = tmp_path / "pn-try-work"
    shutil.copy("/bin/sleep", program)
    had = os.path.exists("/run/powernap/ledger.jsonl")
    before, again = look(), look()
    with running(
        "try", "--for", "6s", "--nap-after", "1s", "--quiet-only", "--json", "--program", program.name
    ) as process:
        assert process.stdout
        opening = wait_for(process.stdout, "trying")
        first = wait_for(process.stdout, "entered")
        subprocess.run([str(program), "0.1"], check=True)
        activity = wait_for(process.stdout, "activity")
        wait_for(process.stdout, "left")
        closing = wait_for(process.stdout, "tried")
        assert 0 == process.wait(20)
    after = look()

    assert program.name in opening["monitors"]
    assert all(change["old"] != change["new"] for change in first["changed"])
    assert [program.name] == [cause["name"] for cause in activity["because"]]
    assert closing["naps"] >= 1
    assert 0 == closing["left_changed"]
    assert {} == changed(before, again, after)
    assert had == os.path.exists("/run/powernap/ledger.jsonl")


@pytest.mark.root
@pytest.mark.alone
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP])
def test_however_a_try_is_ended_it_puts_everything_back(number: int) -> None:
    """Ctrl-C, a closed terminal, Ctrl-Z: the machine first."""
    before = KNOB.read_text()
    with running("try", "--for", "60s", "--nap-after", "300ms", "--quiet-only", "--json") as process:
        wait_for(process.stdout, "entered")
        process.send_signal(number)
        wait_for(process.stdout, "tried")
        assert 0 == process.wait(20)
    assert before == KNOB.read_text()


@pytest.mark.root
@pytest.mark.alone
def test_after_sigkill_undo_puts_everything_back() -> None:
    """The try's ledger is the system's."""
    before = KNOB.read_text()
    with running("try", "--for", "60s", "--nap-after", "300ms", "--quiet-only", "--json") as process:
        napping = bool(wait_for(process.stdout, "entered")["changed"])
        asked = powernap("why", "--json")
        process.kill()
        process.wait(10)
    assert "ease" == json.loads(asked.stdout)["stage"]
    if napping:
        assert "would put back" in powernap("undo", "--dry-run").stdout
    assert 0 == powernap("undo").returncode
    assert before == KNOB.read_text()
    with contextlib.suppress(FileNotFoundError):
        os.unlink("/run/powernap/control")


@pytest.mark.root
@pytest.mark.alone
def test_a_reader_that_goes_ends_the_try_in_silence() -> None:
    """`powernap try | head -1`: undone, and not a word on standard error."""
    before = KNOB.read_text()
    command = f"{sys.executable} -m powernap try --for 60s --nap-after 300ms --quiet-only | head -1"
    done = subprocess.run(
        command, shell=True, env=environment(), capture_output=True, text=True, timeout=40, check=False
    )
    assert (1, "") == (len(done.stdout.splitlines()), done.stderr)
    assert before == KNOB.read_text()


@pytest.mark.root
@pytest.mark.alone
def test_enter_on_its_own_terminal_brings_it_back() -> None:
    """As the opening invites to."""
    child, terminal = pty.fork()
    if child == 0:
        words = ["try", "--for", "15s", "--nap-after", "1s", "--quiet-only"]
        os.execve(
            sys.executable,
            [sys.executable, "-m", "powernap", *words],
            environment(TERM="xterm", NO_COLOR="1"),
        )
    try:
        assert "press Enter here" in screen(terminal, "entered stage ease")
        os.write(terminal, b"\n")
        screen(terminal, "put everything back")
        os.kill(child, signal.SIGINT)
        screen(terminal, "it napped")
    finally:
        os.close(terminal)
        os.waitpid(child, 0)


def screen(terminal: int, until: str) -> str:
    """What is on it, up to some words."""
    text, end = "", time.monotonic() + 20
    while until not in text:
        assert select.select([terminal], [], [], max(0.0, end - time.monotonic()))[0], text
        text += os.read(terminal, 4096).decode()
    return text


@pytest.mark.root
@pytest.mark.alone
def test_two_tries_do_not_undo_each_other() -> None:
    """The second says who is first, and leaves its socket alone."""
    with running("try", "--for", "60s", "--nap-after", "30s", "--quiet-only", "--json") as process:
        wait_for(process.stdout, "started")
        second = powernap("try")
        asked = powernap("why", "--json")
        process.send_signal(signal.SIGINT)
        wait_for(process.stdout, "tried")
    assert 3 == second.returncode
    assert f"(pid {process.pid}) is running already" in second.stderr
    assert f"`kill {process.pid}`" in second.stderr
    assert "act" == json.loads(asked.stdout)["mode"]


@pytest.mark.root
@pytest.mark.alone
def test_make_try_from_a_fresh_clone(copy: Path) -> None:
    """With Python and nothing else, well within a minute."""
    shutil.copytree(ROOT / "tools", copy / "tools")
    shutil.copy(ROOT / "Makefile", copy)
    words = ["make", "try", f"PYTHON={python()}", "ARGS=--for 1s --nap-after 300ms --quiet-only"]
    bare = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin"}
    began = time.monotonic()
    done = subprocess.run(words, cwd=copy, env=bare, capture_output=True, text=True, timeout=60, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    assert "it napped" in done.stdout
    assert f"in another terminal: {copy}/.cache/try/bin/powernap why" in done.stdout
    assert time.monotonic() - began < 60
    assert {"Makefile", "src", "tools", ".cache"} == set(os.listdir(copy))


@pytest.mark.root
def test_an_ordinary_user_may_try(copy: Path) -> None:
    """It runs, changes nothing, and says what it cannot do and why."""
    words = ["try", "--for", "2500ms", "--nap-after", "500ms", "--quiet-only", "--json"]
    done = powernap(*words, before=NOBODY, PYTHONPATH=str(copy / "src"), HOME="/nonexistent")
    assert (0, "") == (done.returncode, done.stderr)
    told = entries(done.stdout)
    assert (False, []) == (told[0]["root"], told[0]["actions"])
    assert "kernel-quiet" in told[0]["left_out"]
    assert all(entry.get("watching") for entry in told if entry["event"] in ("entered", "left"))
    assert 1 <= told[-1]["naps"]


@pytest.fixture
def contained(copy: Path, tmp_path: Path) -> tuple[str, ...]:
    """What to put before a command."""
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False).returncode:
        pytest.skip("namespaces cannot be made here")
    script = tmp_path / "container.sh"
    script.write_text(CONTAINER)
    return ("unshare", "--pid", "--mount", "--net", "--fork", "--mount-proc", "sh", str(script))


@pytest.mark.root
def test_the_screen_beside_a_daemon_shows_the_daemons_ladder_and_monitors(daemon: Daemon) -> None:
    """It runs by a configuration of its own, and that is what counts."""
    place: dict[str, Any] = {"POWERNAP_SOCKET": str(daemon.socket)}
    found = json.loads(powernap("--json", **place).stdout)
    assert ["job"] == [each["name"] for each in found["monitors"]]
    assert ["ease", "deep"] == [each["name"] for each in found["stages"]]
    assert {"kernel-quiet", "cpu-clock"} == {each["name"] for each in found["actions"] if each["used"]}
    screen = powernap(**place).stdout
    assert "watching only" in screen
    assert "stage ease in " in screen


@pytest.mark.root
def test_a_container_without_knobs_is_told_what_it_cannot_do(copy: Path, contained: tuple[str, ...]) -> None:
    """Each no has a reason and a remedy; nothing breaks."""
    done = powernap("--json", before=contained, PYTHONPATH=str(copy / "src"))
    assert (0, "") == (done.returncode, done.stderr)
    document = json.loads(done.stdout)
    assert document["root"]
    found = {entry["name"]: entry for entry in document["actions"] + document["monitors"]}
    for name in ("kernel-quiet", "cpu-offline", "magic-packet"):
        assert not found[name]["usable"]
        # What another test has made quiet just now needs no remedy.
        assert found[name]["remedy"] or "already" in found[name]["detail"], found[name]
    assert found["load"]["usable"]


@pytest.mark.root
def test_a_container_without_knobs_may_try(copy: Path, contained: tuple[str, ...]) -> None:
    """It naps, which does nothing here, and says why."""
    words = ["try", "--for", "2s", "--nap-after", "500ms", "--quiet-only", "--json"]
    done = powernap(*words, before=contained, PYTHONPATH=str(copy / "src"))
    told = entries(done.stdout)
    assert 0 == done.returncode
    assert "Traceback" not in done.stderr
    assert [] == told[0]["actions"]
    assert {"cpu-clock", "kernel-quiet"} <= set(told[0]["left_out"])
    assert 1 <= told[-1]["naps"]


# ---------------------------------------------------------------- bare powernap


def test_the_screen_needs_no_home_no_terminal_and_no_directory(tmp_path: Path) -> None:
    """From cron, from a directory that was deleted, for an ordinary user's Python."""
    bare = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "src"), "POWERNAP_SOCKET": free_path()}
    gone = tmp_path / "gone"
    gone.mkdir()
    command = f'rmdir "{gone}"; exec "{sys.executable}" -m powernap'
    done = subprocess.run(
        ["sh", "-c", command], cwd=gone, env=bare, capture_output=True, text=True, timeout=60, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)
    assert "powernapd is not running" in done.stdout
    assert "\x1b" not in done.stdout


def processor_time(copy: Path, *words: str) -> float:
    """Seconds that a Python process takes, with its byte code at hand."""
    variables = {
        "PYTHONPATH": str(copy / "src"),
        "PATH": "/usr/bin",
        "PYTHONPYCACHEPREFIX": str(copy / "pyc"),
    }
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], env=variables, stdout=subprocess.DEVNULL, check=True)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime - began.ru_utime + ended.ru_stime - began.ru_stime


@pytest.mark.alone
def test_the_screen_costs_little(copy: Path) -> None:
    """Under 300 ms of processor time: 0.21 s measured, 3 times what importing asyncio and argparse takes; on a slower machine under 4.5 times."""
    screen, imports = ("-m", "powernap"), ("-c", "import asyncio, argparse, tomllib, json, dataclasses")
    processor_time(copy, *screen)
    pairs = [(processor_time(copy, *screen), processor_time(copy, *imports)) for _ in range(5)]
    assert min(pair[0] for pair in pairs) < max(0.3, 4.5 * min(pair[1] for pair in pairs)), pairs


def test_who_is_logged_in_keeps_it_awake_at_the_first_look() -> None:
    """Logind is asked over the bus, without a daemon of ours: the most likely reason of all is on the screen."""
    if bus.missing():
        pytest.skip(bus.missing())
    machine = bus.PrivateBus()
    try:
        machine.start_bus()
        machine.start_logind()
        machine.add_session("c1", "alice", Name="'alice'", State="'active'", Class="'user'", IdleHint="false")
        seen = asyncio.run(asked(machine.root))
    finally:
        machine.close()
    assert seen.reading
    assert "alice" in seen.reading.reason
    assert ["sessions"] == [row[0] for row in overview.awake({"daemon": None, "monitors": [overview.of_seen(seen)], "root": True, "recorded": False})]  # fmt: skip


async def asked(root: str) -> glance.Seen:
    host = Host(files=TreeFiles(root), ears=LoopEars(asyncio.get_running_loop()))
    return await glance.look_at(host, MonitorConfig("sessions", "sessions", sessions.Options()))


# ---------------------------------------------------------------- with a daemon

QUIET = """
mode = "watch"
[[stage]]
name = "ease"
after = "1h"
actions = ["kernel-quiet"]
[[stage]]
name = "deep"
after = "2h"
actions = ["cpu-clock"]
[monitor.job]
type = "process"
program = "pn-no-such-program"
"""


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """One that watches a quiet machine, in a directory of its own."""
    with Daemon(tmp_path, QUIET) as daemon:
        yield daemon


@pytest.mark.root
def test_why_answers_yes_or_no(daemon: Daemon) -> None:
    """Exit status 1 while nothing keeps it awake, 0 while something does."""
    place: dict[str, Any] = {"POWERNAP_SOCKET": str(daemon.socket)}
    assert 1 == powernap("why", **place).returncode
    with holding(daemon, "a backup"):
        asked = powernap("why", **place)
    assert 0 == asked.returncode
    assert "a backup" in asked.stdout


@contextlib.contextmanager
def holding(daemon: Daemon, why: str, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A hold in the background, from when its lease is there."""
    words = [sys.executable, "-m", "powernap", "hold", "--why", why, *(["--", *command] if command else [])]
    with subprocess.Popen(words, env=environment(POWERNAP_SOCKET=str(daemon.socket))) as process:
        try:
            until(lambda: bool(daemon.ask("status", refresh=False)["leases"]))
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def until(condition: Any, limit: float = 15.0) -> None:
    """Wait for what another process brings about."""
    end = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def no_lease(daemon: Daemon) -> Any:
    return lambda: not daemon.ask("status", refresh=False)["leases"]


@pytest.mark.root
def test_a_hold_that_is_killed_holds_no_longer(daemon: Daemon) -> None:
    """SIGKILL too: the lease is the connection."""
    with holding(daemon, "x") as process:
        process.send_signal(signal.SIGKILL)
        until(no_lease(daemon))


@pytest.mark.root
def test_a_hold_passes_the_end_on_and_ends_as_its_command(daemon: Daemon) -> None:
    """Who stops `hold` means the command; who asks how it ended hears of the command."""
    with holding(daemon, "x", "sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.05; done") as process:
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert 9 == process.wait(15)
        until(no_lease(daemon))


@pytest.mark.root
def test_ctrl_c_is_the_commands(daemon: Daemon) -> None:
    """It may clean up in its own time, and its exit status is ours."""
    code = "trap 'sleep 0.5; exit 4' INT; while :; do sleep 0.05; done"
    with holding(daemon, "x", "sh", "-c", code) as process:
        time.sleep(0.2)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        process.send_signal(signal.SIGINT)
        os.kill(int(children[0]), signal.SIGINT)
        assert 4 == process.wait(15)


@pytest.mark.root
def test_a_hold_outlives_a_restart_of_the_daemon(daemon: Daemon) -> None:
    """An upgrade during a night's backup: the lease is taken again."""
    with holding(daemon, "backup") as process:
        daemon.stop()
        daemon.process = daemon.start()
        daemon.ready()
        until(lambda: [lease["why"] for lease in daemon.ask("status", refresh=False)["leases"]] == ["backup"])
        assert process.poll() is None


@pytest.mark.root
def test_nap_and_wake_say_what_came_of_it(daemon: Daemon) -> None:
    """And only once it has; an unknown stage is wrong usage, a machine in use a no."""
    place: dict[str, Any] = {"POWERNAP_SOCKET": str(daemon.socket)}
    assert "entered stage ease" in powernap("nap", **place).stdout
    assert "in stage ease" in powernap("why", **place).stdout
    assert "put everything back" in powernap("wake", **place).stdout
    assert "awake" in powernap("wake", **place).stdout
    unknown = powernap("nap", "bogus", **place)
    assert (2, "its stages are: ease, deep" in unknown.stderr) == (unknown.returncode, True)
    with holding(daemon, "a film"):
        refused = powernap("nap", **place)
    assert 1 == refused.returncode
    assert "a film" in refused.stderr


@pytest.mark.root
def test_reload_says_what_is_in_force_or_what_is_wrong(daemon: Daemon) -> None:
    """With file and line."""
    place: dict[str, Any] = {"POWERNAP_SOCKET": str(daemon.socket)}
    assert f"configuration loaded: {daemon.config}" in powernap("reload", **place).stdout
    daemon.config.write_text(QUIET.replace("after", "aftr"))
    done = powernap("reload", **place)
    assert 2 == done.returncode
    assert f"{daemon.config}:5" in done.stderr


@pytest.mark.root
def test_an_ordinary_user_may_ask_and_not_act(daemon: Daemon, copy: Path) -> None:
    """With the remedy, and exit status 3."""
    place: dict[str, Any] = {"POWERNAP_SOCKET": str(daemon.socket), "PYTHONPATH": str(copy / "src")}
    assert 0 == powernap("status", before=NOBODY, **place).returncode
    for words in (["nap"], ["wake"], ["reload"], ["hold", "--why", "x"], ["history", "--events"]):
        done = powernap(*words, before=NOBODY, **place)
        assert 3 == done.returncode
        assert "use sudo, or join the group powernap" in done.stderr


@pytest.mark.root
def test_watch_ends_with_the_daemon(daemon: Daemon) -> None:
    """What happens, then that it has stopped; exit status 3."""
    words = [sys.executable, "-m", "powernap", "watch", "--json"]
    with subprocess.Popen(
        words, env=environment(POWERNAP_SOCKET=str(daemon.socket)), stdout=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        assert process.stdout
        assert "watching" == json.loads(process.stdout.readline())["event"]
        daemon.stop(signal.SIGKILL)
        assert 3 == process.wait(15)
        assert "powernapd has stopped" == json.loads(process.stdout.readlines()[-1])["error"]
