"""What can be changed and put back: the kinds of knob, and one change of one knob.

Owns how a knob of each kind is read, written and compared. The ledger owns when.
"""

from __future__ import annotations

import errno
import re
import time
from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from powernap.core.value import dataclass
from powernap.host.cpus import parse_cpulist, parse_cpumask
from powernap.host.systemctl import Systemctl, run

if TYPE_CHECKING:
    from powernap.host.files import Files


@dataclass(frozen=True, slots=True)
class Change:
    """One step of an action's plan.

    :param target: what is changed: a path for ``file`` and ``directory``, a unit name for ``unit`` and ``freeze``, a program's path for
        ``hook``.
    :param new: the value to write; ``None`` for *collateral*: a value that an other step of the plan disturbs (IRQ masks when a core
        goes away, a governor's tunables), which is remembered before and put back after.
    :param kind: ``file`` (an attribute; any text), ``directory`` (a cgroup to make: ``present``/``absent``), ``unit`` (a systemd unit:
        ``inactive`` stops it, ``active`` is put back), ``freeze`` (a unit: ``frozen``/``running``) or ``hook`` (a program called with
        ``true`` to save power and ``false`` to stop saving; ``new`` is ``true``). Of a network port, by its interface's name:
        ``link-modes``, ``eee`` and ``wake-flags`` (texts of host/port_settings.py). ``console-blank``: seconds (host/console.py);
        ``device``: a setting of one plugged-in device, which ends with it (target by host/devices.py); ``link``: the same of a PCI Express
        link, which shows what the policy has made of it and not whether it is switched off (host/aspm.py);
        ``gpu-persistence``: an NVIDIA card by its PCI address, ``on``/``off`` (host/nvml.py). Of a disk, by its device's path:
        ``ata-power`` (``standby``/``ready``) and ``sas-power`` (a power condition, or ``timers``; host/drives.py).
        ``affinity``: where a thread may run (target by host/affinity.py). ``interrupt``: where one is served, whatever its number
        (target by host/irqs.py).
    :param form: how two texts are compared: ``text``, ``number``, ``cpumask`` (hex words), ``cpulist``, ``choice`` (``[this] that``), or
        ``controller`` (one controller in a ``cgroup.subtree_control``: ``new`` is ``+cpuset``, and only that one is put back).
    :param durable: outlives a reboot (most of /sys and /proc/sys does not), so it is put back in a later boot too.
    :param optional: when it is refused, the rest of the plan still pays: it is passed over and named (kernels before 6.10 show
        interrupts that they place themselves as writable and answer EIO).
    """

    target: str
    new: str | None
    kind: str = "file"
    form: str = "text"
    durable: bool = False
    optional: bool = False


class Knobs(Protocol):
    """Reads and writes knobs. Every error is an ``OSError``; ``ENOENT`` and ``ENODEV``: the target is not there (now)."""

    def read(self, change: Change) -> str:
        """The value now, in the words that :meth:`write` takes."""
        ...

    def write(self, change: Change, value: str) -> None:
        """Set it to ``value``: ``change.new``, or what was read before."""
        ...


DEFERRED = ("/scaling_max_freq", "/scaling_min_freq")
"""Limits that the kernel takes over in a work of its own (cpufreq_notifier_max in drivers/cpufreq/cpufreq.c, since Linux 5.3): read at once
the old one may still be there, most of all while processors come back."""
DEFERRED_TRIES, DEFERRED_PAUSE = 20, 0.01

# --- comparing


def same(form: str, one: str, other: str) -> bool:
    """Whether two texts mean the same. Texts that are not of the form are compared as they are."""
    try:
        return FORMS[form](one) == FORMS[form](other)
    except ValueError:
        return one.strip() == other.strip()


def chosen(text: str) -> str:
    """The word in brackets of ``"always [madvise] never"``; a text without brackets is the word itself."""
    found = re.search(r"\[([^][]*)\]", text)
    return found[1].strip() if found else text.strip()


FORMS: dict[str, Callable[[str], object]] = {
    "text": str.strip,
    "number": int,
    "cpumask": parse_cpumask,
    "cpulist": parse_cpulist,
    "choice": chosen,
    "controller": str.strip,
}


# --- reading and writing


