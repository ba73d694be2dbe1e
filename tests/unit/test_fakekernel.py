"""The fake kernel does what the real one was seen to do (research/powersave-knobs.md section 4): one test for each trap."""

from __future__ import annotations

import errno

import pytest

from fakeattributes import CGROUP, CPU, CPUFREQ, WORKQUEUE
from fakekernel import MACHINES, FakeKernel, acpi_server, container, laptop_like, plain_vm

VM = "/proc/sys/vm"
POLICY = f"{CPUFREQ}/policy0"


@pytest.fixture
def laptop(tmp_path):
    """intel_pstate."""
    return laptop_like(tmp_path)


@pytest.fixture
def acpi(tmp_path):
    """acpi-cpufreq with ondemand."""
    return acpi_server(tmp_path)


def refused(kernel, path, text):
    """The error's name, or nothing."""
    try:
        kernel.write(path, text)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return ""


@pytest.mark.parametrize(
    ("path", "text", "code"),
    [
        ("/proc/sys/kernel/nmi_watchdog", "x", "EINVAL"),
        ("/proc/sys/kernel/nmi_watchdog", "2", "EINVAL"),
        ("/sys/kernel/mm/ksm/run", "3", "EINVAL"),
        (f"{POLICY}/scaling_governor", "ondemand", "EINVAL"),
        (f"{POLICY}/energy_performance_preference", "lowest", "EINVAL"),
        (f"{POLICY}/energy_performance_preference", "256", "EINVAL"),
        (f"{POLICY}/scaling_max_freq", "fast", "EINVAL"),
        (f"{POLICY}/cpuinfo_max_freq", "1", "EACCES"),
        (f"{CPU}/cpu0/power/energy_perf_bias", "16", "EINVAL"),
        (f"{CPU}/cpu1/online", "2", "EINVAL"),
        (f"{CPU}/online", "0", "EACCES"),
        (f"{CPU}/cpuidle/current_governor", "ladder", "EINVAL"),
        (f"{CPU}/cpu0/power/pm_qos_resume_latency_us", "-1", "EINVAL"),
        ("/proc/irq/24/smp_affinity", "0", "EINVAL"),
        ("/proc/irq/24/smp_affinity", "zz", "EINVAL"),
        ("/proc/irq/24/effective_affinity", "1", "EACCES"),
        ("/proc/irq/30/smp_affinity", "1", "EIO"),
        (f"{WORKQUEUE}/cpumask", "0", "EINVAL"),
        (f"{VM}/dirty_bytes", "0", "EINVAL"),
        ("/sys/kernel/mm/transparent_hugepage/enabled", "sometimes", "EINVAL"),
        ("/sys/class/scsi_host/host1/link_power_management_policy", "keep_firmware_settings", "EINVAL"),
        (f"{CGROUP}/cgroup.subtree_control", "cpuset", "EINVAL"),
        (f"{CGROUP}/cgroup.subtree_control", "+hugetlb", "ENOENT"),
        (f"{CGROUP}/cgroup.procs", "99999", "ESRCH"),
        ("/sys/no/such", "1", "ENOENT"),
    ],
)
def test_refusals(laptop, path, text, code):
    """Each attribute validates, and a refused write changes nothing."""
    before = laptop.snapshot()
    assert refused(laptop, path, text) == code
    assert laptop.changes(before) == {}


@pytest.mark.parametrize(
    ("path", "text", "shown"),
    [
        ("/proc/irq/24/smp_affinity", "3", "00,00000003\n"),
        ("/proc/irq/24/smp_affinity_list", "0-1", "0-1\n"),
        (f"{WORKQUEUE}/cpumask", "0x1", "00,00000001\n"),
        ("/sys/kernel/mm/transparent_hugepage/enabled", "never", "always madvise [never]\n"),
        ("/proc/sys/kernel/numa_balancing", " 0\n", "0\n"),
        (f"{CPU}/cpu0/power/energy_perf_bias", "power", "15\n"),
        (f"{POLICY}/energy_performance_preference", "default", "balance_performance\n"),
        (f"{POLICY}/energy_performance_preference", "77", "77\n"),
        (f"{POLICY}/scaling_max_freq", "1", "800000\n"),
    ],
)
def test_what_is_read_is_not_what_was_written(laptop, path, text, shown):
    """Values are shown in the kernel's form."""
    laptop.write(path, text)
    assert laptop.read(path) == shown


