"""Other tools that set the same knobs: which of them run here, what they own, and what to do about it.

Looks at process names, pid files, unit cgroups and enabled unit links, and starts no program. Owns the list of tools; what follows
from a conflict is each action's answer: with a tool that *rewrites* its knobs while we nap there is no living together, one that
sets them once is safe beside us, because a value that somebody else changed is left alone when we restore.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from powernap.core.value import dataclass
from powernap.host import roll
from powernap.host.cpusets import mounted
from powernap.host.files import matching, text

if TYPE_CHECKING:
    from powernap.host.files import Files


@dataclass(frozen=True)
class Tool:
    """:param processes: names in /proc/PID/comm (15 characters at most);
    :param unit: its systemd unit; :param marks: files that are there only while it is in effect;
    :param owns: the actions whose knobs it sets ("interrupts" is the part of cpu-park that packs them);
    :param rewrites: it writes again by itself, within seconds or at each load change; :param advice: what an admin can do.
    """

    name: str
    processes: tuple[str, ...]
    unit: str
    owns: tuple[str, ...]
    advice: str
    rewrites: bool = False
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Conflict:
    """A tool that is in effect, and how we know ("pid 812", "enabled at boot")."""

    tool: Tool
    evidence: str

    def __str__(self) -> str:
        return f"{self.tool.name} ({self.evidence})"


TOOLS = (
    Tool(
        "TuneD", ("tuned",), "tuned.service", ("cpu-clock", "kernel-quiet", "disk-spindown", "sata-link"),
        "its profile sets these once, so both can run; after a profile change during a nap TuneD's values stay", marks=("/run/tuned/tuned.pid",),
    ),
    Tool(
        "power-profiles-daemon", ("power-profiles-",), "power-profiles-daemon.service", ("cpu-clock", "platform-profile"),
        "it sets these when the profile is changed, so both can run; a change during a nap stays",
    ),
    Tool("tuned-ppd", ("tuned-ppd",), "tuned-ppd.service", ("cpu-clock", "platform-profile"), "it passes profile changes on to TuneD, so both can run"),
    Tool(
        "TLP", (), "tlp.service",
        ("cpu-clock", "kernel-quiet", "disk-spindown", "sata-link", "usb-autosuspend", "pci-runtime", "pcie-aspm", "audio", "wake-on-lan"),
        "it sets these at boot and when the power source changes; it also disarms Wake-on-LAN unless WOL_DISABLE=N is set in /etc/tlp.conf",
        marks=("/run/tlp/last_pwr",),
    ),
    Tool(
        "auto-cpufreq", ("auto-cpufreq",), "auto-cpufreq.service", ("cpu-clock",),
        'it rewrites the governor every few seconds: list "auto-cpufreq.service" in `stop` of the action units before this one, or leave cpu-clock out',
        rewrites=True,
    ),
    Tool(
        "cpufreqd", ("cpufreqd",), "cpufreqd.service", ("cpu-clock",),
        'it rewrites the governor by load: list "cpufreqd.service" in `stop` of the action units before this one, or leave cpu-clock out',
        rewrites=True,
    ),
    Tool(
        "thermald", ("thermald",), "thermald.service", ("cpu-clock",),
        "it lowers frequencies when the machine is hot, which an idle one is not, so both can run",
    ),
    Tool(
        "irqbalance", ("irqbalance",), "irqbalance.service", ("interrupts",),
        'it moves interrupts back within 10 s: list "irqbalance.service" in `stop` of the action units before this one',
        rewrites=True,
    ),
    Tool(
        "laptop-mode", ("lmt-poll",), "laptop-mode.service", ("cpu-clock", "kernel-quiet", "disk-spindown", "sata-link", "usb-autosuspend"),
        "it sets constants when the power source changes and restores none: remove laptop-mode-tools from a server",
        marks=("/run/laptop-mode-tools/enabled",),
    ),
    Tool("ksmtuned", ("ksmtuned",), "ksmtuned.service", ("ksm",), 'it starts KSM again within a minute: list "ksmtuned.service" in `stop`', rewrites=True),
    Tool("numad", ("numad",), "numad.service", ("cpu-park",), "it binds processes to processors of its choice: stop it", rewrites=True),
    Tool("powertop", (), "powertop.service", ("usb-autosuspend", "pci-runtime", "sata-link", "kernel-quiet", "audio", "wake-on-lan"), "it sets these once at boot, so both can run; it also disarms Wake-on-LAN"),
    Tool("hd-idle", ("hd-idle",), "hd-idle.service", ("disk-spindown",), "it spins disks down by itself: let one of the two do it"),
)  # fmt: skip


def conflicts(files: Files) -> tuple[Conflict, ...]:
    """The tools in effect on this machine, in the order of the list. It takes one pass through all processes (host/roll.py)."""
    running = processes(files)
    mount = mounted(files)
    found = ((tool, evidence(files, tool, running, mount)) for tool in TOOLS)
    return tuple(Conflict(tool, how) for tool, how in found if how)


def owners(files: Files, action: str) -> tuple[Conflict, ...]:
    """The tools in effect that set the same knobs as ``action``."""
    return tuple(conflict for conflict in conflicts(files) if action in conflict.tool.owns)


def advice(files: Files, action: str) -> list[str]:
    """What to do about each of them."""
    return [f"{owner}: {owner.tool.advice}" for owner in owners(files, action)]


def evidence(files: Files, tool: Tool, running: dict[str, int], mount: str) -> str:
    """How we know that a tool is in effect; empty when it is not. What is surest comes first."""
    for name in tool.processes:
        if name in running:
            return f"pid {running[name]}"
    for mark in tool.marks:
        if not mark.endswith(".pid") and files.exists(mark):
            return mark
        if (pid := text(files, mark)) and files.exists(f"/proc/{pid}"):
            return f"pid {pid}"
    if mount and files.exists(f"{mount}/system.slice/{tool.unit}"):
        return f"{tool.unit} runs"
    if not tool.processes and matching(files, f"/etc/systemd/system/*.wants/{tool.unit}"):
        return f"{tool.unit} is enabled"
    return ""


def processes(files: Files) -> dict[str, int]:
    """The lowest pid of each process name."""
    return {os.fsdecode(name): min(pids) for name, pids in roll.call(files).items()}