@dataclass(frozen=True)
class MachineKnobs:
    """The knobs of one machine.

    :param hook_limit: seconds for one call of a hook.
    :param root: where hooks are found, for machines below another root (tests).
    """

    files: Files
    systemctl: Systemctl = field(default_factory=Systemctl)
    hook_limit: float = 30.0
    root: str = ""

    def read(self, change: Change) -> str:
        """The value now, in the words that :meth:`write` takes."""
        return READ[change.kind](self, change)

    def write(self, change: Change, value: str) -> None:
        """Set it to ``value``."""
        WRITE[change.kind](self, change, value)


def _read_file(knobs: MachineKnobs, change: Change) -> str:
    text = knobs.files.read(change.target)
    if change.form == "controller":
        name = (change.new or "+").lstrip("+-")
        return ("+" if name in text.split() else "-") + name
    return chosen(text) if change.form == "choice" else text.rstrip("\n")


def _write_file(knobs: MachineKnobs, change: Change, value: str) -> None:
    # a write(2) of nothing never reaches the kernel: an empty value is a newline
    knobs.files.write(change.target, value or "\n")
    if change.target.endswith(DEFERRED):
        _await(knobs, change, value)


def _await(knobs: MachineKnobs, change: Change, value: str) -> None:
    """Until it reads as it was written. What never does, as it was clamped, its reader sees."""
    for _ in range(DEFERRED_TRIES):
        if _read_file(knobs, change) == value:
            return
        time.sleep(DEFERRED_PAUSE)


def _read_directory(knobs: MachineKnobs, change: Change) -> str:
    return "present" if knobs.files.exists(change.target) else "absent"


def _write_directory(knobs: MachineKnobs, change: Change, value: str) -> None:
    (knobs.files.make_directory if value == "present" else knobs.files.remove_directory)(change.target)


def _read_unit(knobs: MachineKnobs, change: Change) -> str:
    return knobs.systemctl.active(change.target)


def _write_unit(knobs: MachineKnobs, change: Change, value: str) -> None:
    knobs.systemctl.ask("start" if value == "active" else "stop", change.target)


def _read_freeze(knobs: MachineKnobs, change: Change) -> str:
    return knobs.systemctl.frozen(change.target)


def _write_freeze(knobs: MachineKnobs, change: Change, value: str) -> None:
    knobs.systemctl.ask("freeze" if value == "frozen" else "thaw", change.target)


def _nothing(_knobs: MachineKnobs, _change: Change) -> str:
    """A hook has no state to read; only the ledger knows how it was called last."""
    return ""


def _write_hook(knobs: MachineKnobs, change: Change, value: str) -> None:
    outcome = run([knobs.root + change.target, value], knobs.hook_limit)
    if outcome.code != 0:
        said = outcome.output.splitlines()[-1:] or ["and said nothing"]
        raise OSError(errno.EIO, f"the hook ended with {outcome.code}: {said[0]}", change.target)


def _read_port(knobs: MachineKnobs, change: Change) -> str:
    from powernap.host import port_settings  # noqa: PLC0415 - needed by few actions: 60 KiB

    return port_settings.read(knobs.files, change.kind, change.target)


def _write_port(knobs: MachineKnobs, change: Change, value: str) -> None:
    from powernap.host import port_settings  # noqa: PLC0415

    port_settings.write(knobs.files, change.kind, change.target, value)


def _read_blank(knobs: MachineKnobs, _change: Change) -> str:
    from powernap.host import console  # noqa: PLC0415

    return str(console.blank_seconds(knobs.files))


def _write_blank(knobs: MachineKnobs, _change: Change, value: str) -> None:
    from powernap.host import console  # noqa: PLC0415

    console.blank_after(knobs.files, int(value))


def _read_persistence(knobs: MachineKnobs, change: Change) -> str:
    from powernap.host import nvml  # noqa: PLC0415

    return nvml.read_persistence(knobs.files, change.target)


def _write_persistence(knobs: MachineKnobs, change: Change, value: str) -> None:
    from powernap.host import nvml  # noqa: PLC0415

    nvml.write_persistence(knobs.files, change.target, value)


def _read_device(knobs: MachineKnobs, change: Change) -> str:
    from powernap.host import devices  # noqa: PLC0415

    return devices.read(knobs, change)


