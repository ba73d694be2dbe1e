"""What the fake kernel's attributes do when they are read and written: validate, clamp, couple, refuse, re-format.

Owns the rules (research/powersave-knobs.md sections 3 and 4; each has a test in unit/test_fakekernel.py). The tree, faults and
presets are fakekernel.py's. The file below the fake's root holds what was *asked for*; ``show`` computes what the kernel answers, as
the real one does (a frequency limit is a request, a cpuset partition is a wish).
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from fakekernel import FakeKernel

Show = Callable[["FakeKernel", str], str]
Store = Callable[["FakeKernel", str, str], None]

CPU = "/sys/devices/system/cpu"
CPUFREQ = f"{CPU}/cpufreq"
CGROUP = "/sys/fs/cgroup"
WORKQUEUE = "/sys/devices/virtual/workqueue"
RULES: list[tuple[re.Pattern[str], Show | None, Store | None]] = []


def refuse(code: int, path: str) -> NoReturn:
    """The error that the kernel gives."""
    raise OSError(code, os.strerror(code), path)


def rule(pattern: str, show: Show | None = None, store: Store | None = None) -> None:
    """``*`` stands for one path component, or a part of one. The first rule that matches counts."""
    body = re.escape(pattern).replace(r"\*", "[^/]*")
    RULES.append((re.compile(body), show, store))


def read_only(_kernel: FakeKernel, path: str, _text: str) -> None:
    """A 0444 attribute: also root gets EACCES (kernfs checks the mode; proc_sys too)."""
    refuse(errno.EACCES, path)


# --- texts


def parse_list(text: str, path: str = "") -> set[int]:
    """``"0-2,5"``; EINVAL for anything else."""
    found: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()) or int(last or first) < int(first):
            refuse(errno.EINVAL, path)
        found |= set(range(int(first), int(last or first) + 1))
    return found


def show_list(cpus: set[int]) -> str:
    """``{0, 1, 2, 5}`` is ``"0-2,5"``."""
    parts: list[list[int]] = []
    for cpu in sorted(cpus):
        if parts and parts[-1][1] == cpu - 1:
            parts[-1][1] = cpu
        else:
            parts.append([cpu, cpu])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def parse_mask(text: str, path: str = "") -> set[int]:
    """Hex words of 32 bits, most significant first, separated by commas (lib/bitmap-str.c)."""
    words = text.strip().split(",")
    if not all(re.fullmatch(r"(0x)?[0-9a-fA-F]{1,8}", word) for word in words):
        refuse(errno.EINVAL, path)
    number = int("".join(word.removeprefix("0x").zfill(8) for word in words), 16)
    return {bit for bit in range(number.bit_length()) if number >> bit & 1}


def show_mask(cpus: set[int], width: int) -> str:
    """``%*pb`` of ``width`` bits: ``{0, 1}`` of 40 is ``"00,00000003"``."""
    number, words = sum(1 << cpu for cpu in cpus), []
    while width > 0:
        words.append(f"{number & 0xFFFFFFFF:0{(min(width, 32) + 3) // 4}x}")
        number, width = number >> 32, width - 32
    return ",".join(reversed(words))


# --- plain kinds of attribute


def number(low: int = 0, high: int = 2**63 - 1) -> Store:
    """A decimal number in a range; EINVAL otherwise; shown without leading zeros or white space."""

    def store(kernel: FakeKernel, path: str, text: str) -> None:
        if not re.fullmatch(r"[+-]?\d+", text.strip()) or not low <= int(text) <= high:
            refuse(errno.EINVAL, path)
        kernel.put(path, str(int(text)))

    return store


def word(*words: str) -> Store:
    """One of these words."""

    def store(kernel: FakeKernel, path: str, text: str) -> None:
        if text.strip() not in words:
            refuse(errno.EINVAL, path)
        kernel.put(path, text.strip())

    return store


def store_bracket(kernel: FakeKernel, path: str, text: str) -> None:
    """``always [madvise] never``: takes a word, shows all with the chosen one in brackets."""
    words = kernel.get(path).replace("[", "").replace("]", "").split()
    if text.strip() not in words:
        refuse(errno.EINVAL, path)
    kernel.put(path, " ".join(f"[{each}]" if each == text.strip() else each for each in words))


FLAG = number(0, 1)
rule("/sys/kernel/mm/transparent_hugepage/*", store=store_bracket)
rule("/sys/kernel/mm/ksm/run", store=number(0, 2))
rule("/sys/kernel/mm/ksm/*", store=number())
rule("/sys/module/pcie_aspm/parameters/policy", store=store_bracket)
for _name in ("watchdog_thresh", "numa_balancing", "timer_migration", "hardlockup_panic"):
    rule(f"/proc/sys/kernel/{_name}", store=number(0, 60 if _name == "watchdog_thresh" else 1))

# --- /proc/sys/kernel: lockup detectors


def show_watchdog(kernel: FakeKernel, _path: str) -> str:
    """On while one of the two detectors is (kernel/watchdog.c: the bits are or-ed)."""
    return (
        "1\n"
        if "1" in (kernel.get("/proc/sys/kernel/nmi_watchdog"), kernel.get("/proc/sys/kernel/soft_watchdog"))
        else "0\n"
    )


def store_watchdog(kernel: FakeKernel, path: str, text: str) -> None:
    """Sets or clears both detectors; the NMI one only where there is a PMU for it (else its file is read-only)."""
    FLAG(kernel, path, text)
    for child in ("nmi_watchdog", "soft_watchdog"):
        if kernel.writable(f"/proc/sys/kernel/{child}") or text.strip() == "0":
            kernel.put(f"/proc/sys/kernel/{child}", text.strip())


rule("/proc/sys/kernel/watchdog", show_watchdog, store_watchdog)
rule("/proc/sys/kernel/*_watchdog", store=FLAG)

# --- /proc/sys/vm: ratio and bytes zero each other


def store_exclusive(low: int, high: int, twin: str) -> Store:
    """mm/page-writeback.c: a *changed* value zeroes its twin. Bytes below the minimum (so 0 too) are EINVAL."""

    def store(kernel: FakeKernel, path: str, text: str) -> None:
        before = kernel.get(path)
        number(low, high)(kernel, path, text)
        if kernel.get(path) != before:
            kernel.put(f"/proc/sys/vm/{twin}", "0")

    return store


rule("/proc/sys/vm/dirty_ratio", store=store_exclusive(0, 100, "dirty_bytes"))
rule("/proc/sys/vm/dirty_bytes", store=store_exclusive(8192, 2**63 - 1, "dirty_ratio"))
rule("/proc/sys/vm/dirty_background_ratio", store=store_exclusive(0, 100, "dirty_background_bytes"))
rule("/proc/sys/vm/dirty_background_bytes", store=store_exclusive(1, 2**63 - 1, "dirty_background_ratio"))
rule("/proc/sys/vm/*", store=number(0, 2**31 - 1))

# --- interrupts and work queues


def store_irq(kernel: FakeKernel, path: str, text: str) -> None:
    """Managed (per-queue) interrupts are EIO; a mask without an online CPU is EINVAL (kernel/irq/proc.c)."""
    if kernel.exists("/.fake" + os.path.dirname(path) + "/managed"):
        refuse(errno.EIO, path)
    cpus = (parse_list if path.endswith("_list") else parse_mask)(text, path)
    if not cpus & kernel.cpus("online"):
        refuse(errno.EINVAL, path)
    kernel.put(path.removesuffix("_list"), show_mask(cpus, kernel.width))


def show_irq_list(kernel: FakeKernel, path: str) -> str:
    """The same mask as a list."""
    return show_list(parse_mask(kernel.get(path.removesuffix("_list")))) + "\n"


def show_effective(kernel: FakeKernel, path: str) -> str:
    """x86 delivers to one CPU of the mask: the first that is online."""
    asked = parse_mask(kernel.get(path.replace("effective", "smp").removesuffix("_list")))
    chosen = set(sorted(asked & kernel.cpus("online"))[:1])
    return (show_list(chosen) if path.endswith("_list") else show_mask(chosen, kernel.width)) + "\n"


def store_mask(kernel: FakeKernel, path: str, text: str) -> None:
    """A mask that must hold a CPU that is online; re-formatted."""
    cpus = parse_mask(text, path)
    if not cpus & kernel.cpus("online"):
        refuse(errno.EINVAL, path)
    kernel.put(path, show_mask(cpus & kernel.cpus("possible"), kernel.width))


def show_workqueue(kernel: FakeKernel, path: str) -> str:
    """The requested mask less the CPUs of isolated partitions (all of it, should nothing be left)."""
    asked = parse_mask(kernel.get(path))
    return show_mask(asked - isolated(kernel) or asked, kernel.width) + "\n"


rule("/proc/irq/default_smp_affinity", store=store_mask)
rule("/proc/irq/*/smp_affinity", store=store_irq)
rule("/proc/irq/*/smp_affinity_list", show_irq_list, store_irq)
rule("/proc/irq/*/effective_affinity*", show_effective, read_only)
rule(f"{WORKQUEUE}/cpumask", show_workqueue, store_mask)
rule(
    f"{WORKQUEUE}/cpumask_requested",
    lambda kernel, path: kernel.get(path.removesuffix("_requested")) + "\n",
    read_only,
)
rule(
    f"{WORKQUEUE}/cpumask_isolated",
    lambda kernel, _: show_mask(isolated(kernel), kernel.width) + "\n",
    read_only,
)
rule(f"{WORKQUEUE}/*/cpumask", store=store_mask)

# --- CPU hotplug and SMT


def cpu_of(path: str) -> int:
    """The number in ``.../cpu3/...``."""
    return int(re.search(r"/cpu(\d+)/", path)[1])  # type: ignore[index]


def store_online(kernel: FakeKernel, path: str, text: str) -> None:
    """EBUSY with deadline tasks, EPERM for a sibling while SMT is off (kernel/cpu.c)."""
    cpu = cpu_of(path)
    if text.strip() not in ("0", "1"):
        refuse(errno.EINVAL, path)
    online = kernel.cpus("online")
    if text.strip() == "0" and cpu in online:
        # the last of an isolated partition: too small a domain for the bandwidth that Linux 6.1 leaves booked there (dl_cpu_busy)
        booked = kernel.exists("/.fake/bandwidth_is_booked") and isolated(kernel) & online == {cpu}
        if kernel.exists(f"/.fake/deadline/{cpu}") or online == {cpu} or booked:
            refuse(errno.EBUSY, path)
        take_offline(kernel, cpu)
    elif text.strip() == "1" and cpu not in online:
        if kernel.get(f"{CPU}/smt/control", "on") in ("off", "forceoff") and cpu not in primaries(kernel):
            refuse(errno.EPERM, path)
        bring_online(kernel, cpu)


def take_offline(kernel: FakeKernel, cpu: int) -> None:
    """Also breaks masks and affinities that hold no other CPU: these do not return by themselves."""
    left = kernel.cpus("online") - {cpu}
    kernel.set_online(left)
    for name in ("topology", "cache", "power/energy_perf_bias"):
        kernel.vanish(f"{CPU}/cpu{cpu}/{name}")
    for irq in kernel.names("/proc/irq"):
        path = f"/proc/irq/{irq}/smp_affinity"
        if kernel.exists(path) and not parse_mask(kernel.get(path)) & left:
            if not kernel.exists(f"/.fake/proc/irq/{irq}/managed"):
                kernel.put(path, show_mask(left, kernel.width))
    for pid in kernel.tasks():
        if not kernel.task_cpus(pid) & left:
            kernel.set_task_cpus(pid, left)
    renew_governors(kernel)


def bring_online(kernel: FakeKernel, cpu: int) -> None:
    """Per-CPU attributes are made again; broken masks stay broken; a policy that had none is taken up anew."""
    inactive = [policy for policy in policies(kernel) if not affected(kernel, policy)]
    kernel.set_online(kernel.cpus("online") | {cpu})
    for name in ("topology", "cache", "power/energy_perf_bias"):
        kernel.reappear(f"{CPU}/cpu{cpu}/{name}")
    for policy in inactive:
        if affected(kernel, policy):
            take_up(kernel, policy)
    renew_governors(kernel)


def cores(kernel: FakeKernel) -> list[set[int]]:
    """CPUs that share a core."""
    return [parse_list(line) for line in kernel.get("/.fake/cores", "").split()]


def core_of(kernel: FakeKernel, cpu: int) -> set[int]:
    """The CPUs of its core, itself among them."""
    return next((core for core in cores(kernel) if cpu in core), {cpu})


def primaries(kernel: FakeKernel) -> set[int]:
    """The first thread of each core."""
    return {min(core) for core in cores(kernel)}


def show_siblings(kernel: FakeKernel, path: str) -> str:
    """The core's threads that are online."""
    return show_list(core_of(kernel, cpu_of(path)) & kernel.cpus("online")) + "\n"