def test_offline_breaks_masks_for_good(laptop):
    """IRQ mask 8 becomes 7 and stays 7; a managed one stays; a pinned task is let loose for good."""
    laptop.add_task(700, "pinned", {3})
    laptop.write(f"{CPU}/cpu3/online", "0")
    assert laptop.read("/proc/irq/24/smp_affinity") == "00,00000007\n"
    assert laptop.read("/proc/irq/30/smp_affinity") == "00,00000008\n"
    laptop.write(f"{CPU}/cpu3/online", "1")
    assert laptop.read("/proc/irq/24/smp_affinity") == "00,00000007\n"
    assert laptop.task_cpus(700) == {0, 1, 2}


def test_offline_takes_attributes_and_policies_away(laptop):
    """The policy answers EBUSY, the bias file is gone; all of it comes back with its values."""
    laptop.write(f"{CPU}/cpu3/power/energy_perf_bias", "8")
    before = laptop.snapshot()
    laptop.write(f"{CPU}/cpu3/online", "0")
    assert not laptop.exists(f"{CPU}/cpu3/power/energy_perf_bias")
    assert refused(laptop, f"{CPU}/cpu3/cpufreq/scaling_governor", "performance") == "EBUSY"
    with pytest.raises(OSError, match="busy"):
        laptop.read(f"{CPU}/cpu3/cpufreq/scaling_governor")
    laptop.write(f"{CPU}/cpu3/online", "1")
    assert {path for path in laptop.changes(before) if "/irq/" not in path} == set()


def test_what_cannot_go_offline(laptop):
    """No switch for cpu0; EBUSY with deadline tasks and for the last one."""
    assert not laptop.exists(f"{CPU}/cpu0/online")
    laptop.deadline_on(2)
    assert refused(laptop, f"{CPU}/cpu2/online", "0") == "EBUSY"


def test_smt(laptop):
    """Off takes the second threads and EPERMs them; on revives all, also an admin's; off with a primary offline takes the core."""
    laptop.write(f"{CPU}/cpu1/online", "0")
    laptop.write(f"{CPU}/smt/control", "off")
    assert laptop.read(f"{CPU}/online") == "0\n"
    assert laptop.read(f"{CPU}/smt/active") == "0\n"
    assert refused(laptop, f"{CPU}/cpu2/online", "1") == "EPERM"
    laptop.write(f"{CPU}/smt/control", "on")
    assert laptop.read(f"{CPU}/online") == "0-3\n"
    laptop.write(f"{CPU}/smt/control", "forceoff")
    assert refused(laptop, f"{CPU}/smt/control", "on") == "EPERM"


def test_smt_with_a_thread_that_cannot_go(laptop):
    """EBUSY at the second one: the first is off, and the switch says "on" (cpuhp_smt_disable; seen on Linux 6.1)."""
    laptop.deadline_on(3)
    assert refused(laptop, f"{CPU}/smt/control", "off") == "EBUSY"
    assert (laptop.read(f"{CPU}/smt/control"), laptop.read(f"{CPU}/online")) == ("on\n", "0-1,3\n")


def test_no_smt(tmp_path):
    """ENODEV where there is none."""
    assert refused(plain_vm(tmp_path), f"{CPU}/smt/control", "off") == "ENODEV"


def test_a_governor_forgets_its_tunables(acpi):
    """sampling_rate 500000 falls back to 8000 after a round trip, once the last policy has left."""
    rate = f"{CPUFREQ}/ondemand/sampling_rate"
    acpi.write(f"{POLICY}/scaling_governor", "powersave")
    assert acpi.read(rate) == "500000\n"
    acpi.write(f"{CPUFREQ}/policy2/scaling_governor", "powersave")
    assert not acpi.exists(rate)
    acpi.write(f"{POLICY}/scaling_governor", "ondemand")
    assert acpi.read(rate) == "8000\n"
    assert acpi.read(f"{CPU}/cpu1/cpufreq/scaling_governor") == "ondemand\n"


