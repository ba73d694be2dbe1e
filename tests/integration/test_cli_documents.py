"""docs/json.md and what is printed: each key of a real run is in its table with its type, and each key of a table in some run."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakedaemon import FakeDaemon, free_path
from integration.daemon_process import Daemon, read_line, request
from integration.schedule_documents import scheduled
from integration.test_measure import Rig
from json_tables import Table, events, tables
from powernap.config.load import build
from powernap.daemon.hands import Hands
from powernap.daemon.words import SENTENCES
from powernap.host.clock import SystemClock
from powernap.host.files import TreeFiles
from powernap.host.host import Host
from powernap.host.knobs import Change, MachineKnobs
from powernap.host.ledger import Ledger
from powernap.host.ledger_file import LedgerFile
from unit.test_cli_commands import conversation

ACTING = """
mode = "act"
[[stage]]
name = "ease"
after = "1h"
actions = ["kernel-quiet", "hooks"]
[monitor.work]
type = "process"
program = "pn-doc-work"
[monitor.load]
above = "1000000"
[action.hooks]
directory = "/nonexistent/hooks.d"
"""
TROUBLED = """
[monitor.missing]
type = "command"
command = ["/nonexistent/check"]
"""
LIVE = {"watching", "trying", "tried", "reading"}
Documents = dict[str, list[Any]]


def powernap(*words: str, socket: str = "", status: int | None = 0) -> str:
    """What it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "powernap", *words],
        env={**os.environ, "POWERNAP_SOCKET": socket or free_path()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert status in (None, done.returncode), done
    return done.stdout


def printed(*words: str, **how: Any) -> Any:
    return json.loads(powernap(*words, "--json", **how))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For the module's daemon and files."""
    return tmp_path_factory.mktemp("doc")


@pytest.fixture(scope="module")
def work(place: Path) -> str:
    """A program of a name of its own."""
    return shutil.copy("/bin/sleep", str(place / "pn-doc-work"))


@pytest.fixture(scope="module")
def documents(place: Path, work: str) -> Documents:
    """By heading of the page, everything that a tour of the command line prints."""
    found: Documents = {
        "powernap --json": [printed()],
        "powernap actions --json": [
            printed("actions"),
            printed("actions", "--try", "--runtime", str(place / "there-and-back")),
        ],
        "Errors": [printed("why", status=3), printed("nap", "x", status=3)],
        **configuration(place),
        "powernap undo --json": undone(place),
        "powernap postpone --json": postponed(),
        **metered(place),
        **scheduled(place, printed),
        "powernap doctor --json": [printed("doctor", "--for", "300ms", status=None), examined(place)],
        "powernap snapshot --json": [printed("snapshot", str(place / "s.tar.gz"))],
    }
    with Daemon(place, ACTING) as daemon:
        socket = str(daemon.socket)
        entries = tour(daemon, socket, work, found)
    found["Entries"] = entries + tried(work)
    found["powernap status --json"].append({"conflicts": conflicts(place)})
    return found


def configuration(place: Path) -> Documents:
    """Good and bad."""
    bad = place / "bad.toml"
    bad.write_text('mode = "atc"\n')
    noted = place / "noted.toml"
    noted.write_text("[monitor.cpu]\n")
    return {
        "powernap config check --json": [
            printed("config", "check", str(bad), status=2),
            printed("config", "check", str(noted)),
        ],
        "powernap config show --json": [printed("config", "show")],
        "powernap config explain KEY --json": [
            printed("config", "explain", key) for key in ("stage.after", "stage.sleep", "monitor.tcp")
        ],
    }


def postponed() -> list[Any]:
    """By a user, and by root."""
    answer = {"schedule": "night", "was": time.time(), "until": time.time() + 60.0}
    found = []
    for left in (3600.0, None):
        with FakeDaemon(conversation([], postpone={**answer, "left_s": left})) as daemon:
            found.append(printed("postpone", socket=daemon.path))
    return found


def undone(place: Path) -> list[Any]:
    """A value to be put back, one that somebody else changed, and a damaged line."""
    root = place / "machine"
    root.mkdir()
    for name in ("a", "b"):
        (root / name).write_text("1\n")
    path = f"{root}/run/powernap/ledger.jsonl"
    file = LedgerFile(path)
    ledger = Ledger(file, MachineKnobs(TreeFiles(str(root))), SystemClock(), "")
    ledger.perform("one", "ease", [Change("/a", "2"), Change("/b", "2")])
    file.close()
    (root / "b").write_text("7\n")
    with open(path, "a", encoding="utf-8") as file_of_lines:
        file_of_lines.write("garbage\n")
    return [
        printed("undo", "--root", str(root), "--dry-run", status=1),
        printed("undo", "--root", str(root), status=1),
    ]


def metered(place: Path) -> Documents:
    """A lamp that was measured, an action that could not be, and five nights."""
    (place / "rig").mkdir()
    rig = Rig(place / "rig")
    complete = rig.measure("--json")
    rig.nights(5)
    partly = rig.measure("lamp", "gone", "--json", meter="/bin/false")
    return {
        "powernap measure --json": [json.loads(complete.stdout), json.loads(partly.stdout)],
        "powernap report --json": [printed("report", *rig.state)],
    }


def examined(place: Path) -> Any:
    """A machine that has everything: idle states, a graphics processor with a context, a disk, another tool."""
    root = place / "examined"
    device = "sys/devices/pci0000:00/0000:01:00.0"
    for path, text in {
        "proc/uptime": "100.0 100.0\n",
        "proc/7/comm": "tuned\n",
        "proc/7/status": "Name:\ttuned\nPPid:\t1\nvoluntary_ctxt_switches:\t9000\n",
        "proc/7/fdinfo/3": "drm-client-id:\t1\ndrm-engine-gfx:\t5 ns\n",
        "run/tuned/tuned.pid": "7\n",
        "sys/devices/system/cpu/cpu0/cpuidle/state0/name": "C1\n",
        f"{device}/power/control": "on\n",
        "sys/block/sda/stat": "1 0 8 1 1 0 8 1 0 0 0\n",
        "sys/block/sda/device/model": "X\n",
        "sys/block/sda/queue/rotational": "1\n",
        "sys/block/sda/removable": "1\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / "proc/7/fd").mkdir()
    (root / "proc/7/fd/3").symlink_to("/dev/dri/renderD128")
    (root / "sys/class/drm/card0").mkdir(parents=True)
    (root / "sys/class/drm/card0/device").symlink_to(f"../../../../{device}")
    return printed("doctor", "--root", str(root), status=1)


def conflicts(place: Path) -> list[dict[str, str]]:
    """On a machine where another tool turns the same knobs."""
    root = place / "shared"
    (root / "proc/7").mkdir(parents=True)
    (root / "proc/7/comm").write_text("tuned\n")
    (root / "run/tuned").mkdir(parents=True)
    (root / "run/tuned/tuned.pid").write_text("7\n")
    config = build([("x", '[[stage]]\nname="e"\nafter="1min"\nactions=["cpu-clock"]\n')])
    found = Hands(Host(files=TreeFiles(str(root)), live=False), None, config.actions, 1.0).conflicts()
    assert found
    return found


def tour(daemon: Daemon, socket: str, work: str, found: Documents) -> list[Any]:
    """Idle, held, napping, back, reloaded; the entries that were told meanwhile."""
    with daemon.connect() as watching:
        entries = [{**request(watching, "watch")}]
        entries[0].pop("ok")
        found["powernap why --json"] = [printed("why", socket=socket, status=1)]
        found["powernap status --json"] = [printed("status", socket=socket)]
        with daemon.connect() as holder:
            request(holder, "hold", why="a backup", for_s=1000)
            found["powernap why --json"].append(printed("why", socket=socket))
            found["powernap status --json"].append(printed("status", socket=socket))
        found["powernap nap --json, powernap wake --json"] = [printed("nap", socket=socket)]
        daemon.until_phase("napping")
        found["powernap status --json"].append(printed("status", socket=socket))
        found["powernap --json"].append(printed(socket=socket))
        subprocess.run([work, "0.1"], check=True)
        daemon.until("left")
        found["powernap nap --json, powernap wake --json"].append(printed("wake", socket=socket))
        daemon.config.write_text(ACTING + TROUBLED)
        found["powernap reload --json"] = [printed("reload", socket=socket)]
        time.sleep(0.2)
        found["powernap why --json"].append(printed("why", socket=socket))
        found["Errors"].append(printed("nap", socket=socket, status=1))
        daemon.config.write_text(ACTING.replace('"act"', '"watch"'))
        found["powernap reload --json"].append(printed("reload", socket=socket))
        printed("nap", socket=socket)
        daemon.until("entered", watching=True)
        found["powernap history --json"] = [printed("history", socket=socket)]
        history: list[Any] = found["powernap history --json"][0]["entries"]
        return [*entries, *history, *waiting(watching)]


def waiting(watching: Any) -> Iterator[dict[str, Any]]:
    """What was told and is still unread."""
    watching.settimeout(0.5)
    lines = watching.makefile("r", encoding="utf-8")
    with contextlib.suppress(TimeoutError):
        for line in lines:
            yield json.loads(line)


def tried(work: str) -> list[Any]:
    """A try that naps and is brought back."""
    words = [
        "try",
        "--for",
        "60s",
        "--nap-after",
        "300ms",
        "--quiet-only",
        "--json",
        "--program",
        "pn-doc-work",
    ]
    command = [sys.executable, "-m", "powernap", *words]
    found = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            found.append(json.loads(line))
            if found[-1]["event"] == "entered" and not any(entry["event"] == "left" for entry in found):
                subprocess.run([work, "0.1"], check=True)
            elif found[-1]["event"] == "left":
                process.send_signal(signal.SIGINT)
        assert 0 == process.wait(20)
    assert ["trying", "tried"] == [found[0]["event"], found[-1]["event"]]
    return found


@pytest.fixture(scope="module")
def page() -> dict[str, Table]:
    """The tables; those of `status` hold what `why` has, too."""
    found = tables()
    status = found["powernap status --json"]
    status.rows = {**found["powernap why --json"].rows, **status.rows}
    return found


pytestmark = [pytest.mark.root, pytest.mark.alone]


def test_every_key_that_is_printed_is_documented_with_its_type(
    documents: Documents, page: dict[str, Table]
) -> None:
    """In the table of its command, or of every entry."""
    strange = {
        heading: said
        for heading, found in documents.items()
        if (said := sorted({each for document in found for each in page[heading].strange(document)}))
    }
    assert {} == strange


def test_every_key_that_is_documented_is_printed_by_some_run(
    documents: Documents, page: dict[str, Table]
) -> None:
    """Nothing is promised that nobody gets."""
    for heading, found in documents.items():
        for document in found:
            page[heading].strange(document)
    assert {} == {heading: unmet for heading, table in page.items() if (unmet := table.unmet())}


def test_every_document_has_a_table(documents: Documents, page: dict[str, Table]) -> None:
    """And every table a document."""
    assert set(page) == set(documents)


def test_every_kind_of_entry_is_named() -> None:
    """Those that have a sentence, those that are only live, and `sleep`."""
    assert {*SENTENCES, *LIVE, "sleep"} == events()


def test_the_socket_answers_the_same_with_an_ok(tmp_path: Path) -> None:
    """What the page says of the protocol."""
    with Daemon(tmp_path, ACTING) as daemon, daemon.connect() as sock:
        answer = request(sock, "why", refresh=False)
        assert answer.pop("ok") is True
        assert answer.keys() == printed("why", socket=str(daemon.socket), status=1).keys()
        sock.sendall(b"nonsense\n")
        assert {"ok", "error", "code"} <= read_line(sock).keys()