def store_smt(kernel: FakeKernel, path: str, text: str) -> None:
    """``off`` takes every second thread; ``on`` revives *every* CPU; ``forceoff`` is final; ENODEV where there is no SMT."""
    new, old = text.strip(), kernel.get(path)
    if new not in ("on", "off", "forceoff"):
        refuse(errno.EINVAL, path)
    if old == "forceoff":
        refuse(errno.EPERM, path)
    if old.startswith("not"):
        refuse(errno.ENODEV, path)
    if new == old:
        return
    if new == "on":
        for cpu in sorted(kernel.cpus("present") - kernel.cpus("online")):
            bring_online(kernel, cpu)
    else:
        for cpu in sorted(kernel.cpus("online") - primaries(kernel)):
            if kernel.exists(f"/.fake/deadline/{cpu}"):
                refuse(
                    errno.EBUSY, path
                )  # those before it stay off, and the switch is as it was (cpuhp_smt_disable)
            take_offline(kernel, cpu)
    kernel.put(path, new)


def show_smt_active(kernel: FakeKernel, _path: str) -> str:
    """1 while a core has two threads online."""
    return "1\n" if any(len(core & kernel.cpus("online")) > 1 for core in cores(kernel)) else "0\n"


rule(
    f"{CPU}/cpu*/online",
    lambda kernel, path: f"{int(cpu_of(path) in kernel.cpus('online'))}\n",
    store_online,
)
rule(f"{CPU}/smt/control", store=store_smt)
rule(f"{CPU}/smt/active", show_smt_active, read_only)
rule(f"{CPU}/cpu*/topology/thread_siblings_list", show_siblings, read_only)
rule(f"{CPU}/cpu*/topology/core_cpus_list", show_siblings, read_only)
rule(f"{CPU}/cpu*/topology/*", store=read_only)
rule(
    "/sys/devices/system/node/node*/cpulist",
    lambda kernel, path: show_list(parse_list(kernel.get(path)) & kernel.cpus("online")) + "\n",
    read_only,
)
for _name in ("online", "offline", "present", "possible", "isolated", "nohz_full"):
    rule(f"{CPU}/{_name}", store=read_only)

