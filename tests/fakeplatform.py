"""Fake graphics, network ports, idle states, consoles and platform profiles for the fake kernel.

Owns the ``add_*`` functions by which a machine is given them, and what their attributes do (research/powersave-knobs.md sections 3.4 to 3.6).
SMT and its traps are fakeattributes.py's. Settings of network ports are kept below ``/.fake/ethtool``, those of NVIDIA cards below
``/.fake/nvidia``: so they outlive the process that uses them.
"""

from __future__ import annotations

import errno
import json
import re
import struct
from typing import TYPE_CHECKING, Any

from fakeattributes import CPU, FLAG, RULES, read_only, refuse, rule, word
from powernap.host import netlink
from powernap.host.ethtool import (
    AUTONEG,
    DEVICE,
    DUPLEX,
    EEE_ENABLED,
    EEE_GET,
    EEE_LPI,
    EEE_OURS,
    EEE_SET,
    EEE_TIMER,
    HEADER,
    LINKMODES_GET,
    MASK,
    NESTED,
    OURS,
    PEER,
    SIZE,
    SPEED,
    VALUE,
    WAKE_LETTERS,
    WOL_GET,
    WOL_MODES,
    WOL_SET,
)

if TYPE_CHECKING:
    from fakekernel import FakeKernel

PORTS = "/.fake/ethtool"
GIGABIT = 0x60EF
"""What a copper gigabit port can: 10, 100 and 1000BASE-T, autonegotiation, twisted pair, both kinds of pause."""

# --- network ports


def add_port(
    kernel: FakeKernel,
    name: str,
    *,
    wake: str = "",
    armed: str = "",
    modes: int = GIGABIT,
    peer: int = GIGABIT,
    speed: int = 1000,
    eee: tuple[int, int] | None = None,
    carrier: str = "1",
    bus: str = "0000:00:19.0",
) -> None:
    """A card below its PCI device. :param eee: supported and advertised masks, on a port that can; it is switched off at first."""
    device = f"/sys/devices/pci0000:00/{bus}"
    for path, value in {
        f"{device}/uevent": f"DRIVER=e1000e\nPCI_SLOT_NAME={bus}",
        f"{device}/vendor": "0x8086",
        f"{device}/class": "0x020000",
        f"{device}/net/{name}/uevent": f"INTERFACE={name}",
        f"{device}/net/{name}/carrier": carrier,
        f"{device}/net/{name}/flags": "0x1003",
        f"{device}/net/{name}/operstate": "up" if carrier == "1" else "down",
        f"{device}/net/{name}/type": "1",
    }.items():
        kernel.add(path, value, writable=False)
    if wake:
        kernel.add(f"{device}/power/wakeup", "enabled" if armed else "disabled")
    kernel.link(f"{device}/net/{name}/device", device)
    kernel.link(f"/sys/class/net/{name}", f"{device}/net/{name}")
    state: dict[str, Any] = {
        "modes": {"auto": 1, "ours": modes, "can": modes, "peer": peer, "speed": speed, "duplex": 1}
    }
    if wake:
        state["wake"] = {"can": _mask(wake), "armed": _mask(armed)}
    if eee:
        state["eee"] = {"on": 0, "lpi": 0, "timer": 17, "can": eee[0], "ours": eee[1]}
    kernel.add(f"{PORTS}/{name}", json.dumps(state))


def ethtool(kernel: FakeKernel, command: int, attributes: bytes) -> list[bytes]:
    """The ethtool family's answers. ENODEV without such a port, EOPNOTSUPP where it cannot, EINVAL beyond what it supports."""
    asked = netlink.attributes(attributes)
    name = bytes(netlink.attributes(asked[HEADER])[DEVICE]).rstrip(b"\0").decode()
    place = f"{PORTS}/{name}"
    if not kernel.exists(f"/sys/class/net/{name}"):
        refuse(errno.ENODEV, name)
    state = json.loads(kernel.get(place, "{}"))
    part = {WOL_GET: "wake", WOL_SET: "wake", EEE_GET: "eee", EEE_SET: "eee"}.get(command, "modes")
    if part not in state:
        refuse(errno.EOPNOTSUPP, name)
    if command in {WOL_GET, EEE_GET, LINKMODES_GET}:
        return [ANSWERS[part](state[part])]
    kernel.around("before", place)
    kernel._refusals(place)
    SETTERS[part](state[part], asked, name)
    kernel.put(place, json.dumps(state))
    kernel.around("after", place)
    return []


def _mask(letters: str) -> int:
    return sum(1 << WAKE_LETTERS.index(letter) for letter in letters)