def test_a_policy_forgets_with_its_last_processor(acpi):
    """The governor stays and its tunables fall back (seen on Linux 6.1); the maximum is the driver's again (Linux 6.14)."""
    policy, step = f"{CPUFREQ}/policy2", f"{CPUFREQ}/conservative/freq_step"
    acpi.write(f"{policy}/scaling_governor", "conservative")
    acpi.write(step, "9")
    acpi.write(f"{policy}/scaling_min_freq", "1000000")
    acpi.write(f"{policy}/scaling_max_freq", "1800000")
    for value in "01":
        for cpu in (2, 3):
            acpi.write(f"{CPU}/cpu{cpu}/online", value)
    assert (acpi.read(f"{policy}/scaling_governor"), acpi.read(step)) == ("conservative\n", "5\n")
    assert [acpi.read(f"{policy}/scaling_{name}_freq") for name in ("min", "max")] == [
        "1000000\n",
        "3600000\n",
    ]


def test_a_minimum_above_the_maximum_is_clamped(laptop):
    """The write succeeds, the value is another; the request is remembered."""
    laptop.write(f"{POLICY}/scaling_max_freq", "1000000")
    laptop.write(f"{POLICY}/scaling_min_freq", "2000000")
    assert laptop.read(f"{POLICY}/scaling_min_freq") == "1000000\n"
    laptop.write(f"{POLICY}/scaling_max_freq", "3600000")
    assert laptop.read(f"{POLICY}/scaling_min_freq") == "2000000\n"


def test_epp_is_hidden_by_the_performance_governor(laptop):
    """Shown as performance, others EBUSY; revealed when the governor changes."""
    epp = f"{POLICY}/energy_performance_preference"
    laptop.write(epp, "balance_power")
    laptop.write(f"{POLICY}/scaling_governor", "performance")
    assert laptop.read(epp) == "performance\n"
    assert refused(laptop, epp, "power") == "EBUSY"
    assert refused(laptop, epp, "performance") == ""
    laptop.write(f"{POLICY}/scaling_governor", "powersave")
    assert laptop.read(epp) == "balance_power\n"


def test_no_turbo_moves_the_maximum(laptop):
    """It returns unless somebody wrote it meanwhile; locked firmware is EPERM."""
    top = f"{POLICY}/scaling_max_freq"
    laptop.write(f"{CPU}/intel_pstate/no_turbo", "1")
    assert laptop.read(top) == laptop.read(f"{POLICY}/cpuinfo_max_freq") == "2400000\n"
    laptop.write(f"{CPU}/intel_pstate/no_turbo", "0")
    assert laptop.read(top) == "3600000\n"
    laptop.write(f"{CPU}/intel_pstate/no_turbo", "1")
    laptop.write(top, "2000000")
    laptop.write(f"{CPU}/intel_pstate/no_turbo", "0")
    assert laptop.read(top) == "2000000\n"
    laptop.add("/.fake/turbo_locked")
    assert refused(laptop, f"{CPU}/intel_pstate/no_turbo", "1") == "EPERM"


def test_acpi_boost(acpi):
    """The same by its own switch."""
    acpi.write(f"{CPUFREQ}/boost", "0")
    assert acpi.read(f"{POLICY}/scaling_max_freq") == "2400000\n"


def test_percentages_clamp_each_other(laptop):
    """Without an error."""
    laptop.write(f"{CPU}/intel_pstate/max_perf_pct", "1")
    assert laptop.read(f"{CPU}/intel_pstate/max_perf_pct") == "20\n"
    laptop.write(f"{CPU}/intel_pstate/min_perf_pct", "90")
    assert laptop.read(f"{CPU}/intel_pstate/min_perf_pct") == "20\n"


def test_the_driver_s_status_loses_everything(laptop):
    """All policies are made anew."""
    laptop.write(f"{POLICY}/scaling_max_freq", "1000000")
    laptop.write(f"{CPU}/intel_pstate/status", "passive")
    assert laptop.read(f"{POLICY}/scaling_max_freq") == "3600000\n"


def test_threads_share_a_bias_register(laptop):
    """cpu0 and cpu2 are one core."""
    laptop.write(f"{CPU}/cpu0/power/energy_perf_bias", "15")
    assert [laptop.read(f"{CPU}/cpu{cpu}/power/energy_perf_bias") for cpu in range(4)] == [
        "15\n",
        "6\n",
        "15\n",
        "6\n",
    ]