# --- cpufreq


def policy_of(kernel: FakeKernel, path: str) -> str:
    """The policy's directory; EBUSY while all its CPUs are offline (drivers/cpufreq/cpufreq.c, show and store)."""
    policy = "/".join(path.split("/")[:7])
    if not affected(kernel, policy):
        refuse(errno.EBUSY, path)
    return policy


def affected(kernel: FakeKernel, policy: str) -> set[int]:
    """The policy's CPUs that are online."""
    return parse_list(kernel.get(f"{policy}/related_cpus").replace(" ", ",")) & kernel.cpus("online")


def policies(kernel: FakeKernel) -> list[str]:
    """All policies' directories."""
    return [f"{CPUFREQ}/{name}" for name in kernel.names(CPUFREQ) if name.startswith("policy")]


def show_policy_file(kernel: FakeKernel, path: str) -> str:
    """Any attribute of an active policy."""
    policy_of(kernel, path)
    return kernel.get(path) + "\n"


def ceiling(kernel: FakeKernel, policy: str) -> int:
    """cpuinfo_max_freq: lower while turbo is off."""
    off = kernel.get(f"{CPU}/intel_pstate/no_turbo", "0") == "1" or kernel.get(f"{CPUFREQ}/boost", "1") == "0"
    off = off or kernel.get(f"{policy}/boost", "1") == "0"
    return int(kernel.get(f"/.fake{policy}/base" if off else f"{policy}/cpuinfo_max_freq"))