def bitset(kind: int, value: int, mask: int) -> bytes:
    """A compact one of 128 bits, as the kernel answers it."""
    words = [
        struct.pack("<4I", *(each >> 32 * place & 0xFFFFFFFF for place in range(4))) for each in (value, mask)
    ]
    inside = netlink.attribute(SIZE, struct.pack("=I", 128)) + netlink.attribute(VALUE, words[0])
    return netlink.attribute(kind | NESTED, inside + netlink.attribute(MASK, words[1]))


def _bits(asked: dict[int, memoryview], kind: int, allowed: int, name: str) -> int:
    found = int.from_bytes(netlink.attributes(asked[kind])[VALUE], "little")
    if found & ~allowed:
        refuse(errno.EINVAL, name)
    return found


def _byte(asked: dict[int, memoryview], kind: int) -> int:
    return int(asked[kind][0])


def _show_wake(port: dict[str, int]) -> bytes:
    return bitset(WOL_MODES, port["armed"], port["can"])


def _set_wake(port: dict[str, int], asked: dict[int, memoryview], name: str) -> None:
    port["armed"] = _bits(asked, WOL_MODES, port["can"], name)


def _show_modes(port: dict[str, int]) -> bytes:
    return (
        netlink.attribute(AUTONEG, bytes([port["auto"]]))
        + bitset(OURS, port["ours"], port["can"])
        + (bitset(PEER, port["peer"], 0) if port["peer"] else b"")
        + netlink.attribute(SPEED, struct.pack("=I", port["speed"]))
        + netlink.attribute(DUPLEX, bytes([port["duplex"]]))
    )


SPEEDS = {0: 10, 1: 10, 2: 100, 3: 100, 4: 1000, 5: 1000, 12: 10000, 47: 2500, 48: 5000}


def _set_modes(port: dict[str, int], asked: dict[int, memoryview], name: str) -> None:
    """With autonegotiation the best mode that both ends offer; without, what is asked for."""
    ours, auto = _bits(asked, OURS, port["can"], name), _byte(asked, AUTONEG)
    if not auto and SPEED not in asked:
        refuse(errno.EINVAL, name)
    common = [speed for bit, speed in SPEEDS.items() if (ours & port["peer"]) >> bit & 1]
    speed = max(common, default=0) if auto else struct.unpack("=I", asked[SPEED])[0]
    port |= {"ours": ours, "auto": auto, "speed": speed, "duplex": 1 if auto else _byte(asked, DUPLEX)}


def _show_eee(port: dict[str, int]) -> bytes:
    return (
        bitset(EEE_OURS, port["ours"], port["can"])
        + netlink.attribute(EEE_ENABLED, bytes([port["on"]]))
        + netlink.attribute(EEE_LPI, bytes([port["lpi"]]))
        + netlink.attribute(EEE_TIMER, struct.pack("=I", port["timer"]))
    )


def _set_eee(port: dict[str, int], asked: dict[int, memoryview], name: str) -> None:
    port |= {
        "ours": _bits(asked, EEE_OURS, port["can"], name),
        "on": _byte(asked, EEE_ENABLED),
        "lpi": _byte(asked, EEE_LPI),
        "timer": struct.unpack("=I", asked[EEE_TIMER])[0],
    }


ANSWERS = {"wake": _show_wake, "modes": _show_modes, "eee": _show_eee}
SETTERS = {"wake": _set_wake, "modes": _set_modes, "eee": _set_eee}

# --- idle states


def add_c1_demotion(kernel: FakeKernel, value: str = "1") -> None:
    """The switch of Sapphire Rapids and later (drivers/idle/intel_idle.c)."""
    kernel.add(f"{CPU}/cpuidle/intel_c1_demotion", value)


rule(f"{CPU}/cpuidle/intel_c1_demotion", store=FLAG)
RULES.insert(0, RULES.pop())  # before the one that says that everything there is read-only

# --- the console

BLANK = "/sys/module/kernel/parameters/consoleblank"


def add_console(kernel: FakeKernel, seconds: str = "0") -> None:
    """A virtual terminal, and the interval after which it goes dark."""
    kernel.add(BLANK, seconds, writable=False)
    kernel.add("/dev/tty0", "")
    kernel.add("/sys/class/tty/tty0/active", "tty1", writable=False)
    kernel.add("/sys/class/vtconsole/vtcon0/name", "(M) frame buffer device", writable=False)


def store_terminal(kernel: FakeKernel, path: str, text: str) -> None:
    """``ESC [ 9 ; minutes ]`` sets the interval, an hour at most; anything else is only text (drivers/tty/vt/vt.c, setterm_command)."""
    if not text:
        refuse(errno.EINVAL, path)
    for minutes in re.findall("\x1b\\[9;(\\d+)]", text):
        kernel.put(BLANK, str(min(int(minutes), 60) * 60))