def _write_device(knobs: MachineKnobs, change: Change, value: str) -> None:
    from powernap.host import devices  # noqa: PLC0415

    devices.write(knobs, change, value)


def _read_ata_power(knobs: MachineKnobs, change: Change) -> str:
    from powernap.host import drives  # noqa: PLC0415

    return drives.read_ata_power(knobs.files, change.target)


def _write_ata_power(knobs: MachineKnobs, change: Change, value: str) -> None:
    from powernap.host import drives  # noqa: PLC0415

    drives.write_ata_power(knobs.files, change.target, value)


def _write_sas_power(knobs: MachineKnobs, change: Change, value: str) -> None:
    from powernap.host import drives  # noqa: PLC0415

    drives.write_condition(knobs.files, change.target, value)


def _read_affinity(knobs: MachineKnobs, change: Change) -> str:
    from powernap.host import affinity  # noqa: PLC0415

    return affinity.read(knobs.files, change.target)


def _write_affinity(knobs: MachineKnobs, change: Change, value: str) -> None:
    from powernap.host import affinity  # noqa: PLC0415

    affinity.write(knobs.files, change.target, value)


def _read_interrupt(knobs: MachineKnobs, change: Change) -> str:
    from powernap.host import irqs  # noqa: PLC0415

    return irqs.read(knobs.files, change.target)


def _write_interrupt(knobs: MachineKnobs, change: Change, value: str) -> None:
    from powernap.host import irqs  # noqa: PLC0415

    irqs.write(knobs.files, change.target, value)


UNREADABLE = {"hook": "false", "sas-power": "timers", "link": "0"}
"""Kinds whose state cannot be read, and how they were before: only the ledger knows how they were set, so they are always put back."""
ENDS_BY_ITSELF = {"ata-power": "any access starts the disk"}
"""Kinds with nothing to put back, and why: once set, they end when the machine is used."""
AFTER = {"affinity": re.compile(r"/sys/devices/system/cpu/(cpu\d+/online|smt/control)")}
"""Kinds that are put back after all changes of these targets, whoever made them: the kernel binds no thread to a processor that is off, and
may bind it anew when one comes."""
MOVED_BY = {"affinity": re.compile(AFTER["affinity"].pattern + r"|.*/cpuset\.cpus(\.partition)?")}
"""Kinds that the kernel may set anew when one of these targets is put back, whoever's they are."""

READ: dict[str, Callable[[MachineKnobs, Change], str]] = {
    "affinity": _read_affinity,
    "interrupt": _read_interrupt,
    "ata-power": _read_ata_power,
    "sas-power": _nothing,
    "file": _read_file,
    "device": _read_device,
    "link": _nothing,
    "directory": _read_directory,
    "unit": _read_unit,
    "freeze": _read_freeze,
    "hook": _nothing,
    "link-modes": _read_port,
    "eee": _read_port,
    "wake-flags": _read_port,
    "console-blank": _read_blank,
    "gpu-persistence": _read_persistence,
}
WRITE: dict[str, Callable[[MachineKnobs, Change, str], None]] = {
    "affinity": _write_affinity,
    "interrupt": _write_interrupt,
    "ata-power": _write_ata_power,
    "sas-power": _write_sas_power,
    "file": _write_file,
    "device": _write_device,
    "link": _write_device,
    "directory": _write_directory,
    "unit": _write_unit,
    "freeze": _write_freeze,
    "hook": _write_hook,
    "link-modes": _write_port,
    "eee": _write_port,
    "wake-flags": _write_port,
    "console-blank": _write_blank,
    "gpu-persistence": _write_persistence,
}


class Pretend:
    """Knobs that remember what would be written and change nothing: for ``--dry-run``. Couplings are not pretended."""

    def __init__(self, knobs: Knobs) -> None:
        self._knobs = knobs
        self._written: dict[tuple[str, str], str] = {}

    def read(self, change: Change) -> str:
        """What would have been written, else what is there."""
        found = self._written.get((change.kind, change.target))
        return self._knobs.read(change) if found is None else found

    def write(self, change: Change, value: str) -> None:
        """Remember it."""
        self._written[change.kind, change.target] = value
