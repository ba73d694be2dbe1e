"""Idle states: which each processor has, which of them are switched off, and how often and how long it has been in each.

Owns /sys/devices/system/cpu/*cpuidle (Documentation/admin-guide/pm/cpuidle.rst). Package states stand in registers of the processor only
(MSRs), which are not read. Why a processor stays out of its deepest state is checks/idle_states.py's.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host.cpus import CPU, number
from powernap.host.files import matching, text, whole_number

if TYPE_CHECKING:
    from powernap.host.files import Files

LIMITS = re.compile(
    r"(?:^|\s)((?:processor\.max_cstate|intel_idle\.max_cstate|intel_idle\.states_off|cpuidle\.off|idle)=\S+|nohlt)"
)
"""What on the kernel's command line withholds idle states (Documentation/admin-guide/kernel-parameters.txt)."""
UNLIMITED = 2_000_000_000
"""Microseconds: what /dev/cpu_dma_latency says while nobody limits it (PM_QOS_CPU_LATENCY_DEFAULT_VALUE, include/linux/pm_qos.h)."""
GLOBAL_LIMIT = "/dev/cpu_dma_latency"


@dataclass(frozen=True)
class IdleState:
    """One state of one processor, the shallowest is number 0.

    :param latency: microseconds to leave it; :param residency: microseconds for which it must last to be worth it.
    :param disabled: somebody switched it off in sysfs; :param off_by_default: the driver did (since Linux 5.9).
    :param time: microseconds in it since the machine was started; :param usage: how often it was entered.
    """

    name: str
    latency: int
    residency: int
    disabled: bool
    off_by_default: bool
    time: int
    usage: int


@dataclass(frozen=True)
class Idling:
    """:param driver: "" where the kernel has no cpuidle, "none" where it has, and no driver; :param limits: of its command line."""

    driver: str
    governor: str
    cpus: dict[int, tuple[IdleState, ...]]
    limits: tuple[str, ...]


def idling(files: Files) -> Idling:
    """All processors that are online; one that is not has no states."""
    found = {number(path): states_of(files, path) for path in matching(files, f"{CPU}/cpu[0-9]*")}
    return Idling(
        text(files, f"{CPU}/cpuidle/current_driver"),
        text(files, f"{CPU}/cpuidle/current_governor") or text(files, f"{CPU}/cpuidle/current_governor_ro"),
        {cpu: states for cpu, states in sorted(found.items()) if states},
        tuple(LIMITS.findall(text(files, "/proc/cmdline"))),
    )


def states_of(files: Files, cpu: str) -> tuple[IdleState, ...]:
    """One processor's, shallowest first."""
    paths = sorted(matching(files, f"{cpu}/cpuidle/state[0-9]*"), key=number)
    return tuple(read_state(files, path) for path in paths)


def read_state(files: Files, path: str) -> IdleState:
    """One directory; what cannot be read is 0."""
    times = [
        max(0, whole_number(files, f"{path}/{name}")) for name in ("latency", "residency", "time", "usage")
    ]
    return IdleState(
        text(files, f"{path}/name"),
        times[0],
        times[1],
        disabled=text(files, f"{path}/disable") not in {"", "0"},
        off_by_default=text(files, f"{path}/default_status") == "disabled",
        time=times[2],
        usage=times[3],
    )


def global_limit(files: Files) -> int | None:
    """Microseconds within which every processor must be awake, :data:`UNLIMITED` without a limit.

    It is a device that asks for nothing by being opened and read (kernel/power/qos.c): four bytes in the processor's own order.

    :raises OSError: it may not be read (only root may); ``None`` where it says something else.
    """
    data = files.read(GLOBAL_LIMIT).encode(errors="surrogateescape")
    return int.from_bytes(data, sys.byteorder, signed=True) if len(data) == 4 else None


def own_limits(files: Files) -> dict[int, int]:
    """Processors with a limit of their own, in microseconds; 0 is *no* limit there, and "n/a" no idling at all (here 0 us).

    (Documentation/ABI/testing/sysfs-devices-power)
    """
    found: dict[int, int] = {}
    for path in matching(files, f"{CPU}/cpu[0-9]*/power/pm_qos_resume_latency_us"):
        said = text(files, path)
        if said == "n/a":
            found[number(path.removesuffix("/power/pm_qos_resume_latency_us"))] = 0
        elif said.isdecimal() and int(said):
            found[number(path.removesuffix("/power/pm_qos_resume_latency_us"))] = int(said)
    return found


def guest(files: Files) -> bool:
    """Whether this is a virtual machine, whose processors the host puts to sleep."""
    return " hypervisor" in text(files, "/proc/cpuinfo") or bool(text(files, "/sys/hypervisor/type"))