rule("/dev/tty0", lambda *_: "", store_terminal)
rule(BLANK, store=read_only)

# --- platform profile

PROFILE = "/sys/firmware/acpi/platform_profile"


def add_profile(
    kernel: FakeKernel, now: str = "balanced", choices: str = "low-power balanced performance"
) -> None:
    """The firmware's own idea of saving (Documentation/ABI/testing/sysfs-platform_profile)."""
    kernel.add(PROFILE, now)
    kernel.add(f"{PROFILE}_choices", choices, writable=False)


def store_profile(kernel: FakeKernel, path: str, text: str) -> None:
    """One of the choices; ``custom`` is shown when several drivers disagree, and is never taken (drivers/acpi/platform_profile.c)."""
    word(*(each for each in kernel.get(f"{PROFILE}_choices").split() if each != "custom"))(kernel, path, text)


rule(PROFILE, store=store_profile)
rule(f"{PROFILE}_choices", store=read_only)

# --- graphics


def add_gpu(
    kernel: FakeKernel, driver: str, *, number: int = 0, status: str = "active", outputs: tuple[str, ...] = ()
) -> str:
    """A card of ``amdgpu``, ``i915``, ``xe`` or ``nvidia``, at 0000:03:0N.0; its PCI directory. :param outputs: names of connected displays."""
    bus, vendor = f"0000:03:0{number}.0", {"amdgpu": "0x1002", "nvidia": "0x10de"}.get(driver, "0x8086")
    device, card = f"/sys/devices/pci0000:00/{bus}", f"/sys/devices/pci0000:00/{bus}/drm/card{number}"
    kernel.add(f"{device}/uevent", f"DRIVER={driver}\nPCI_SLOT_NAME={bus}", writable=False)
    for name, value in {"vendor": vendor, "class": "0x030000", "boot_vga": "0"}.items():
        kernel.add(f"{device}/{name}", value, writable=False)
    kernel.add(f"{device}/power/control", "auto" if status == "suspended" else "on")
    if status == "suspended":
        kernel.add(f"/.fake{device}/idle", "1")  # seconds; what fakebuses.py shows the status by
    kernel.add(f"{device}/power/runtime_status", status, writable=False)
    kernel.add(f"{card}/uevent", f"MAJOR=226\nMINOR={number}", writable=False)
    kernel.add(f"/sys/bus/pci/drivers/{driver}/.there", "")
    kernel.link(f"{device}/driver", f"/sys/bus/pci/drivers/{driver}")
    kernel.link(f"/sys/bus/pci/devices/{bus}", device)
    kernel.link(f"{card}/device", device)
    kernel.link(f"/sys/class/drm/card{number}", card)
    for output in outputs:
        kernel.add(f"{card}/card{number}-{output}/status", "connected", writable=False)
        kernel.link(f"/sys/class/drm/card{number}-{output}", f"{card}/card{number}-{output}")
    if driver == "amdgpu":
        kernel.add(f"{device}/power_dpm_force_performance_level", "auto")
    if driver == "i915":
        for name, value in {
            "min": "350",
            "max": "1300",
            "boost": "1300",
            "RPn": "350",
            "RP0": "1300",
        }.items():
            kernel.add(f"{card}/gt_{name}_freq_mhz", value, writable=name not in {"RPn", "RP0"})
    if driver == "xe":
        for name, value in {"min": "800", "max": "2400", "rpn": "300", "rp0": "2400"}.items():
            kernel.add(f"{device}/tile0/gt0/freq0/{name}_freq", value, writable=name in {"min", "max"})
    return device


def store_gt(kernel: FakeKernel, path: str, text: str) -> None:
    """Within the hardware's range, and a minimum never above the maximum: else EINVAL (i915_sysfs, intel_rps.c; xe_guc_pc.c)."""
    low, high = ("rpn", "rp0") if "/freq0/" in path else ("RPn", "RP0")
    which = "min" if "min_freq" in path else "max"
    other = int(kernel.get(path.replace(which, {"min": "max", "max": "min"}[which])))
    least, most = (int(kernel.get(path.replace(which, each))) for each in (low, high))
    if not text.strip().isdecimal() or not least <= int(text) <= most:
        refuse(errno.EINVAL, path)
    if int(text) > other if which == "min" else int(text) < other:
        refuse(errno.EINVAL, path)
    kernel.put(path, str(int(text)))


