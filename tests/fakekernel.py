r"""A fake kernel for tests: a directory tree whose attributes validate, clamp, couple, re-format and fail as the real ones do.

Owns the tree, the faults and four machines. It is a ``powernap.host.files.Files``. All its state is on disk below ``root``, so it
survives the SIGKILL of the process that uses it: open another ``FakeKernel`` on the same root. What attributes do is in
fakeattributes.py. Hidden state (what a real kernel keeps in memory) is below ``/.fake``.

Use::

    kernel = laptop_like(tmp_path)          # or acpi_server, plain_vm, container
    before = kernel.snapshot()
    kernel.write("/proc/sys/kernel/nmi_watchdog", "0")
    assert kernel.changes(before) == {"/proc/sys/kernel/nmi_watchdog": ("1\n", "0\n"), ...}

Faults: ``fail(path, errno.EIO, times=1)``, ``fail_write(3, errno.ENOSPC)``, ``vanish(path)``/``reappear(path)``, ``lock(path)``
(read-only), ``around`` (a call-back before and after each write), ``read_only_mount`` (EROFS).
"""

from __future__ import annotations

import errno
import functools
import os
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fakebuses  # noqa: F401 - their attributes' rules
import fakedrives
import fakeirqs
import fakeplatform
import fakestorage  # noqa: F401
from fakeattributes import (
    CGROUP,
    CPU,
    CPUFREQ,
    RULES,
    WORKQUEUE,
    Show,
    Store,
    parse_list,
    populate,
    refuse,
    renew_governors,
    show_list,
    show_mask,
)
from powernap.host.files import TreeFiles

VOLATILE = re.compile(r"/proc/\d+(/.*)?|.*/scaling_cur_freq")


@functools.cache
def rules_for(path: str) -> tuple[Show | None, Store | None]:
    """The ``show`` and ``store`` of an attribute, either may be ``None``."""
    for pattern, show, store in RULES:
        if pattern.fullmatch(path):
            return show, store
    return None, None


