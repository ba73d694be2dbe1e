"""Whatever the machine is made of and whatever is asked for, no plan of a bus action holds a device of the wake path, or one above it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fakebuses
from fakebuses import POLICY, ROOT, STATES, add_input, add_network, add_pci, add_usb, bare_machine
from fakekernel import FakeKernel
from plans import host_of
from powernap.actions import find
from powernap.host import pci_guards, usb_guards
from powernap.host.device_guards import passable
from powernap.host.devices import path_of
from powernap.host.wake_path import wake_path

KINDS = ("010601", "010802", "020000", "030000", "040300", "060400", "0c0330", "080501", "00ff00")
DRIVERS = ("", "igb", "snd_hda_intel", "ahci", "pcieport")
EVERYTHING = tuple(f"class:{number:02x}" for number in range(256))
SWITCHES = st.sampled_from(("", "enabled", "disabled"))


@dataclass
class Tree:
    """A machine that grows, and what on it must be left alone, as it was built: not as powernap finds it."""

    kernel: FakeKernel
    draw: st.DrawFn
    wakers: set[str] = field(default_factory=set)
    serial: Iterator[int] = field(default_factory=lambda: iter(range(1, 1000)))

    def pci(self, above: str, depth: int) -> None:
        """Functions on a bus, and what is behind them."""
        for slot in range(self.draw(st.integers(1, 3))):
            kind = self.draw(st.sampled_from(KINDS)) if depth else "060400"
            number = next(self.serial)
            place = add_pci(
                self.kernel,
                f"{above}/0000:{number:02x}:{slot:02x}.0",
                f"8086:{number:04x}",
                kind,
                driver=self.draw(st.sampled_from(DRIVERS)),
                wakeup=(wakeup := self.draw(SWITCHES)),
                link=" ".join(STATES) if depth and not slot and self.draw(st.booleans()) else "",
                off=self.draw(st.sampled_from(("", "l1_aspm l1_1_aspm l1_2_aspm", "clkpm"))),
            )
            if kind == "060400" and depth < 3:
                self.pci(place, depth + 1)
            if kind == "020000":
                self.network(place, wakeup)
            if kind == "0c0330":
                hub = add_usb(
                    self.kernel, f"{place}/usb{number}", "1d6b:0002", ("09", "hub"), kind="09", control="on"
                )
                self.usb(hub, f"{number}", 0)

    def usb(self, above: str, port: str, depth: int) -> None:
        """Devices on a hub."""
        for index in range(1, self.draw(st.integers(1, 3)) + 1):
            name = f"{port}{'.' if depth else '-'}{index}"
            hub = depth < 2 and self.draw(st.booleans())
            kind = self.draw(st.sampled_from(("03", "08", "0e", "ff")))
            wakeup = self.draw(SWITCHES)
            place = add_usb(
                self.kernel,
                f"{above}/{name}",
                "046d:c31c",
                ("09" if hub else kind, "driver"),
                kind="09" if hub else "00",
                wakeup=wakeup,
            )
            if hub:
                self.usb(place, name, depth + 1)
                continue
            what = self.draw(st.sampled_from(("input", "network", "nothing")))
            if what == "input":
                add_input(self.kernel, f"{place}/{name}:1.0", next(self.serial), "keys")
            if wakeup == "enabled":
                self.wakers.add(place)
            if what == "network":
                self.network(place, wakeup, f"/{name}:1.0")

    def network(self, place: str, wakeup: str, inner: str = "") -> None:
        """A card, which may carry the default route."""
        routed = not self.kernel.exists("/proc/net/route") and self.draw(st.booleans())
        carrier = self.draw(st.booleans())
        add_network(
            self.kernel, f"{place}{inner}", f"eth{next(self.serial)}", carrier=carrier, default_route=routed
        )
        if wakeup or routed:
            self.wakers.add(place)


@st.composite
def trees(draw, kernel):
    """A machine and its wakers."""
    tree = Tree(kernel, draw)
    kernel.add(
        POLICY,
        draw(st.sampled_from(("[default] powersave powersupersave", "default [powersave] powersupersave"))),
    )
    fakebuses.add_device(kernel, ROOT)
    tree.pci(ROOT, 0)
    return tree


def options(kernel, action):
    """All that can be asked for."""
    module = find(action)
    if action == "pcie-aspm":
        links = tuple(kernel.names("/sys/bus/pci/devices"))
        return module.Options(links=links, states=STATES, policy="powersupersave", despite=("known-bad",))
    if action == "pci-runtime":
        return module.Options(allow=EVERYTHING, despite=passable(pci_guards.GUARDS), bridges=True)
    return module.Options(allow=EVERYTHING, despite=passable(usb_guards.GUARDS), delay=1.0)


def rests_already(kernel, waker):
    """Whether no link from the root to a waker would be changed by the deepest policy."""
    places = [waker[:end] for end in range(len(waker) + 1) if waker[end : end + 1] in {"/", ""}]
    return all(
        kernel.read(f"{place}/link/{name}") == "1\n"
        for place in places
        if place.startswith(ROOT)
        for name in kernel.names(f"{place}/link")
    )


@given(st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
def test_no_plan_reaches_the_wake_path(data):
    """Not a waker, not a bus above it, not a link on the way; and the policy only where no link on the way would change."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as directory:
        kernel = bare_machine(Path(directory) / "machine")
        tree = data.draw(trees(kernel))
        known = wake_path(kernel)
        for action in ("usb-autosuspend", "pci-runtime", "pcie-aspm"):
            for change in find(action).plan(host_of(kernel), options(kernel, action)):
                if change.kind == "file":
                    assert change.target == POLICY
                    assert all(rests_already(kernel, waker) for waker in tree.wakers)
                    continue
                place = path_of(change.target).rpartition("/")[0].rpartition("/")[0]
                assert place not in known
                assert not [waker for waker in tree.wakers if f"{waker}/".startswith(f"{place}/")]