rule("/sys/devices/pci*/*/drm/card*/gt_m*_freq_mhz", store=store_gt)
rule("/sys/devices/pci*/*/tile*/gt*/freq*/m*_freq", store=store_gt)
rule(
    "/sys/devices/pci*/*/power_dpm_force_performance_level",
    store=word(
        "auto",
        "low",
        "high",
        "manual",
        "profile_standard",
        "profile_min_sclk",
        "profile_min_mclk",
        "profile_peak",
    ),
)


# --- NVIDIA's library

NVIDIA = "/.fake/nvidia"


def add_nvidia(kernel: FakeKernel, *, number: int = 0, persistence: str = "0", status: str = "active") -> str:
    """A card and its persistence mode; its PCI address."""
    address = add_gpu(kernel, "nvidia", number=number, status=status).rpartition("/")[2]
    kernel.add(
        f"/proc/driver/nvidia/gpus/{address}/information", "Model: \t NVIDIA A40\nBus Location: \t " + address
    )
    kernel.add(f"{NVIDIA}/{address}", persistence)
    return address


class NVMLError(Exception):
    """As pynvml raises it."""

    def __init__(self, value: int) -> None:
        super().__init__(
            {3: "Not Supported", 4: "Insufficient Permissions", 6: "Not Found"}.get(value, "Unknown Error")
        )
        self.value = value


class Nvml:
    """What pynvml offers, as far as it is used. Asking wakes a suspended card: ``woken`` counts it."""

    NVMLError = NVMLError

    def __init__(self, kernel: FakeKernel) -> None:
        self.kernel, self.users, self.woken = kernel, 0, 0

    def nvmlInit(self) -> None:
        """One more user."""
        self.users += 1
        self.woken += any(
            self.kernel.get(f"/sys/bus/pci/devices/{each}/power/runtime_status", "") == "suspended"
            for each in self.kernel.names(NVIDIA)
        )

    def nvmlShutdown(self) -> None:
        """One less."""
        self.users -= 1

    def nvmlDeviceGetHandleByPciBusId(self, address: bytes) -> str:
        """6 for a card that is not there."""
        if not self.kernel.exists(f"{NVIDIA}/{address.decode()}"):
            raise NVMLError(6)
        return f"{NVIDIA}/{address.decode()}"

    def nvmlDeviceGetPersistenceMode(self, handle: str) -> int:
        """0 or 1; 3 where the card has none."""
        if self.kernel.get(handle) == "none":
            raise NVMLError(3)
        return int(self.kernel.get(handle))

    def nvmlDeviceSetPersistenceMode(self, handle: str, mode: int) -> None:
        """4 without the right."""
        self.kernel.around("before", handle)
        if self.kernel.exists("/.fake/read_only"):
            raise NVMLError(4)
        self.kernel.put(handle, str(mode))
        self.kernel.around("after", handle)


# --- for tests that try every action


def _equip_idle(kernel: FakeKernel) -> None:
    for cpu in range(4):
        kernel.add(f"{CPU}/cpu{cpu}/cpuidle/state2/disable", "1")
    kernel.add(f"{CPU}/cpu1/power/pm_qos_resume_latency_us", "n/a")
    kernel.add(f"{CPU}/cpuidle/available_governors", "ladder menu teo haltpoll ")
    kernel.add(f"{CPU}/cpuidle/current_governor", "ladder")
    add_c1_demotion(kernel)


def _equip_ports(kernel: FakeKernel) -> None:
    add_port(kernel, "eth0", wake="pumbg", armed="g", bus="0000:00:19.0")
    add_port(kernel, "eth1", bus="0000:00:1a.0", eee=(0x28, 0x28))
    add_port(
        kernel,
        "eth2",
        bus="0000:00:1b.0",
        modes=GIGABIT | 0x1800000000000,
        peer=GIGABIT | 0x800000000000,
        speed=2500,
        eee=(0x28, 0),
    )
    kernel.add(
        "/proc/net/route",
        "Iface Destination Gateway Flags RefCnt Use Metric Mask\neth0 00000000 0100A8C0 0003 0 0 0 00000000 0 0 0",
    )


def _equip_gpus(kernel: FakeKernel) -> None:
    add_gpu(kernel, "amdgpu", number=0)
    add_gpu(kernel, "i915", number=1)
    add_gpu(kernel, "xe", number=2)
    add_nvidia(kernel, number=3)


EQUIP = {
    "cpu-idle": _equip_idle,
    "nic-downshift": _equip_ports,
    "nic-eee": _equip_ports,
    "gpu": _equip_gpus,
    "console-blank": lambda kernel: add_console(kernel, "420"),
    "platform-profile": add_profile,
}
OPTIONS: dict[str, dict[str, Any]] = {"cpu-idle": {"enable": ("all",), "limits": True}}
