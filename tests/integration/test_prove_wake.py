"""``powernap prove-wake`` beside a live daemon and on a live network. The sleep itself is the lab's to show."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

import pytest

from integration.daemon_process import Daemon
from networks import in_new_network
from powernap.cli import magic_packets, main, prove_wake
from powernap.host import magic_send

pytestmark = pytest.mark.root

MAC = "02:00:00:00:00:aa"
QUIET = """
mode = "watch"
[[stage]]
name = "ease"
after = "1s"
actions = ["kernel-quiet"]
[monitor.nobody]
type = "process"
program = "no-such-program"
"""


def cable() -> None:
    """Two cards of this namespace, joined; the kernel tells of a new link with a delay (net/core/link_watch.c)."""
    for command in ("link add wake0 type veth peer name wake1", "link set wake0 up", "link set wake1 up"):
        subprocess.run(["ip", *command.split()], check=True)
    end = time.monotonic() + 10
    while not {"wake0", "wake1"} <= set(magic_send.interfaces()) and time.monotonic() < end:
        time.sleep(0.02)


def test_the_daemon_is_held_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its nap it comes up and stays up as long as the trial lasts, and naps again after it."""
    with Daemon(tmp_path, QUIET) as daemon:
        monkeypatch.setenv("POWERNAP_SOCKET", str(daemon.socket))
        daemon.until_phase("napping")
        with prove_wake.undisturbed():
            status = daemon.ask("status")
            assert "awake" == status["phase"]
            assert ["proving that this machine can be woken"] == [lease["why"] for lease in status["leases"]]
        daemon.until_phase("napping")


@in_new_network
def test_only_ethernet_with_a_link() -> None:
    """Not the loopback, not a tunnel, not a port without a cable."""
    subprocess.run(["ip", "link", "add", "alone", "type", "veth", "peer", "name", "other"], check=True)
    subprocess.run(["ip", "link", "set", "alone", "up"], check=True)
    cable()
    assert {"wake0", "wake1"} == set(magic_send.interfaces())


@in_new_network
def test_what_is_sent_is_heard() -> None:
    """One end of a cable sends for an address that is on no card here, and whoever listens at the other end hears it."""
    cable()
    heard: list[bool] = []

    def listen() -> None:
        heard.append(magic_packets.heard(MAC))

    ear = threading.Thread(target=listen)  # a thread begins in the network namespace of its maker
    ear.start()
    while ear.is_alive():
        assert 0 == main.main(["prove-wake", "--send", MAC, "--for", "100ms"])
    ear.join()
    assert [True] == heard


@in_new_network
def test_other_peoples_packets_are_not_ours() -> None:
    """Only the card's own address counts."""
    cable()
    heard: list[bool] = []
    ear = threading.Thread(target=lambda: heard.append(magic_packets.heard("02:00:00:00:00:bb", 0.5)))
    ear.start()
    while ear.is_alive():
        main.main(["prove-wake", "--send", MAC, "--for", "100ms"])
    ear.join()
    assert [False] == heard


@in_new_network
def test_nowhere_to_send(capsys: pytest.CaptureFixture[str]) -> None:
    """A network without a card is said to be one."""
    assert 1 == main.main(["prove-wake", "--send", MAC])
    assert "no network card of this machine is up" in capsys.readouterr().err