def limits(kernel: FakeKernel, policy: str) -> tuple[int, int]:
    """The limits in force: requests clamped to the hardware's, a minimum above the maximum silently lowered."""
    low, high = int(kernel.get(f"{policy}/cpuinfo_min_freq")), ceiling(kernel, policy)
    most = max(low, min(high, int(kernel.get(f"{policy}/scaling_max_freq"))))
    return min(most, max(low, int(kernel.get(f"{policy}/scaling_min_freq")))), most


def show_limit(kernel: FakeKernel, path: str) -> str:
    """What is in force, not what was asked for."""
    least, most = limits(kernel, policy_of(kernel, path))
    return f"{least if path.endswith('min_freq') else most}\n"


def store_limit(kernel: FakeKernel, path: str, text: str) -> None:
    """Any number is accepted; what it comes to shows when it is read."""
    policy_of(kernel, path)
    number(0, 2**32 - 1)(kernel, path, text)


def store_governor(kernel: FakeKernel, path: str, text: str) -> None:
    """Selecting another governor gives that one its default tunables."""
    policy = policy_of(kernel, path)
    if text.strip() not in kernel.get(f"{policy}/scaling_available_governors").split():
        refuse(errno.EINVAL, path)
    kernel.put(path, text.strip())
    renew_governors(kernel)


