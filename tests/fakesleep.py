"""Sleep in the fake kernel: /sys/power with its handshake, a hardware clock with one alarm, and wake-up sources that count.

``add_sleep(kernel)`` gives a machine that can suspend and hibernate, with an RTC, a PS/2 keyboard, a power button and a network card. It
"sleeps" in no time: writing ``mem`` moves the fake clock on to whatever wakes it first: what ``wake_after`` set, or the RTC's alarm. One
that nothing would wake raises ``NeverWokenError``, which no test may see.

Manners, each by kernel/power/main.c, kernel/power/suspend.c or drivers/rtc/sysfs.c: a wrong ``wakeup_count`` is EINVAL, an event after
the handshake makes ``state`` EBUSY, a device that refuses leaves its name in ``suspend_stats``, an aborted sleep leaves an *older* name
there; ``wakealarm`` is EBUSY while set, cleared by ``0`` and by any instant that has passed, silently.

All state is below ``/.fake/sleep``.
"""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

from fakeattributes import FLAG, refuse, rule, store_bracket, word
from fakekernel import FakeKernel
from fakeplatform import PORTS, add_port
from powernap.host.ethtool import WAKE_LETTERS

NOW = 1_800_000_000
"""The fake machine's instant at the start (January 2027)."""
STATE = "/.fake/sleep"
RTC = "/sys/devices/pnp0/00:04"
KEYBOARD = "/sys/devices/platform/i8042/serio0"
BUTTON = "/sys/devices/LNXSYSTM:00/LNXPWRBN:00"
CARD = "/sys/devices/pci0000:00/0000:00:03.0"
MAC = "52:54:00:12:34:56"
PROC_SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n/dev/vda2                               partition\t{size}\t\t0\t\t-2\n"


class NeverWokenError(AssertionError):
    """The machine went to sleep and nothing would have woken it: what all of this is there to prevent."""


class SleepClock:
    """The machine's clocks; ``asleep`` is how long it slept since boot, as host/resume.py tells it."""

    def __init__(self, kernel: FakeKernel) -> None:
        self.kernel = kernel

    def wall(self) -> float:
        return float(self.kernel.get(f"{STATE}/now"))

    def boottime(self) -> float:
        return self.wall() - NOW + 1000

    def asleep(self) -> float:
        return float(self.kernel.get(f"{STATE}/asleep"))


def add_sleep(
    kernel: FakeKernel, *, zone: int = 0, mem_sleep: str = "s2idle [deep]", swap_kib: int = 8_000_000
) -> SleepClock:
    """A machine with all sleep states. ``zone``: seconds that its hardware clock runs ahead of UTC."""
    for name, value in {
        "now": str(NOW),
        "asleep": "0",
        "events": "41",
        "taken": "",
        "zone": str(zone),
        "reach": "31536000",
    }.items():
        kernel.add(f"{STATE}/{name}", value)
    power = {
        "state": "freeze mem disk", "mem_sleep": mem_sleep, "disk": "[platform] shutdown reboot suspend test_resume",
        "wakeup_count": "", "resume": "254:2", "image_size": "1600000000", "pm_wakeup_irq": "",
    }  # fmt: skip
    for name, value in power.items():
        kernel.add(f"/sys/power/{name}", value)
    for name in ("success", "fail", "failed_freeze", "failed_suspend"):
        kernel.add(f"/sys/power/suspend_stats/{name}", "0", writable=False)
    for name in ("last_failed_dev", "last_failed_step"):
        kernel.add(f"/sys/power/suspend_stats/{name}", "", writable=False)
    kernel.add("/sys/power/suspend_stats/last_failed_errno", "0", writable=False)
    kernel.add("/proc/swaps", PROC_SWAPS.format(size=swap_kib))
    kernel.add("/proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/vda1 quiet")
    kernel.add("/proc/sys/kernel/osrelease", "6.12.0-fake")
    kernel.add("/sys/kernel/security/lockdown", "[none] integrity confidentiality")
    kernel.add("/etc/machine-id", "0123456789abcdef0123456789abcdef")
    for name, value in {
        "product_name": "Fake 9000", "board_name": "F9", "product_serial": "SN123", "board_serial": "B77",
        "bios_vendor": "Fakers", "bios_version": "1.4.2",
    }.items():  # fmt: skip
        kernel.add(f"/sys/class/dmi/id/{name}", value, writable=False)
    add_rtc(kernel)
    for device, name in ((KEYBOARD, "serio0"), (BUTTON, "LNXPWRBN:00"), (CARD, "0000:00:03.0")):
        add_source(kernel, device, name)
    kernel.add(f"{KEYBOARD}/description", "i8042 KBD port", writable=False)
    add_card(kernel, "enp3s0")
    return SleepClock(kernel)


