"""The kernel's own uevents reach a NewDevices."""

from __future__ import annotations

from pathlib import Path

import pytest

from ears import EpollEars
from powernap.host import uevents
from powernap.host.host import Host
from powernap.host.uevents import NewDevices


@pytest.mark.root
def test_a_synthetic_addition_is_heard_and_a_change_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing "add" to a device's uevent file (it changes nothing) is heard; "change" wakes nobody."""
    monkeypatch.setattr(uevents, "SETTLE", 0.0)
    looks: list[int] = []
    with EpollEars() as ears:
        devices = NewDevices(Host(ears=ears), "mem", "/dev/input", lambda: looks.append(1))
        assert devices.source == "uevents"
        for _ in range(20):
            Path("/sys/devices/virtual/mem/null/uevent").write_text("change")
        ears.run(0.02)
        assert looks == []
        Path("/sys/devices/virtual/mem/null/uevent").write_text("add")
        assert ears.run(2, lambda: looks)
        devices.close()