def take_up(kernel: FakeKernel, policy: str) -> None:
    """Its first processor is back: since Linux 6.14 the driver's maximum is requested anew, unless the driver keeps it (intel_pstate has an
    ``online`` of its own), and the policy's boost mirrors the global one (cpufreq_policy_online).
    """
    if kernel.get(f"{policy}/scaling_driver") != "intel_pstate":
        kernel.put(f"{policy}/scaling_max_freq", kernel.get(f"{policy}/cpuinfo_max_freq"))
        if kernel.exists(f"{policy}/boost"):
            kernel.put(f"{policy}/boost", kernel.get(f"{CPUFREQ}/boost"))


def renew_governors(kernel: FakeKernel) -> None:
    """A governor's tunables exist, with defaults, from its first policy until its last; of each policy where drivers want that
    (CPUFREQ_HAVE_GOVERNOR_PER_POLICY).
    """
    apart = kernel.exists("/.fake/governor_per_policy")
    used = {
        f"{policy if apart else CPUFREQ}/{kernel.get(f'{policy}/scaling_governor')}"
        for policy in policies(kernel)
        if affected(kernel, policy)
    }
    for governor in kernel.names("/.fake/governors"):
        for directory in (f"{owner}/{governor}" for owner in (CPUFREQ, *policies(kernel))):
            if directory not in used:
                kernel.delete(directory)
            elif not kernel.exists(directory):
                for name in kernel.names(f"/.fake/governors/{governor}"):
                    kernel.add(f"{directory}/{name}", kernel.get(f"/.fake/governors/{governor}/{name}"))


def show_epp(kernel: FakeKernel, path: str) -> str:
    """Forced to ``performance`` by that governor; what it hides shows when the governor changes."""
    policy = policy_of(kernel, path)
    forced = kernel.get(f"{policy}/scaling_governor") == "performance"
    return ("performance" if forced else kernel.get(path)) + "\n"


def store_epp(kernel: FakeKernel, path: str, text: str) -> None:
    """A name or (intel_pstate only) 0-255; EBUSY while the governor is performance; ``default`` is shown by its name."""
    policy, new = policy_of(kernel, path), text.strip()
    intel = kernel.get(f"{policy}/scaling_driver") == "intel_pstate"
    names = kernel.get(f"{policy}/energy_performance_available_preferences").split()
    if new not in names and not (intel and new.isdecimal() and int(new) <= 255):
        refuse(errno.EINVAL, path)
    if kernel.get(f"{policy}/scaling_governor") == "performance":
        if new not in ("performance", "0"):
            refuse(errno.EBUSY, path)
        return
    kernel.put(path, "balance_performance" if new == "default" else new)


def store_no_turbo(kernel: FakeKernel, path: str, text: str) -> None:
    """EPERM where the firmware locked turbo off."""
    if kernel.exists("/.fake/turbo_locked"):
        refuse(errno.EPERM, path)
    FLAG(kernel, path, text)


def store_percent(kernel: FakeKernel, path: str, text: str) -> None:
    """intel_pstate: clamped between the other percentage and the hardware, without an error."""
    if not re.fullmatch(r"[+-]?\d+", text.strip()):
        refuse(errno.EINVAL, path)
    directory = os.path.dirname(path)
    floor = int(kernel.get("/.fake/min_perf_pct", "0"))
    if path.endswith("max_perf_pct"):
        low, high = int(kernel.get(f"{directory}/min_perf_pct")), 100
    else:
        low, high = floor, int(kernel.get(f"{directory}/max_perf_pct"))
    kernel.put(path, str(max(low, min(high, int(text)))))


def store_pstate_status(kernel: FakeKernel, path: str, text: str) -> None:
    """Makes all policies anew: their limits, governors and EPP are lost."""
    word("active", "passive", "off")(kernel, path, text)
    for policy in policies(kernel):
        kernel.put(f"{policy}/scaling_max_freq", kernel.get(f"{policy}/cpuinfo_max_freq"))
        kernel.put(f"{policy}/scaling_min_freq", kernel.get(f"{policy}/cpuinfo_min_freq"))
        kernel.put(f"{policy}/energy_performance_preference", "balance_performance")