def sleeper(root: Path | str, **options: Any) -> FakeKernel:
    """A machine with nothing but what sleeping is about: made in a tenth of the time of a whole one."""
    os.makedirs(root, exist_ok=True)
    kernel = FakeKernel(root)
    add_sleep(kernel, **options)
    return kernel


def add_rtc(kernel: FakeKernel) -> None:
    for name, value in {"since_epoch": "", "wakealarm": "", "hctosys": "1", "name": "rtc_cmos 00:04"}.items():
        kernel.add(f"{RTC}/rtc/rtc0/{name}", value, writable=name == "wakealarm")
    if kernel.exists("/sys/class/rtc/rtc0"):
        kernel.delete("/sys/class/rtc/rtc0")
    kernel.link("/sys/class/rtc/rtc0", f"{RTC}/rtc/rtc0")
    kernel.link(f"{RTC}/rtc/rtc0/device", RTC)
    add_source(kernel, RTC, "00:04")


def add_source(kernel: FakeKernel, device: str, name: str) -> None:
    """A device that may wake the machine, and its counters."""
    number = len(kernel.names("/sys/class/wakeup"))
    here = f"{device}/wakeup/wakeup{number}"
    kernel.add(f"{device}/power/wakeup", "enabled")
    kernel.add(f"{device}/uevent", "")
    kernel.add(f"{here}/name", name, writable=False)
    for count in ("active_count", "event_count", "wakeup_count"):
        kernel.add(f"{here}/{count}", "3", writable=False)
    kernel.link(f"{here}/device", device)
    kernel.link(f"/sys/class/wakeup/wakeup{number}", here)


def add_card(kernel: FakeKernel, name: str) -> None:
    """The network card, with a link and the default route."""
    add_port(kernel, name, wake="pumbg", armed="g", bus="0000:00:03.0")
    kernel.add(f"{CARD}/net/{name}/address", MAC)
    kernel.add(
        "/proc/net/route",
        f"Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n{name}\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\n",
    )


# --- what tests do to it


def event(kernel: FakeKernel, source: str) -> None:
    """A wake-up event: somebody presses a key."""
    kernel.put(f"{STATE}/events", str(int(kernel.get(f"{STATE}/events")) + 1))
    for number in kernel.names("/sys/class/wakeup"):
        place = kernel.real(f"/sys/class/wakeup/{number}")
        if kernel.get(f"{place}/name") == source:
            for count in ("active_count", "event_count", "wakeup_count"):
                kernel.put(f"{place}/{count}", str(int(kernel.get(f"{place}/{count}")) + 1))


def wake_after(kernel: FakeKernel, seconds: float, source: str = "") -> None:
    """The next sleep is ended by this source (``""``: one that the kernel does not know) after that long."""
    kernel.add(f"{STATE}/waker", f"{seconds} {source}")


def wake_at_entry(kernel: FakeKernel, source: str) -> None:
    """The next sleep is aborted by an event of this source."""
    kernel.add(f"{STATE}/abort", source)


def refuse_sleep(kernel: FakeKernel, device: str, code: int = errno.EIO) -> None:
    """A driver fails to suspend its device."""
    kernel.add(f"{STATE}/refuse", f"{code} {device}")


def disarm(kernel: FakeKernel, name: str = "enp3s0") -> None:
    """Another tool takes the wake flags away, as TLP does at boot."""
    state = json.loads(kernel.get(f"{PORTS}/{name}"))
    state["wake"]["armed"] = 0
    kernel.put(f"{PORTS}/{name}", json.dumps(state))


def armed(kernel: FakeKernel, name: str = "enp3s0") -> str:
    """The card's wake flags."""
    mask = json.loads(kernel.get(f"{PORTS}/{name}"))["wake"]["armed"]
    return "".join(letter for bit, letter in enumerate(WAKE_LETTERS) if mask >> bit & 1)


# --- the attributes


def _failed(kernel: FakeKernel, code: int, device: str = "") -> None:
    stats = "/sys/power/suspend_stats"
    for name in ("fail", *(["failed_suspend"] if device else [])):
        kernel.put(f"{stats}/{name}", str(int(kernel.get(f"{stats}/{name}")) + 1))
    kernel.put(f"{stats}/last_failed_errno", str(-code))
    if device:
        kernel.put(f"{stats}/last_failed_dev", device)
        kernel.put(f"{stats}/last_failed_step", "suspend")
    refuse(code, "/sys/power/state")


