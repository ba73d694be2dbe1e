"""From the command line to a running node and back: exit statuses, places, signals."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keeper import Words, run
from keeper import until as until_true
from powernap import __version__
from powernap.config.load import load
from powernap.daemon import main as daemon
from powernap.daemon import start
from powernap.daemon.main import find, make_places, serve
from powernap.daemon.node import Node
from powernap.daemon.places import Places
from powernap.host.ledger_file import LedgerFile

CONFIG = """
mode = "watch"
[[stage]]
name = "ease"
after = "1h"
actions = ["kernel-quiet"]
[monitor.cpu]
above = "99%"
"""


@pytest.fixture
def given(tmp_path: Path) -> list[str]:
    """A command line whose everything is in a directory of its own."""
    (tmp_path / "powernap.toml").write_text(CONFIG)
    return [
        "--config", str(tmp_path / "powernap.toml"), "--runtime", str(tmp_path / "run"), "--state", str(tmp_path / "state"),
    ]  # fmt: skip


@contextlib.contextmanager
def standard_error(path: Path) -> Iterator[Path]:
    """The journal writes to descriptor 2."""
    kept = os.dup(2)
    with path.open("wb") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield path
        finally:
            os.dup2(kept, 2)
            os.close(kept)


# ------------------------------------------------------------ the command line


def test_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` names it."""
    with pytest.raises(SystemExit):
        start.main(["--version"])
    assert capsys.readouterr().out == f"powernapd {__version__}\n"


def test_faults_are_all_said_and_nothing_is_started(tmp_path: Path, given: list[str]) -> None:
    """Status 2, each fault with its line, and no directory is made."""
    (tmp_path / "powernap.toml").write_text(CONFIG.replace("after", "aftr").replace("above", "abve"))
    with standard_error(tmp_path / "err") as said:
        assert start.main(given) == 2

    assert "powernap.toml:5" in said.read_text()
    assert "powernap.toml:8" in said.read_text()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("option", ["--runtime", "--state"])
def test_a_place_that_cannot_be_is_said(tmp_path: Path, given: list[str], option: str) -> None:
    """Status 3 and the remedy, no traceback."""
    with standard_error(tmp_path / "err") as said:
        assert start.main([*given, option, "/proc/powernap"]) == 3

    assert "/proc/powernap" in said.read_text()
    assert "Traceback" not in said.read_text()


@pytest.mark.root
def test_a_second_daemon_is_turned_away(tmp_path: Path, given: list[str]) -> None:
    """Its ledger is in use: status 3, and the first one's is untouched."""
    places = Places(str(tmp_path / "run"), "")
    make_places(places)
    ledger = LedgerFile(places.ledger)
    with standard_error(tmp_path / "err") as said:
        assert start.main(given) == 3
    ledger.close()

    assert "running already?" in said.read_text()


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_the_places_are_reached_by_everybody(tmp_path: Path, mask: int) -> None:
    """Whatever the umask: `powernap why` is for all. A directory that was there keeps its mode."""
    (tmp_path / "state").mkdir(mode=0o700)
    old = os.umask(mask)
    try:
        make_places(Places(str(tmp_path / "run"), str(tmp_path / "state")))
    finally:
        os.umask(old)

    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_where_things_are() -> None:
    """The ledger and the socket in the runtime directory, the history in the state directory or nowhere."""
    places = Places("/r", "/s")
    assert (places.ledger, places.socket, places.history) == (
        "/r/ledger.jsonl",
        "/r/control",
        "/s/history.jsonl",
    )
    assert Places("/r", "").history == ""


def test_the_module_of_a_type() -> None:
    """Built in; what is none is an error."""
    assert find("cpu").EVENTS is False
    with pytest.raises(Exception, match="no-such-type"):
        find("no-such-type")


# ------------------------------------------------------------ serving


def served(given: list[str], test: Any) -> tuple[int, Words]:
    """Serve in this loop, watching only, while the test runs."""
    words, nodes = Words(), list[Node]()

    async def work() -> int:
        until = asyncio.Event()
        places = Places(given[3], given[5])
        make_places(places)
        serving = asyncio.ensure_future(
            serve(load(given[1]), [given[1]], places, None, words, until=until, began=nodes.append)
        )
        await until_true(lambda: nodes or serving.done())
        if not serving.done():
            await test(nodes[0])
            until.set()
        return await serving

    code = run(work())
    assert isinstance(code, int)
    return code, words


def test_it_answers_and_ends(tmp_path: Path, given: list[str]) -> None:
    """On its socket while it runs; afterwards the socket is gone and the history has its end."""

    async def test(_node: Node) -> None:
        def ask() -> Any:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.settimeout(5)
                sock.connect(str(tmp_path / "run" / "control"))
                sock.sendall(b'{"op":"why"}\n')
                return json.loads(sock.recv(65536))

        assert (await asyncio.to_thread(ask))["phase"] in ("awake", "checking")

    code, words = served(given, test)

    assert code == 0
    assert "began, mode watch" in words.lines[0]
    assert words.lines[-1] == "powernapd stopped; everything is as it was"
    assert not (tmp_path / "run" / "control").exists()
    assert '"stopped"' in (tmp_path / "state" / "history.jsonl").read_text().splitlines()[-1]


def test_signals(given: list[str]) -> None:
    """USR1 asks to nap, USR2 to wake, HUP loads the configuration again, TERM stops, twice as well as once."""
    nodes = list[Node]()

    async def test(node: Node) -> None:
        nodes.append(node)
        for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGTERM, signal.SIGTERM):
            os.kill(os.getpid(), number)
            await asyncio.sleep(0.02)

    code, words = served(given, test)

    assert code == 0
    kinds = [line.split('"')[3] for line in nodes[0].recorded]
    assert [kind for kind in kinds if kind in ("NapAsked", "WakeAsked", "Reconfigured")] == [
        "NapAsked", "WakeAsked", "Reconfigured",
    ]  # fmt: skip
    assert any("configuration loaded" in line for line in words.lines)


def test_a_faulty_reload_changes_nothing(given: list[str]) -> None:
    """The faults are returned and told; the old configuration goes on."""

    async def test(node: Node) -> None:
        before = node.config
        await asyncio.to_thread(Path(given[1]).write_text, "mode = 7\nwhat = 1\n")
        faults = daemon.reload(node, [given[1]])
        assert len(faults) >= 2
        assert node.config is before

    _, words = served(given, test)

    assert any("and 1 more" in line for line in words.lines)


def test_a_defect_is_its_own_exit_status(given: list[str]) -> None:
    """70, so that the service manager starts it anew."""

    async def test(node: Node) -> None:
        node.feed(None)  # type: ignore[arg-type]

    code, words = served(given, test)

    assert code == 70
    assert any("defect of powernapd" in line for line in words.lines)


def test_a_socket_that_cannot_be_is_said(tmp_path: Path, given: list[str]) -> None:
    """A directory where the socket should be: status 3, in words, and nothing stays open."""
    (tmp_path / "run" / "control").mkdir(parents=True)

    async def test(_node: Node) -> None:
        raise AssertionError("it must not begin")

    code, words = served(given, test)

    assert code == 3
    assert "nobody could ask" in words.lines[0]