def store_epb(kernel: FakeKernel, path: str, text: str) -> None:
    """0-15 or a name; the threads of a core share the register."""
    names = {"performance": 0, "balance-performance": 4, "normal": 6, "balance-power": 8, "power": 15}
    value = names.get(text.strip(), int(text) if text.strip().isdecimal() else 16)
    if value > 15:
        refuse(errno.EINVAL, path)
    for each in core_of(kernel, cpu_of(path)):
        if kernel.exists(f"{CPU}/cpu{each}/power/energy_perf_bias"):
            kernel.put(f"{CPU}/cpu{each}/power/energy_perf_bias", str(value))


rule(f"{CPUFREQ}/policy*/scaling_governor", show_policy_file, store_governor)
rule(f"{CPUFREQ}/policy*/scaling_m*_freq", show_limit, store_limit)
rule(
    f"{CPUFREQ}/policy*/cpuinfo_max_freq",
    lambda kernel, path: f"{ceiling(kernel, policy_of(kernel, path))}\n",
    read_only,
)
rule(f"{CPUFREQ}/policy*/affected_cpus", lambda kernel, path: (
    " ".join(map(str, sorted(affected(kernel, policy_of(kernel, path))))) + "\n"), read_only)  # fmt: skip
rule(f"{CPUFREQ}/policy*/energy_performance_preference", show_epp, store_epp)
rule(f"{CPUFREQ}/policy*/boost", show_policy_file, FLAG)
rule(f"{CPUFREQ}/policy*/*", show_policy_file, read_only)
rule(f"{CPUFREQ}/policy*/*/*", store=number())
rule(f"{CPUFREQ}/boost", store=FLAG)
rule(f"{CPUFREQ}/*/*", store=number())
rule(f"{CPU}/intel_pstate/no_turbo", store=store_no_turbo)
rule(f"{CPU}/intel_pstate/*_perf_pct", store=store_percent)
rule(f"{CPU}/intel_pstate/status", store=store_pstate_status)
rule(f"{CPU}/intel_pstate/hwp_dynamic_boost", store=FLAG)
rule(f"{CPU}/intel_pstate/energy_efficiency", store=FLAG)
rule(f"{CPU}/intel_pstate/*", store=read_only)
rule(f"{CPU}/cpu*/power/energy_perf_bias", store=store_epb)

# --- idle states, quality of service, uncore


def store_latency(kernel: FakeKernel, path: str, text: str) -> None:
    """Microseconds; ``n/a`` forbids any latency; 0 is no limit; negative is EINVAL."""
    if text.strip() != "n/a":
        number(0, 2**31 - 1)(kernel, path, text)
    else:
        kernel.put(path, "n/a")


def store_uncore(kernel: FakeKernel, path: str, text: str) -> None:
    """A minimum above the maximum is EINVAL; a package's value overwrites its clusters'."""
    directory, name = os.path.split(path)
    other = int(kernel.get(f"{directory}/{'min' if name.startswith('max') else 'max'}_freq_khz"))
    if not text.strip().isdecimal() or (int(text) > other if name.startswith("min") else int(text) < other):
        refuse(errno.EINVAL, path)
    root = os.path.dirname(directory)
    members = (
        [each for each in kernel.names(root) if each.startswith("uncore")] if "/package_" in path else []
    )
    for each in [os.path.basename(directory), *members]:
        kernel.put(f"{root}/{each}/{name}", str(int(text)))


def store_idle_governor(kernel: FakeKernel, path: str, text: str) -> None:
    """One of the available governors."""
    word(*kernel.get(f"{CPU}/cpuidle/available_governors").split())(kernel, path, text)


rule(f"{CPU}/cpuidle/current_governor", store=store_idle_governor)
rule(f"{CPU}/cpuidle/*", store=read_only)
rule(f"{CPU}/cpu*/cpuidle/state*/disable", store=FLAG)
rule(f"{CPU}/cpu*/cpuidle/state*/*", store=read_only)
rule(f"{CPU}/cpu*/power/pm_qos_resume_latency_us", store=store_latency)
rule(f"{CPU}/intel_uncore_frequency/*/initial_*", store=read_only)
rule(f"{CPU}/intel_uncore_frequency/*/*_freq_khz", store=store_uncore)