def store_state(kernel: FakeKernel, path: str, text: str) -> None:
    asked = text.strip()
    if asked not in kernel.get(path).split():
        refuse(errno.EINVAL, path)
    if asked == "disk" and "[none]" not in kernel.get("/sys/kernel/security/lockdown"):
        refuse(errno.EPERM, path)
    if refused := kernel.get(f"{STATE}/refuse", ""):
        code, device = refused.split(" ", 1)
        _failed(kernel, int(code), device)
    if abort := kernel.get(f"{STATE}/abort", ""):
        event(kernel, abort)
    taken = kernel.get(f"{STATE}/taken")
    kernel.put(f"{STATE}/taken", "")
    if taken and taken != kernel.get(f"{STATE}/events"):
        _failed(kernel, errno.EBUSY)
    _sleep(kernel)


def _sleep(kernel: FakeKernel) -> None:
    """Until the first that wakes it."""
    now = float(kernel.get(f"{STATE}/now"))
    alarm = kernel.get(f"{RTC}/rtc/rtc0/wakealarm", "")
    wakers: list[tuple[float, str]] = []
    if alarm and kernel.get(f"{RTC}/power/wakeup") == "enabled":
        wakers.append((int(alarm) - int(kernel.get(f"{STATE}/zone")), "00:04"))
    if waker := kernel.get(f"{STATE}/waker", ""):
        seconds, _, source = waker.partition(" ")
        wakers.append((now + float(seconds), source))
    if not wakers:
        raise NeverWokenError
    at, source = min(wakers)
    kernel.put(f"{STATE}/now", str(max(now, at)))
    kernel.put(f"{STATE}/asleep", str(float(kernel.get(f"{STATE}/asleep")) + max(0.0, at - now)))
    stats = "/sys/power/suspend_stats/success"
    kernel.put(stats, str(int(kernel.get(stats)) + 1))
    if source == "00:04":
        kernel.put(f"{RTC}/rtc/rtc0/wakealarm", "")
    event(kernel, source)


def show_count(kernel: FakeKernel, _path: str) -> str:
    return kernel.get(f"{STATE}/events") + "\n"


def store_count(kernel: FakeKernel, path: str, text: str) -> None:
    if text.strip() != kernel.get(f"{STATE}/events"):
        refuse(errno.EINVAL, path)
    kernel.put(f"{STATE}/taken", text.strip())


def _rtc_now(kernel: FakeKernel) -> int:
    return int(float(kernel.get(f"{STATE}/now"))) + int(kernel.get(f"{STATE}/zone"))


def show_epoch(kernel: FakeKernel, _path: str) -> str:
    return f"{_rtc_now(kernel)}\n"


def store_alarm(kernel: FakeKernel, path: str, text: str) -> None:
    try:
        at = int(text.strip())
    except ValueError:
        refuse(errno.EINVAL, path)
    if at <= _rtc_now(kernel):
        kernel.put(path, "")
        return
    if kernel.get(path):
        refuse(errno.EBUSY, path)
    if at - _rtc_now(kernel) > int(kernel.get(f"{STATE}/reach")):
        refuse(errno.EINVAL, path)
    coarse = kernel.get(f"{STATE}/coarse", "")
    kernel.put(path, str(at - at % 60) if coarse else str(at))


def show_irq(kernel: FakeKernel, path: str) -> str:
    """No data where no interrupt ended a sleep."""
    if not kernel.get(path):
        raise OSError(errno.ENODATA, os.strerror(errno.ENODATA), path)
    return kernel.get(path) + "\n"


rule("/sys/power/state", store=store_state)
rule("/sys/power/mem_sleep", store=store_bracket)
rule("/sys/power/disk", store=store_bracket)
rule("/sys/power/wakeup_count", show_count, store_count)
rule("/sys/power/pm_wakeup_irq", show_irq)
rule(f"{RTC}/rtc/rtc0/since_epoch", show_epoch)
rule(f"{RTC}/rtc/rtc0/wakealarm", store=store_alarm)
for _device in (RTC, KEYBOARD, BUTTON, CARD):
    rule(f"{_device}/power/wakeup", store=word("enabled", "disabled"))
rule("/sys/power/pm_async", store=FLAG)