def test_uncore_packages_fan_out(laptop):
    """A package's value overwrites its clusters'; crossing limits is EINVAL."""
    uncore = f"{CPU}/intel_uncore_frequency"
    laptop.write(f"{uncore}/package_00_die_00/max_freq_khz", "1200000")
    assert laptop.read(f"{uncore}/uncore00/max_freq_khz") == "1200000\n"
    assert refused(laptop, f"{uncore}/uncore00/min_freq_khz", "1300000") == "EINVAL"


def test_watchdog_clears_both_children(laptop, tmp_path):
    """And sets both; the hard one only with a PMU."""
    laptop.write("/proc/sys/kernel/watchdog", "0")
    kernel = "/proc/sys/kernel"
    assert laptop.read(f"{kernel}/nmi_watchdog") == laptop.read(f"{kernel}/soft_watchdog") == "0\n"
    laptop.write(f"{kernel}/soft_watchdog", "1")
    assert laptop.read(f"{kernel}/watchdog") == "1\n"
    server = acpi_server(tmp_path / "other")
    assert refused(server, f"{kernel}/nmi_watchdog", "1") == "EACCES"
    server.write(f"{kernel}/watchdog", "0")
    server.write(f"{kernel}/watchdog", "1")
    assert server.read(f"{kernel}/nmi_watchdog") == "0\n"


@pytest.mark.parametrize("name", ["dirty", "dirty_background"])
def test_ratio_and_bytes_zero_each_other(laptop, name):
    """And bytes cannot be set to 0."""
    laptop.write(f"{VM}/{name}_bytes", "16777216")
    assert laptop.read(f"{VM}/{name}_ratio") == "0\n"
    laptop.write(f"{VM}/{name}_ratio", "15")
    assert laptop.read(f"{VM}/{name}_bytes") == "0\n"


def test_the_alarm_is_busy_while_one_is_set(laptop):
    """0 clears it."""
    alarm = "/sys/class/rtc/rtc0/wakealarm"
    laptop.write(alarm, "1800000000")
    assert refused(laptop, alarm, "1800000001") == "EBUSY"
    laptop.write(alarm, "0")
    assert laptop.read(alarm) == ""
    laptop.write(alarm, "1800000001")
    assert laptop.read(alarm) == "1800000001\n"


# --- cgroups


def park(kernel, cpus="1-3"):
    """A partition."""
    kernel.write(f"{CGROUP}/cgroup.subtree_control", "+cpuset")
    kernel.make_directory(f"{CGROUP}/parked")
    kernel.write(f"{CGROUP}/parked/cpuset.cpus", cpus)
    kernel.write(f"{CGROUP}/parked/cpuset.cpus.partition", "isolated")


def test_a_partition_takes_processors_from_everybody(laptop):
    """Others see what is left, work queues shrink; dissolving it brings all back."""
    before = laptop.snapshot()
    park(laptop)
    assert laptop.read(f"{CGROUP}/parked/cpuset.cpus.partition") == "isolated\n"
    assert laptop.read(f"{CGROUP}/system.slice/cpuset.cpus.effective") == "0\n"
    assert laptop.read(f"{CGROUP}/cpuset.cpus.isolated") == "1-3\n"
    assert laptop.read(f"{WORKQUEUE}/cpumask") == "00,00000001\n"
    assert laptop.read(f"{WORKQUEUE}/cpumask_requested") == "00,0000000f\n"
    laptop.write(f"{CGROUP}/parked/cpuset.cpus.partition", "member")
    laptop.remove_directory(f"{CGROUP}/parked")
    laptop.write(f"{CGROUP}/cgroup.subtree_control", "-cpuset")
    assert laptop.changes(before) == {}


@pytest.mark.parametrize(
    ("cpus", "why"),
    [
        ("0-3", "Parent unable to distribute cpu downstream"),
        ("", "cpuset.cpus and cpuset.cpus.exclusive are empty"),
        ("3", "Cpu list in cpuset.cpus not exclusive"),
    ],
)
def test_a_partition_that_does_not_hold(laptop, cpus, why):
    """The write succeeds; what is read says why it is not so."""
    if cpus == "3":
        laptop.write(f"{CGROUP}/cgroup.subtree_control", "+cpuset")
        laptop.write(f"{CGROUP}/user.slice/cpuset.cpus", "3")
    park(laptop, cpus)
    assert laptop.read(f"{CGROUP}/parked/cpuset.cpus.partition") == f"isolated invalid ({why})\n"
    assert laptop.read(f"{CGROUP}/cpuset.cpus.effective") == "0-3\n"