# --- devices


def store_wakealarm(kernel: FakeKernel, path: str, text: str) -> None:
    """Seconds since the epoch; EBUSY while one is set; 0 clears it (drivers/rtc/sysfs.c)."""
    if not text.strip().isdecimal():
        refuse(errno.EINVAL, path)
    if text.strip() != "0" and kernel.get(path):
        refuse(errno.EBUSY, path)
    kernel.put(path, "" if text.strip() == "0" else text.strip())


rule(
    "/sys/class/scsi_host/*/link_power_management_policy",
    store=word("max_performance", "medium_power", "med_power_with_dipm", "min_power"),
)
rule(
    "/sys/class/rtc/*/wakealarm", lambda kernel, path: (kernel.get(path) + "\n").lstrip("\n"), store_wakealarm
)

# --- cgroup v2

CPUSET_FILES = {
    "cpuset.cpus": "",
    "cpuset.cpus.exclusive": "",
    "cpuset.cpus.partition": "member",
    "cpuset.mems": "",
}


def isolated(kernel: FakeKernel) -> set[int]:
    """CPUs of partitions that are valid and isolated."""
    return partitioned(kernel, "isolated")


def partitioned(kernel: FakeKernel, *states: str) -> set[int]:
    """CPUs of the top groups that are in one of these states."""
    groups = [f"{CGROUP}/{name}" for name in kernel.names(CGROUP)]
    found: set[int] = set()
    for group in groups:
        if kernel.exists(f"{group}/cpuset.cpus") and partition(kernel, group) in states:
            found |= parse_list(kernel.get(f"{group}/cpuset.cpus"))
    return found


def partition(kernel: FakeKernel, group: str) -> str:
    """The state that a partition is in; a write of the wish succeeded whether or not it is valid (kernel/cgroup/cpuset.c)."""
    wish = kernel.get(f"{group}/cpuset.cpus.partition")
    if wish == "member":
        return wish
    parent, cpus = os.path.dirname(group), parse_list(kernel.get(f"{group}/cpuset.cpus"))
    others = [f"{parent}/{name}" for name in kernel.names(parent)]
    taken = [parse_list(kernel.get(f"{each}/cpuset.cpus", "")) for each in others if each != group]
    reason = ""
    if parent != CGROUP:
        reason = "Parent is not a partition root"
    elif not cpus:
        reason = "cpuset.cpus and cpuset.cpus.exclusive are empty"
    elif any(cpus & each for each in taken):
        reason = "Cpu list in cpuset.cpus not exclusive"
    elif cpus >= kernel.cpus("online"):
        reason = "Parent unable to distribute cpu downstream"
    return f"{wish} invalid ({reason})" if reason else wish


def show_partition(kernel: FakeKernel, path: str) -> str:
    """``isolated``, or ``isolated invalid (why)``."""
    return partition(kernel, os.path.dirname(path)) + "\n"


def effective(kernel: FakeKernel, group: str) -> set[int]:
    """The CPUs that a group's tasks may run on."""
    if group == CGROUP:
        return kernel.cpus("online") - partitioned(kernel, "root", "isolated")
    own = parse_list(kernel.get(f"{group}/cpuset.cpus", "")) & kernel.cpus("online")
    if kernel.exists(f"{group}/cpuset.cpus.partition") and partition(kernel, group) in (
        "root",
        "isolated",
    ):
        return own
    above = effective(kernel, os.path.dirname(group))
    return own & above or above


def store_cpuset(kernel: FakeKernel, path: str, text: str) -> None:
    """EINVAL for CPUs that do not exist; emptying a non-empty set with tasks inside is ENOSPC."""
    cpus = parse_list(text, path)
    if not cpus <= kernel.cpus("possible"):
        refuse(errno.EINVAL, path)
    if not cpus and kernel.get(path) and kernel.get(f"{os.path.dirname(path)}/cgroup.procs"):
        refuse(errno.ENOSPC, path)
    kernel.put(path, show_list(cpus))


def show_controllers(kernel: FakeKernel, path: str) -> str:
    """What the parent hands down."""
    group = os.path.dirname(path)
    above = f"{os.path.dirname(group)}/cgroup.subtree_control"
    return kernel.get(path if group == CGROUP else above) + "\n"