class FakeKernel:
    """A machine's files with a kernel's manners."""

    def __init__(self, root: Path | str) -> None:
        self.root = str(root)
        self.tree = TreeFiles(self.root)
        self.around: Callable[[str, str], None] = lambda moment, path: None
        """Called with ``before`` or ``after`` and the path of each write, mkdir and rmdir."""
        self.writes: list[tuple[str, str]] = []
        """What was written, in order, also what was refused."""
        self.scsi = functools.partial(fakedrives.command, self)
        """The disks' nodes for commands (powernap.host.sg.door)."""
        self.ethtool = functools.partial(fakeplatform.ethtool, self)
        """The machine's network ports (powernap.host.ethtool.door)."""
        self.nvml = fakeplatform.Nvml(self)
        """NVIDIA's library (powernap.host.nvml)."""
        self._lock = threading.RLock()
        self._faults: list[list[Any]] = []
        self._nth: tuple[int, int] | None = None
        self._links: dict[str, str] = {}

    # --- Files

    def read(self, path: str) -> str:
        """The attribute as the kernel shows it."""
        path = self._find(path)
        show, _ = rules_for(path)
        if not show:
            return self.tree.read(path)
        with self._lock:
            return show(self, path)

    def write(self, path: str, text: str) -> None:
        """Through the attribute's rule; one without a rule takes any text and shows it with a newline."""
        self.around("before", path)
        self.writes.append((path, text))
        self._refusals(path)
        path = self._find(path)
        if not self.writable(path) and not path.startswith("/proc/irq/"):
            refuse(errno.EACCES, path)
        _, store = rules_for(path)
        with self._lock:
            if store:
                store(self, path, text)
            else:
                self.put(path, text.rstrip("\n"))
        self.around("after", path)

    def names(self, path: str) -> list[str]:
        """Sorted names."""
        return [name for name in self.tree.names(path) if name != ".fake"]

    def exists(self, path: str) -> bool:
        """Whether it is there."""
        return self.tree.exists(path)

    def real(self, path: str) -> str:
        """Links resolved."""
        return self.tree.real(path)

    def make_directory(self, path: str) -> None:
        """A cgroup; EPERM elsewhere, EEXIST, ENOENT without a parent."""
        self.around("before", path)
        self._refusals(path)
        if not path.startswith(CGROUP + "/"):
            refuse(errno.EPERM, path)
        os.mkdir(self.root + path)
        populate(self, path)
        self.around("after", path)

    def remove_directory(self, path: str) -> None:
        """A cgroup; EBUSY with processes or children; its files go with it."""
        self.around("before", path)
        self._refusals(path)
        if not self.is_directory(path):
            refuse(errno.ENOENT, path)
        if self.get(f"{path}/cgroup.procs", "") or any(
            self.is_directory(f"{path}/{name}") for name in self.names(path)
        ):
            refuse(errno.EBUSY, path)
        shutil.rmtree(self.root + path)
        self.around("after", path)

    # --- what tests do to it

    def add(self, path: str, text: str = "", *, writable: bool = True) -> None:
        """A new attribute (its directories too); an existing one gets this state without asking any rule."""
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        self.put(path, text)
        os.chmod(self.root + path, 0o644 if writable else 0o444)

    def lock(self, path: str) -> None:
        """Make it read-only: EACCES for root too."""
        os.chmod(self.root + path, 0o444)

    def link(self, path: str, target: str) -> None:
        """A relative symbolic link, as sysfs makes them."""
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        os.symlink(os.path.relpath(target, os.path.dirname(path)), self.root + path)

    def fail(self, path: str, code: int, times: int = 10**9) -> None:
        """The next ``times`` writes of ``path`` fail."""
        self._faults.append([path, code, times])

    def fail_write(self, nth: int, code: int) -> None:
        """The ``nth`` write from now fails (1 is the next)."""
        self._nth = (nth, code)

    def read_only_mount(self) -> None:
        """Every write is EROFS from now on, as in a container. (Modes are cleared too: a plain tree has no read-only mounts.)"""
        for directory, _, files in os.walk(self.root):
            for name in files:
                os.chmod(f"{directory}/{name}", 0o444)
        self.add("/.fake/read_only")

    def vanish(self, path: str) -> None:
        """Hot-unplug: the attribute or directory is gone (ENOENT), where there was one."""
        if self.exists(path):
            os.makedirs(os.path.dirname(f"{self.root}/.fake/gone{path}"), exist_ok=True)
            os.rename(self.root + path, f"{self.root}/.fake/gone{path}")

    def reappear(self, path: str) -> None:
        """It is plugged in again, with the state that it had."""
        if self.exists(f"/.fake/gone{path}"):
            os.rename(f"{self.root}/.fake/gone{path}", self.root + path)

    def manage_irq(self, irq: int, *, shown: bool = True) -> None:
        """A per-queue interrupt whose affinity the kernel manages: EIO to root (kernel/irq/proc.c).

        ``shown`` by its mode, 0444, since Linux 6.10; before, it is 0644 as any other.
        """
        for name in ("smp_affinity", "smp_affinity_list") if shown else ():
            self.lock(f"/proc/irq/{irq}/{name}")
        self.add(f"/.fake/proc/irq/{irq}/managed")

    def deadline_on(self, cpu: int) -> None:
        """A SCHED_DEADLINE load: this CPU cannot go offline."""
        self.add(f"/.fake/deadline/{cpu}")

    def add_task(self, pid: int, name: str, cpus: set[int] | None = None, group: str = CGROUP) -> None:
        """A process in a cgroup that may run on these CPUs."""
        self.add(f"/proc/{pid}/comm", name)
        self.add(
            f"/proc/{pid}/stat",
            f"{pid} ({name}) S 1 {pid} {pid} 0 -1 4194560 " + "0 " * 12 + "100 " + "0 " * 30,
        )
        self.add(f"/proc/{pid}/task/{pid}/comm", name)
        self.set_task_cpus(pid, cpus or self.cpus("possible"))
        if self.exists(f"{group}/cgroup.procs"):
            self.put(
                f"{group}/cgroup.procs", "\n".join([*self.get(f"{group}/cgroup.procs").split(), str(pid)])
            )

    def snapshot(self) -> dict[str, str]:
        """Every attribute as it is shown, directories as ``/``; an unreadable one as its error. Hidden state is left out."""
        found: dict[str, str] = {}
        for directory, below, files in os.walk(self.root):
            if directory == self.root and ".fake" in below:
                below.remove(".fake")
            short = directory[len(self.root) :]
            found[f"{short}/"] = ""
            for name in files:
                path = f"{short}/{name}"
                if not VOLATILE.fullmatch(path):
                    found[path] = self._shown(path)
        return found

    def changes(self, before: dict[str, str]) -> dict[str, tuple[str | None, str | None]]:
        """What differs from an earlier snapshot: path to (then, now)."""
        now = self.snapshot()
        paths = sorted(before.keys() | now.keys())
        return {
            path: (before.get(path), now.get(path)) for path in paths if before.get(path) != now.get(path)
        }

    # --- what rules use

    @property
    def width(self) -> int:
        """Bits of a mask (nr_cpu_ids)."""
        return int(self.get("/.fake/nr_cpu_ids", "4"))

    def get(self, path: str, default: str | None = None) -> str:
        """The stored state, without the newline."""
        try:
            return self.tree.read(path).rstrip("\n")
        except OSError:
            if default is None:
                raise
            return default

    def put(self, path: str, value: str) -> None:
        """Store state as an attribute shows it: at once, as in a kernel; a reader beside it, another process too, never sees half."""
        text = value + "\n" if value or path.startswith("/sys/fs/cgroup") else ""
        place = self.root + path
        new = f"{self.root}/.fake/put.{os.getpid()}.{threading.get_ident()}"
        os.makedirs(f"{self.root}/.fake", exist_ok=True)
        with open(new, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        if os.path.exists(place):
            os.chmod(new, os.stat(place).st_mode & 0o777)
        os.replace(new, place)

    def is_directory(self, path: str) -> bool:
        """A directory, and not a link to one."""
        return os.path.isdir(self.root + path) and not os.path.islink(self.root + path)

    def writable(self, path: str) -> bool:
        """By its mode (root passes modes in a plain tree, but not in sysfs)."""
        return bool(os.stat(self.root + path).st_mode & 0o200)

    def delete(self, path: str) -> None:
        """An attribute or directory goes away."""
        if self.is_directory(path):
            shutil.rmtree(self.root + path)
        elif self.exists(path):
            os.unlink(self.root + path)

    def cpus(self, which: str) -> set[int]:
        """``online``, ``present``, ``possible``."""
        return parse_list(self.get(f"{CPU}/{which}"))

    def set_online(self, online: set[int]) -> None:
        """The lists; nothing else."""
        self.put(f"{CPU}/online", show_list(online))
        self.put(f"{CPU}/offline", show_list(self.cpus("possible") - online))

    def groups(self) -> list[str]:
        """Every cgroup."""
        return [d[len(self.root) :] for d, _, files in os.walk(self.root + CGROUP) if "cgroup.procs" in files]

    def tasks(self) -> list[int]:
        """Process numbers."""
        return [int(name) for name in self.names("/proc") if name.isdecimal()]

    def task_cpus(self, pid: int) -> set[int]:
        """The CPUs that a process may run on."""
        return parse_list(self.get(f"/proc/{pid}/status").split("Cpus_allowed_list:\t")[1])

    def set_task_cpus(self, pid: int, cpus: set[int]) -> None:
        """sched_setaffinity(2)."""
        text = f"Name:\t{self.get(f'/proc/{pid}/comm')}\nPid:\t{pid}\nCpus_allowed:\t{show_mask(cpus, self.width)}\n"
        for directory in (f"/proc/{pid}", f"/proc/{pid}/task/{pid}"):
            self.add(f"{directory}/status", f"{text}Cpus_allowed_list:\t{show_list(cpus)}")

    # ---

    def _find(self, path: str) -> str:
        """The attribute itself, behind links; the errors of a missing one. (Links never move; resolving took half of all time.)"""
        path = self._links.get(path) or self._links.setdefault(path, self.real(path))
        os.stat(self.root + path)
        return path

    def _refusals(self, path: str) -> None:
        if self._nth:
            nth, code = self._nth
            self._nth = (nth - 1, code) if nth > 1 else None
            if nth == 1:
                refuse(code, path)
        for fault in self._faults:
            if fault[0] == path and fault[2] > 0:
                fault[2] -= 1
                refuse(fault[1], path)
        if self.exists("/.fake/read_only"):
            refuse(errno.EROFS, path)

    def _shown(self, path: str) -> str:
        try:
            return self.read(path)
        except OSError as error:
            return f"<{errno.errorcode[error.errno or 0]}>"


# --- machines


def laptop_like(root: Path | str) -> FakeKernel:
    """4 CPUs, 2 cores with SMT, intel_pstate active with EPP, a SATA disk; masks are 40 bits wide."""
    kernel = _machine(root, cpus=4, width=40, siblings=("0,2", "1,3"))
    for cpu in range(4):
        _policy(
            kernel, cpu, {cpu}, driver="intel_pstate", governors="performance powersave", governor="powersave"
        )
        kernel.add(f"{CPUFREQ}/policy{cpu}/energy_performance_preference", "balance_performance")
        kernel.add(
            f"{CPUFREQ}/policy{cpu}/energy_performance_available_preferences",
            "default performance balance_performance balance_power power ",
        )
        kernel.add(f"{CPU}/cpu{cpu}/power/energy_perf_bias", "6")
    for name, value in {
        "status": "active",
        "no_turbo": "0",
        "min_perf_pct": "20",
        "max_perf_pct": "100",
    }.items():
        kernel.add(f"{CPU}/intel_pstate/{name}", value)
    kernel.add(f"{CPU}/intel_pstate/hwp_dynamic_boost", "0")
    kernel.add("/.fake/min_perf_pct", "20")
    _idle_states(kernel, 4, "intel_idle")
    for name in ("package_00_die_00", "uncore00"):
        for limit, value in {"min": "800000", "max": "2400000"}.items():
            kernel.add(f"{CPU}/intel_uncore_frequency/{name}/{limit}_freq_khz", value)
            kernel.add(f"{CPU}/intel_uncore_frequency/{name}/initial_{limit}_freq_khz", value, writable=False)
    kernel.add("/sys/class/scsi_host/host0/link_power_management_policy", "max_performance")
    kernel.add("/sys/class/scsi_host/host1/link_power_management_policy", "keep_firmware_settings")
    kernel.add("/sys/class/rtc/rtc0/wakealarm", "")
    return kernel


def acpi_server(root: Path | str) -> FakeKernel:
    """4 CPUs in 2 shared policies, acpi-cpufreq with ondemand (tuned by the admin) and boost; no NMI watchdog (no PMU)."""
    kernel = _machine(root, cpus=4, width=4, siblings=("0,1", "2,3"))
    kernel.put("/proc/sys/kernel/nmi_watchdog", "0")
    kernel.lock("/proc/sys/kernel/nmi_watchdog")
    kernel.add(f"{CPUFREQ}/boost", "1")
    governors = "conservative ondemand userspace powersave performance schedutil"
    defaults = {
        "ondemand": {
            "sampling_rate": "8000",
            "up_threshold": "95",
            "powersave_bias": "0",
            "ignore_nice_load": "0",
        },
        "conservative": {
            "sampling_rate": "8000",
            "freq_step": "5",
            "down_threshold": "20",
            "up_threshold": "80",
        },
        "schedutil": {"rate_limit_us": "2000"},
    }
    for governor, tunables in defaults.items():
        for name, value in tunables.items():
            kernel.add(f"/.fake/governors/{governor}/{name}", value)
    for first in (0, 2):
        _policy(
            kernel, first, {first, first + 1}, driver="acpi-cpufreq", governors=governors, governor="ondemand"
        )
    renew_governors(kernel)
    kernel.put(f"{CPUFREQ}/ondemand/sampling_rate", "500000")
    kernel.put(f"{CPUFREQ}/ondemand/up_threshold", "80")
    _idle_states(kernel, 4, "acpi_idle")
    return kernel


def plain_vm(root: Path | str) -> FakeKernel:
    """2 CPUs without cpufreq, idle states or SMT."""
    kernel = _machine(root, cpus=2, width=2, siblings=("0", "1"))
    kernel.put(f"{CPU}/smt/control", "notsupported")
    kernel.add(f"{CPU}/cpuidle/current_driver", "none")
    kernel.add(f"{CPU}/cpuidle/current_governor", "menu")
    kernel.add(f"{CPU}/cpuidle/available_governors", "menu")
    return kernel


def container(root: Path | str) -> FakeKernel:
    """The VM seen from a container: everything is there, nothing may be written."""
    kernel = plain_vm(root)
    kernel.read_only_mount()
    return kernel


MACHINES = {"laptop_like": laptop_like, "acpi_server": acpi_server, "plain_vm": plain_vm}


def _machine(root: Path | str, *, cpus: int, width: int, siblings: tuple[str, ...]) -> FakeKernel:
    """What every machine has."""
    os.makedirs(root, exist_ok=True)
    kernel = FakeKernel(root)
    everyone = set(range(cpus))
    kernel.add("/.fake/nr_cpu_ids", str(width))
    kernel.add("/.fake/cores", "\n".join(siblings))
    for name in ("online", "present", "possible"):
        kernel.add(f"{CPU}/{name}", show_list(everyone))
    for name in ("offline", "isolated", "nohz_full"):
        kernel.add(f"{CPU}/{name}", "")
    for cpu in everyone:
        if cpu:
            kernel.add(f"{CPU}/cpu{cpu}/online", "1")
        core = next(number for number, core in enumerate(siblings) if str(cpu) in core.split(","))
        for name, value in {"core_id": str(core), "physical_package_id": "0"}.items():
            kernel.add(f"{CPU}/cpu{cpu}/topology/{name}", value, writable=False)
        for name in ("thread_siblings_list", "core_cpus_list"):
            kernel.add(f"{CPU}/cpu{cpu}/topology/{name}", "")
        kernel.add(f"{CPU}/cpu{cpu}/power/pm_qos_resume_latency_us", "0")
    kernel.add(f"{CPU}/smt/control", "on")
    kernel.add(f"{CPU}/smt/active", "")
    for name in ("cpulist", "cpumap"):
        shown = show_list(everyone) if name == "cpulist" else show_mask(everyone, width)
        kernel.add(f"/sys/devices/system/node/node0/{name}", shown, writable=False)
    kernel.add(
        "/proc/cpuinfo",
        "\n\n".join(f"processor\t: {cpu}\nvendor_id\t: GenuineIntel" for cpu in everyone),
        writable=False,
    )
    kernel.add(
        "/proc/mounts", f"sysfs /sys sysfs rw 0 0\ncgroup2 {CGROUP} cgroup2 rw,nsdelegate 0 0", writable=False
    )
    kernel.add("/proc/cmdline", "root=/dev/sda1 ro quiet", writable=False)
    kernel.add("/proc/version", "Linux version 6.12.0 #1 SMP PREEMPT_DYNAMIC", writable=False)
    kernel.add("/proc/sys/kernel/osrelease", "6.12.0", writable=False)
    _interrupts(kernel, everyone)
    _sysctls(kernel)
    _cgroups(kernel)
    return kernel


def _interrupts(kernel: FakeKernel, everyone: set[int]) -> None:
    last = max(everyone)
    masks = {0: everyone, 8: everyone, 24: {last}, 25: {0}, 26: everyone, 30: {last}, 31: {last}}
    kernel.add("/proc/irq/default_smp_affinity", show_mask(everyone, kernel.width))
    for irq, cpus in masks.items():
        kernel.add(f"/proc/irq/{irq}/smp_affinity", show_mask(cpus, kernel.width))
        for name in ("smp_affinity_list", "effective_affinity", "effective_affinity_list"):
            kernel.add(f"/proc/irq/{irq}/{name}", "")
    for irq, names in {0: "timer; IO-APIC 2", 8: "rtc0; IO-APIC 8", 24: "eth0-rx-0; PCI-MSI 1572864", 25: "eth0-tx-0; PCI-MSI 1572865",
                       26: "xhci_hcd; PCI-MSI 327680", 30: "nvme0q1; PCI-MSI 524289", 31: "nvme0q2; PCI-MSI 524290"}.items():  # fmt: skip
        fakeirqs.describe(kernel, irq, names)
    kernel.manage_irq(0)
    kernel.manage_irq(30)
    kernel.manage_irq(31, shown=False)
    for name in ("cpumask", "cpumask_requested", "cpumask_isolated", "writeback/cpumask"):
        kernel.add(f"{WORKQUEUE}/{name}", show_mask(everyone, kernel.width))


def _sysctls(kernel: FakeKernel) -> None:
    values = {
        "kernel/nmi_watchdog": "1", "kernel/soft_watchdog": "1", "kernel/watchdog": "1", "kernel/watchdog_thresh": "10",
        "kernel/hardlockup_panic": "0", "kernel/timer_migration": "1", "kernel/numa_balancing": "1",
        "vm/dirty_ratio": "20", "vm/dirty_bytes": "0", "vm/dirty_background_ratio": "10", "vm/dirty_background_bytes": "0",
        "vm/dirty_writeback_centisecs": "500", "vm/dirty_expire_centisecs": "3000", "vm/dirtytime_expire_seconds": "43200",
        "vm/stat_interval": "1", "vm/laptop_mode": "0",
    }  # fmt: skip
    for name, value in values.items():
        kernel.add(f"/proc/sys/{name}", value)
    kernel.add("/proc/sys/kernel/random/boot_id", "3f0e7c7a-0000-4000-8000-000000000001", writable=False)
    for name, value in {"run": "1", "pages_to_scan": "100", "sleep_millisecs": "20"}.items():
        kernel.add(f"/sys/kernel/mm/ksm/{name}", value)
    kernel.add("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never")
    kernel.add("/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs", "10000")
    kernel.add("/sys/module/pcie_aspm/parameters/policy", "[default] performance powersave powersupersave")


def _cgroups(kernel: FakeKernel) -> None:
    """A unified hierarchy as systemd leaves it: the cpuset controller is there and not handed down."""
    kernel.add(f"{CGROUP}/cgroup.controllers", "cpuset cpu io memory pids", writable=False)
    kernel.add(f"{CGROUP}/cgroup.subtree_control", "cpu io memory pids")
    for name in ("cgroup.procs", "cpuset.cpus.effective", "cpuset.cpus.isolated"):
        kernel.add(f"{CGROUP}/{name}", "")
    kernel.add(f"{CGROUP}/cpuset.mems.effective", "0")
    for name in ("init.scope", "system.slice", "user.slice"):
        os.mkdir(f"{kernel.root}{CGROUP}/{name}")
        populate(kernel, f"{CGROUP}/{name}")
    os.mkdir(f"{kernel.root}{CGROUP}/system.slice/cron.service")
    populate(kernel, f"{CGROUP}/system.slice/cron.service")
    kernel.add_task(1, "systemd", group=f"{CGROUP}/init.scope")
    kernel.add_task(612, "cron", group=f"{CGROUP}/system.slice/cron.service")


def _policy(
    kernel: FakeKernel, number: int, cpus: set[int], *, driver: str, governors: str, governor: str
) -> None:
    directory = f"{CPUFREQ}/policy{number}"
    values = {
        "affected_cpus": "", "related_cpus": " ".join(map(str, sorted(cpus))), "scaling_driver": driver,
        "scaling_available_governors": governors, "scaling_governor": governor, "cpuinfo_min_freq": "800000",
        "cpuinfo_max_freq": "3600000", "scaling_min_freq": "800000", "scaling_max_freq": "3600000", "scaling_cur_freq": "800000",
    }  # fmt: skip
    for name, value in values.items():
        kernel.add(f"{directory}/{name}", value)
    kernel.add(f"/.fake{directory}/base", "2400000")
    for cpu in cpus:
        kernel.link(f"{CPU}/cpu{cpu}/cpufreq", directory)


def _idle_states(kernel: FakeKernel, cpus: int, driver: str) -> None:
    for name, value in {
        "current_driver": driver,
        "current_governor": "menu",
        "available_governors": "menu teo ",
    }.items():
        kernel.add(f"{CPU}/cpuidle/{name}", value)
    for cpu in range(cpus):
        for state, (name, latency) in enumerate((("POLL", "0"), ("C1", "2"), ("C6", "133"))):
            for attribute, value in {"name": name, "latency": latency, "disable": "0"}.items():
                kernel.add(f"{CPU}/cpu{cpu}/cpuidle/state{state}/{attribute}", value)