def test_a_set_with_tasks_cannot_be_emptied(laptop):
    """ENOSPC; the full list is accepted; without tasks it can."""
    park(laptop)
    laptop.write(f"{CGROUP}/parked/cgroup.procs", "612")
    assert refused(laptop, f"{CGROUP}/parked/cpuset.cpus", "\n") == "ENOSPC"
    assert refused(laptop, f"{CGROUP}/parked/cpuset.cpus", "0-3") == ""
    laptop.write(f"{CGROUP}/cgroup.procs", "612")
    assert refused(laptop, f"{CGROUP}/parked/cpuset.cpus", "\n") == ""


def test_directories(laptop):
    """Mkdir only among cgroups, rmdir only of an empty one; files come and go with it and with the controller."""
    for path, code in (
        ("/sys/x", errno.EPERM),
        (f"{CGROUP}/no/x", errno.ENOENT),
        (f"{CGROUP}/user.slice", errno.EEXIST),
    ):
        with pytest.raises(OSError) as raised:
            laptop.make_directory(path)
        assert raised.value.errno == code
    laptop.make_directory(f"{CGROUP}/here")
    assert not laptop.exists(f"{CGROUP}/here/cpuset.cpus")
    laptop.write(f"{CGROUP}/cgroup.subtree_control", "+cpuset")
    assert laptop.exists(f"{CGROUP}/here/cpuset.cpus")
    laptop.make_directory(f"{CGROUP}/here/below")
    for path, code in ((f"{CGROUP}/here", errno.EBUSY), (f"{CGROUP}/none", errno.ENOENT)):
        with pytest.raises(OSError) as raised:
            laptop.remove_directory(path)
        assert raised.value.errno == code
    laptop.write(f"{CGROUP}/here/cgroup.subtree_control", "+cpuset")
    assert refused(laptop, f"{CGROUP}/cgroup.subtree_control", "-cpuset") == "EBUSY"
    laptop.write(f"{CGROUP}/here/below/cgroup.procs", "612")
    assert refused(laptop, f"{CGROUP}/here/below/cgroup.subtree_control", "+cpuset") == "EBUSY"
    assert laptop.read(f"{CGROUP}/here/cgroup.events") == "populated 1\nfrozen 0\n"


# --- faults


def test_faults(laptop):
    """One path, the n-th write, hot unplug, read-only."""
    stat, ksm = f"{VM}/stat_interval", "/sys/kernel/mm/ksm/run"
    laptop.fail(stat, errno.EIO, times=1)
    assert [refused(laptop, stat, "5") for _ in range(2)] == ["EIO", ""]
    laptop.fail_write(2, errno.ENOSPC)
    assert [refused(laptop, stat, "6") for _ in range(3)] == ["", "ENOSPC", ""]
    laptop.vanish("/sys/kernel/mm/ksm")
    assert refused(laptop, ksm, "0") == "ENOENT"
    laptop.reappear("/sys/kernel/mm/ksm")
    assert refused(laptop, ksm, "0") == ""
    laptop.lock(ksm)
    assert refused(laptop, ksm, "1") == "EACCES"
    assert len(laptop.writes) == 8


def test_a_container(tmp_path):
    """All is there, nothing may be written."""
    kernel = container(tmp_path)
    before = kernel.snapshot()
    assert refused(kernel, f"{VM}/stat_interval", "5") == "EROFS"
    with pytest.raises(OSError, match="Read-only"):
        kernel.make_directory(f"{CGROUP}/x")
    assert kernel.changes(before) == {}


@pytest.mark.parametrize("machine", MACHINES.values())
def test_every_machine_reads(machine, tmp_path):
    """No attribute of a fresh machine fails, and another process sees the same."""
    kernel = machine(tmp_path)
    before = kernel.snapshot()
    assert [path for path, text in before.items() if text.startswith("<")] == []
    assert FakeKernel(tmp_path).changes(before) == {}


def test_state_is_on_disk(laptop):
    """Another opener sees what was written, hidden state too. (That it survives SIGKILL is what killing.py lives on.)"""
    laptop.write(f"{POLICY}/scaling_governor", "performance")
    assert FakeKernel(laptop.root).read(f"{POLICY}/energy_performance_preference") == "performance\n"