def store_subtree(kernel: FakeKernel, path: str, text: str) -> None:
    """``+name -name``: ENOENT if not available here, EBUSY if a child hands it on or processes are in the way."""
    group = os.path.dirname(path)
    have = kernel.get(path).split()
    offered = show_controllers(kernel, f"{group}/cgroup.controllers").split()
    children = [f"{group}/{name}" for name in kernel.names(group) if kernel.is_directory(f"{group}/{name}")]
    for token in text.split():
        sign, name = token[:1], token[1:]
        if sign not in "+-" or not name:
            refuse(errno.EINVAL, path)
        if name not in offered:
            refuse(errno.ENOENT, path)
        if sign == "-" and any(
            name in kernel.get(f"{each}/cgroup.subtree_control").split() for each in children
        ):
            refuse(errno.EBUSY, path)
        if sign == "+" and group != CGROUP and kernel.get(f"{group}/cgroup.procs"):
            refuse(errno.EBUSY, path)
        have = (
            [each for each in offered if each in have or each == name]
            if sign == "+"
            else [e for e in have if e != name]
        )
    kernel.put(path, " ".join(have))
    for child in children:
        populate(kernel, child)


def populate(kernel: FakeKernel, group: str) -> None:
    """The files of a group, by the controllers that its parent hands down."""
    for name in ("cgroup.controllers", "cgroup.procs", "cgroup.subtree_control", "cgroup.events"):
        if not kernel.exists(f"{group}/{name}"):
            kernel.add(f"{group}/{name}", "")
    for name, start in {"cgroup.type": "domain", "cgroup.freeze": "0"}.items():
        if not kernel.exists(f"{group}/{name}"):
            kernel.add(f"{group}/{name}", start)
    wanted = "cpuset" in kernel.get(f"{os.path.dirname(group)}/cgroup.subtree_control").split()
    for name, start in {**CPUSET_FILES, "cpuset.cpus.effective": "", "cpuset.mems.effective": "0"}.items():
        if not wanted:
            kernel.delete(f"{group}/{name}")
        elif not kernel.exists(f"{group}/{name}"):
            kernel.add(f"{group}/{name}", start)


def store_procs(kernel: FakeKernel, path: str, text: str) -> None:
    """Moves a process here; ESRCH when there is none."""
    pid = text.strip()
    if not pid.isdecimal() or not kernel.exists(f"/proc/{pid}"):
        refuse(errno.ESRCH, path)
    for group in kernel.groups():
        have = kernel.get(f"{group}/cgroup.procs").split()
        if pid in have:
            kernel.put(f"{group}/cgroup.procs", "\n".join(each for each in have if each != pid))
    kernel.put(path, "\n".join([*kernel.get(path).split(), pid]))


def show_events(kernel: FakeKernel, path: str) -> str:
    """``populated`` and ``frozen``."""
    inside = any(
        kernel.get(f"{each}/cgroup.procs")
        for each in kernel.groups()
        if f"{each}/".startswith(os.path.dirname(path) + "/")
    )
    return f"populated {int(inside)}\nfrozen {kernel.get(path.replace('.events', '.freeze'), '0')}\n"


rule(
    f"{CGROUP}/cpuset.cpus.effective",
    lambda kernel, _: show_list(effective(kernel, CGROUP)) + "\n",
    read_only,
)
rule(f"{CGROUP}/cpuset.cpus.isolated", lambda kernel, _: show_list(isolated(kernel)) + "\n", read_only)
RULES.extend(
    (re.compile(re.escape(CGROUP) + r"(/.*)?/" + re.escape(name)), show, store)
    for name, show, store in (
        ("cpuset.cpus", None, store_cpuset),
        ("cpuset.cpus.exclusive", None, store_cpuset),
        ("cpuset.cpus.partition", show_partition, word("member", "root", "isolated")),
        (
            "cpuset.cpus.effective",
            lambda kernel, path: show_list(effective(kernel, os.path.dirname(path))) + "\n",
            read_only,
        ),
        ("cpuset.mems", None, store_cpuset),
        ("cpuset.mems.effective", None, read_only),
        ("cgroup.controllers", show_controllers, read_only),
        ("cgroup.subtree_control", None, store_subtree),
        ("cgroup.procs", lambda kernel, path: (kernel.get(path) + "\n").lstrip("\n"), store_procs),
        ("cgroup.freeze", None, FLAG),
        ("cgroup.events", show_events, read_only),
        ("cgroup.type", None, read_only),
    )
)
