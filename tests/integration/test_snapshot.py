"""The machine under test, recorded: every monitor and action answers on the copy, and the copy does not say whose it is."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Awaitable
from pathlib import Path

import pytest

from powernap import actions, monitors
from powernap.core.options import REQUIRED
from powernap.core.reading import Reading
from powernap.host import snapshot
from powernap.host.availability import Availability, UnavailableError
from powernap.host.files import TreeFiles, matching, text
from powernap.host.host import Host
from powernap.host.pseudonyms import people

MONITORS, ACTIONS = monitors.kinds(), actions.kinds()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recorded once."""
    path = tmp_path_factory.mktemp("snapshot") / "this.tar.gz"
    snapshot.save(snapshot.take(), str(path))
    return path


@pytest.fixture(scope="module")
def copy(archive: Path) -> Host:
    """The same, to read from."""
    root = archive.parent / "tree"
    snapshot.unpack(str(archive), str(root))
    return Host(files=TreeFiles(str(root)), live=False)


NEEDED: dict[str, dict[str, object]] = {
    "process": {"program": "python3"},
    "process-io": {"program": "python3"},
    "tcp": {"port": 22},
}
"""What must be set, for the kinds that cannot do without."""


def some_options(kind: str, module: monitors.MonitorModule | actions.ActionModule):
    """Options as an admin gets them who sets nothing that need not be set; ``None`` where we do not know what must be."""
    known = module.Options.__dataclass_fields__
    given = {name: value for name, value in NEEDED.get(kind, {}).items() if name in known}
    needed = {
        name
        for name, field in known.items()
        if field.default is REQUIRED and field.default_factory is REQUIRED
    }
    return None if needed - set(given) else module.Options(**given)


@pytest.mark.parametrize("kind", MONITORS)
def test_every_monitor_answers_on_the_copy(kind: str, copy: Host) -> None:
    """A reading, or a reason why only a live kernel could tell; never a crash."""
    module = monitors.find(kind)
    options = some_options(kind, module)
    if options is None:
        return
    assert isinstance(module.probe(copy, options), Availability)
    try:
        monitor = module.open(monitors.Context(kind, copy, lambda reading: None), options)
    except UnavailableError as error:
        reason = error.availability.detail
    else:
        reason = answer(monitor, copy).reason
    assert reason


def answer(monitor: monitors.Monitor, copy: Host) -> Reading:
    """One look."""
    try:
        reading = monitor.check(copy.clock.boottime())
        if inspect.isawaitable(reading):
            reading = asyncio.run(waited(reading))
        assert isinstance(reading, Reading)
        return reading
    finally:
        monitor.close()


async def waited(reading: Awaitable[Reading]) -> Reading:
    """A look that takes longer than a file read, with the daemon's patience."""
    return await asyncio.wait_for(reading, 5)


@pytest.mark.parametrize("kind", ACTIONS)
def test_every_action_says_the_same_of_the_copy_or_why_not(kind: str, copy: Host) -> None:
    """An availability with words in it."""
    module = actions.find(kind)
    options = some_options(kind, module)
    if options is not None:
        assert module.probe(copy, options).detail


@pytest.mark.parametrize("kind", ["cpu", "disk", "load"])
def test_counter_monitors_see_the_machine_that_was_recorded(kind: str, copy: Host) -> None:
    """What there is (processors, disks) reads the same from the copy."""
    module = monitors.find(kind)
    words = [
        re.sub(r"load [0-9.]+", "", module.probe(host, module.Options()).detail) for host in (Host(), copy)
    ]
    assert words[0] == words[1]


def secrets() -> set[str]:
    """What tells whose machine this is. A name of two letters cannot be told from any other word: it is only where it is kept."""
    live = TreeFiles()
    addresses = subprocess.run(["ip", "-j", "address"], capture_output=True, text=True, check=False).stdout
    links = json.loads(addresses) if addresses else []
    found = {link.get("address", "") for link in links} | {
        a["local"] for link in links for a in link["addr_info"]
    }
    found |= {text(live, path) for path in matching(live, "/sys/class/net/*/address")}
    found |= {text(live, "/etc/machine-id"), text(live, "/proc/sys/kernel/random/boot_id")}
    found |= {name for name in (os.uname().nodename, *people(text(live, "/etc/passwd"))) if len(name) > 2}
    return found - {"", "127.0.0.1", "::1", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"}


def test_nothing_of_this_machine_is_in_the_archive(archive: Path) -> None:
    """MAC and IP addresses, host and account names, machine and boot id: in no name, link or content."""
    pattern = re.compile(
        b"|".join(rb"(?<![0-9A-Za-z_])" + re.escape(s.encode()) + rb"(?![0-9A-Za-z_])" for s in secrets())
    )
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            everything = f"{member.linkname}\n".encode() + (content.read() if content else b"")
            if member.name not in {"proc/version", "usr/lib/os-release", snapshot.MANIFEST}:
                assert not (hit := pattern.search(everything)), (member.name, hit)
        hostname = tar.extractfile("proc/sys/kernel/hostname")
        assert hostname
        assert re.fullmatch(rb"host\d+\n", hostname.read())


def test_it_takes_a_moment(tmp_path: Path) -> None:
    """The command as the admin types it, in a new process, in seconds; nothing on stderr, since that is no terminal."""
    command = [sys.executable, "-m", "powernap.cli.main", "snapshot", str(tmp_path / "s.tar.gz")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
