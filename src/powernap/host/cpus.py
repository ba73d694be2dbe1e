"""Processors: which there are, which are siblings, and the two ways the kernel writes a set of them.

Owns the texts "0-3,5" (cpulist) and "ff,00000003" (cpumask) and the topology below /sys/devices/system/cpu. Which processors an
action may touch is host/cpu_guards.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import field
from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host.files import matching, text

if TYPE_CHECKING:
    from powernap.host.files import Files

CPU = "/sys/devices/system/cpu"
RANGE = re.compile(r"(\d+)(?:-(\d+)(?::(\d+)/(\d+))?)?")


def parse_cpulist(text: str) -> frozenset[int]:
    """Processors of ``"0-3,5"`` or ``"0-31:1/4"`` (first 1 of each group of 4); empty text and ``"(null)"`` are none.

    ``ValueError`` for anything else. (Documentation/core-api/kernel-api.rst, bitmap_parselist; sysfs writes "(null)" in
    ``nohz_full`` when nothing is set.)
    """
    cpus: set[int] = set()
    for part in filter(None, (part.strip() for part in text.replace("(null)", "").split(","))):
        match = RANGE.fullmatch(part)
        if not match:
            raise ValueError(f'"{text.strip()}" is not a list of processors such as "0-3,5"')
        first, last = int(match[1]), int(match[2] or match[1])
        used, group = int(match[3] or 1), int(match[4] or 1)
        if last < first or not 0 < used <= group:
            raise ValueError(f'"{part}" is not a range of processors such as "0-3"')
        cpus.update(cpu for cpu in range(first, last + 1) if (cpu - first) % group < used)
    return frozenset(cpus)


def format_cpulist(cpus: Iterable[int]) -> str:
    """``"0-3,5"``, as the kernel prints it; no processors are an empty text."""
    runs: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if runs and runs[-1][1] == cpu - 1:
            runs[-1][1] = cpu
        else:
            runs.append([cpu, cpu])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def parse_cpumask(text: str) -> frozenset[int]:
    """Processors of ``"ff,00000003"``: hexadecimal words of 32 bits, the highest first. ``ValueError`` for anything else."""
    value = 0
    for word in text.strip().split(","):
        if not re.fullmatch(r"[0-9a-fA-F]{1,8}", word):
            raise ValueError(f'"{text.strip()}" is not a processor mask such as "ff,00000003"')
        value = value << 32 | int(word, 16)
    return frozenset(bit for bit in range(value.bit_length()) if value >> bit & 1)


def format_cpumask(cpus: Iterable[int]) -> str:
    """``"ff,00000003"``; the kernel takes any width and prints its own, so masks are compared as sets."""
    value = sum(1 << cpu for cpu in set(cpus))
    words = [f"{value & 0xFFFFFFFF:08x}"]
    while value := value >> 32:
        words.insert(0, f"{value & 0xFFFFFFFF:08x}")
    return ",".join(words)


@dataclass(frozen=True)
class Topology:
    """The processors of one machine.

    :param online: those that run.
    :param siblings: of each, the hardware threads that share its core, itself included.
    :param nodes: the online processors of each NUMA node that has any.
    :param vendor: as /proc/cpuinfo names it ("GenuineIntel", "AuthenticAMD"); empty where it names none.
    """

    online: frozenset[int]
    siblings: dict[int, frozenset[int]] = field(default_factory=dict)
    nodes: dict[int, frozenset[int]] = field(default_factory=dict)
    vendor: str = ""


def topology(files: Files) -> Topology:
    """The machine's processors now. Offline ones have no ``topology`` directory and belong to no node."""
    online = read_cpulist(files, f"{CPU}/online")
    siblings = {
        cpu: read_cpulist(files, f"{CPU}/cpu{cpu}/topology/thread_siblings_list") or {cpu} for cpu in online
    }
    nodes = {
        number(path): read_cpulist(files, f"{path}/cpulist") & online
        for path in matching(files, "/sys/devices/system/node/node[0-9]*")
    }
    vendor = re.search(r"^vendor_id\s*:\s*(\S+)", text(files, "/proc/cpuinfo"), re.MULTILINE)
    return Topology(
        online=online,
        siblings={cpu: frozenset(same) for cpu, same in siblings.items()},
        nodes={node: cpus for node, cpus in nodes.items() if cpus} or {0: online},
        vendor=vendor[1] if vendor else "",
    )


def read_cpulist(files: Files, path: str) -> frozenset[int]:
    """The processors a file lists; none where it is missing or says something else."""
    try:
        return parse_cpulist(text(files, path))
    except ValueError:
        return frozenset()


def number(path: str) -> int:
    """The number at the end of a path: 12 of ".../cpu12"."""
    digits = re.search(r"\d+$", path)
    return int(digits[0]) if digits else -1


def wake_nodes(files: Files) -> frozenset[int]:
    """NUMA nodes with a network card that is armed to wake the machine (Documentation/ABI/testing/sysfs-devices-power)."""
    armed = [
        path
        for path in matching(files, "/sys/class/net/*/device/power/wakeup")
        if text(files, path) == "enabled"
    ]
    nodes = (text(files, path.removesuffix("power/wakeup") + "numa_node", "0") for path in armed)
    return frozenset(max(0, int(node)) for node in nodes if re.fullmatch(r"-?\d+", node))


def awake(machine: Topology, nodes: Iterable[int], count: int | None) -> frozenset[int]:
    """The processors that stay in use while the others are saved.

    The lowest one (it takes the interrupts that cannot move), and the lowest of each of ``nodes``: a card's interrupts are served
    beside its memory. With ``count`` that many instead: threads of a core that is awake anyway come first, they cost least.
    """
    first = min(machine.online)
    wanted = [first, *(min(machine.nodes[node]) for node in sorted(nodes) if node in machine.nodes)]
    if count is None:
        return frozenset(wanted)
    beside = sorted(cpu for kept in wanted for cpu in machine.siblings.get(kept, frozenset()))
    order = dict.fromkeys([*wanted, *beside, *sorted(machine.online)])
    return frozenset([cpu for cpu in order if cpu in machine.online][: max(1, count)])
