"""cpu-clock lowers the clocks of every kind of driver, and puts back what it touched and what that disturbed."""

from __future__ import annotations

import errno

import pytest

from fakekernel import acpi_server, laptop_like, plain_vm
from plans import host_of, napping, probe, remembered, written
from powernap.actions import cpu_clock
from powernap.core.units import UnitError

CPU = "/sys/devices/system/cpu"
POLICY = f"{CPU}/cpufreq/policy0"


@pytest.fixture
def laptop(tmp_path):
    """Four policies under intel_pstate."""
    return laptop_like(tmp_path / "machine")


@pytest.fixture
def server(tmp_path):
    """Two shared policies under acpi-cpufreq, tuned by the admin."""
    return acpi_server(tmp_path / "machine")


def test_intel_pstate(laptop):
    """An active driver keeps its governor and gets preference, maximum, percentage, bias and no turbo, in this order."""
    before = laptop.snapshot()
    with napping(laptop, "cpu-clock") as entries:
        order = [
            target
            for target in written(entries)
            if "policy1" not in target and "policy2" not in target and "policy3" not in target
        ]
        assert order == [
            f"{POLICY}/energy_performance_preference",
            f"{POLICY}/scaling_max_freq",
            f"{CPU}/intel_pstate/max_perf_pct",
            f"{CPU}/cpu0/power/energy_perf_bias",
            f"{CPU}/cpu1/power/energy_perf_bias",
            f"{CPU}/intel_pstate/no_turbo",
        ]
        assert laptop.read(f"{POLICY}/scaling_max_freq") == "800000\n"
        assert laptop.read(f"{POLICY}/energy_performance_preference") == "power\n"
        assert laptop.read(f"{CPU}/cpu3/power/energy_perf_bias") == "15\n"
    assert laptop.changes(before) == {}


def test_hidden_preference_is_revealed_and_restored(laptop):
    """Under `performance` the preference is forced; what it hid comes back although nobody could read it before."""
    laptop.put(f"{POLICY}/scaling_governor", "performance")
    laptop.put(f"{POLICY}/energy_performance_preference", "balance_power")
    before = laptop.snapshot()
    with napping(laptop, "cpu-clock") as entries:
        assert written(entries)[f"{POLICY}/scaling_governor"] == "powersave"
        assert (
            next(
                each.old
                for each in entries
                if each.change.target == f"{POLICY}/energy_performance_preference"
            )
            == "balance_power"
        )
    assert laptop.changes(before) == {}
    laptop.put(f"{POLICY}/scaling_governor", "powersave")
    assert laptop.read(f"{POLICY}/energy_performance_preference") == "balance_power\n"


def test_tunables_of_a_governor_come_back(server):
    """The settings of ondemand are the admin's, and a governor that is chosen again starts with its defaults."""
    before = server.snapshot()
    with napping(server, "cpu-clock") as entries:
        assert f"{CPU}/cpufreq/ondemand/sampling_rate" in remembered(entries)
        assert written(entries)[f"{POLICY}/scaling_governor"] == "schedutil"
        assert written(entries)[f"{CPU}/cpufreq/boost"] == "0"
        assert not server.exists(f"{CPU}/cpufreq/ondemand")
    assert server.read(f"{CPU}/cpufreq/ondemand/sampling_rate") == "500000\n"
    assert server.changes(before) == {}


def test_raised_minimum_goes_first(server):
    """Lowering writes the minimum before the maximum, else the maximum would be clamped without an error."""
    for policy in (0, 2):
        server.write(f"{CPU}/cpufreq/policy{policy}/scaling_min_freq", "2600000")
    before = server.snapshot()
    with napping(server, "cpu-clock") as entries:
        limits = [target.rpartition("/")[2] for target in written(entries) if "policy2/scaling_m" in target]
        assert limits == ["scaling_min_freq", "scaling_max_freq"]
        assert server.read(f"{POLICY}/scaling_max_freq") == "800000\n"
    assert server.changes(before) == {}


def test_boost_with_the_maximum_kept(laptop):
    """Switching turbo off moves a maximum that we do not write: it is remembered."""
    before = laptop.snapshot()
    with napping(laptop, "cpu-clock", max="keep") as entries:
        assert f"{POLICY}/scaling_max_freq" in remembered(entries)
        assert laptop.read(f"{POLICY}/scaling_max_freq") == "2400000\n"
    assert laptop.changes(before) == {}


def test_boost_of_each_policy(server):
    """Without a global switch each policy's is used; with one, each policy's is remembered."""
    for policy in (0, 2):
        server.add(f"{CPU}/cpufreq/policy{policy}/boost", "1")
    with napping(server, "cpu-clock") as entries:
        assert f"{POLICY}/boost" in remembered(entries)
    server.vanish(f"{CPU}/cpufreq/boost")
    before = server.snapshot()
    with napping(server, "cpu-clock") as entries:
        assert written(entries)[f"{POLICY}/boost"] == "0"
    assert server.changes(before) == {}


def test_firmware_number_that_cannot_be_written_back(server):
    """amd-pstate takes only names, so a number from the firmware stays, and the probe says so."""
    for policy in (0, 2):
        server.add(f"{CPU}/cpufreq/policy{policy}/scaling_driver", "amd-pstate-epp")
        server.add(f"{CPU}/cpufreq/policy{policy}/energy_performance_preference", "178")
        server.add(
            f"{CPU}/cpufreq/policy{policy}/energy_performance_available_preferences",
            "default performance power",
        )
    answer = probe(server, "cpu-clock")
    assert answer
    assert "178 could not be written back" in answer.detail
    with napping(server, "cpu-clock") as entries:
        assert not [target for target in written(entries) if target.endswith("preference")]
        assert written(entries)[f"{POLICY}/scaling_governor"] == "powersave"


def test_intel_number_is_restored(laptop):
    """intel_pstate takes numbers, so one is put back."""
    laptop.put(f"{POLICY}/energy_performance_preference", "77")
    before = laptop.snapshot()
    with napping(laptop, "cpu-clock") as entries:
        assert written(entries)[f"{POLICY}/energy_performance_preference"] == "power"
    assert laptop.changes(before) == {}


def test_policy_without_processors_is_skipped(server):
    """A policy whose processors are offline answers EBUSY; the others are clocked down."""
    for cpu in (2, 3):
        server.write(f"{CPU}/cpu{cpu}/online", "0")
    with napping(server, "cpu-clock") as entries:
        assert not [target for target in written(entries) if "policy2" in target]
        assert f"{POLICY}/scaling_governor" in written(entries)


def test_options_leave_alone(laptop):
    """Each part can be left out."""
    with napping(
        laptop, "cpu-clock", governor="keep", max="keep", energy_preference=False, boost=False
    ) as entries:
        assert entries == []


def test_governor_kept_at_performance_keeps_its_preference(laptop):
    """With the governor kept, writes that it would refuse are not tried."""
    laptop.put(f"{POLICY}/scaling_governor", "performance")
    with napping(laptop, "cpu-clock", governor="keep") as entries:
        assert f"{POLICY}/energy_performance_preference" not in written(entries)


def test_userspace_speed_is_remembered(server):
    """The fixed speed of `userspace` is one of its tunables."""
    server.put(f"{POLICY}/scaling_governor", "userspace")
    server.add(f"{POLICY}/scaling_setspeed", "1600000")
    steps = cpu_clock.plan(host_of(server), cpu_clock.Options())
    targets = [next(steps).target for _ in range(5)]
    assert f"{POLICY}/scaling_setspeed" in targets


def test_maximum_from_the_drivers_table(server):
    """A driver with a table rounds silently, so an offered frequency is written."""
    server.add(f"{POLICY}/scaling_available_frequencies", "3600000 2600000 1800000 800000")
    with napping(server, "cpu-clock", max="60%") as entries:
        assert written(entries)[f"{POLICY}/scaling_max_freq"] == "1800000"
        assert written(entries)[f"{CPU}/cpufreq/policy2/scaling_max_freq"] == "2160000"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (f"{CPU}/intel_pstate/no_turbo", errno.EPERM),
        (f"{POLICY}/energy_performance_preference", errno.EBUSY),
        (f"{CPU}/cpu1/power/energy_perf_bias", errno.EIO),
    ],
)
def test_what_firmware_refuses_spoils_nothing(laptop, name, code):
    """Turbo, preference and bias may each be refused: the limits are lowered all the same, and come back."""
    before = laptop.snapshot()
    laptop.fail(name, code)
    with napping(laptop, "cpu-clock") as entries:
        assert name not in written(entries)
        assert laptop.read(f"{POLICY}/scaling_max_freq") == "800000\n"
    assert laptop.changes(before) == {}


def test_boost_that_is_refused_spoils_nothing(server):
    """The switch of acpi-cpufreq, the global one and those of the policies."""
    server.fail(f"{CPU}/cpufreq/boost", errno.EINVAL)
    before = server.snapshot()
    with napping(server, "cpu-clock") as entries:
        assert written(entries)[f"{POLICY}/scaling_max_freq"] == "800000"
    assert server.changes(before) == {}


def test_turbo_that_firmware_switched_off(laptop):
    """What is off already is not written: the firmware would refuse."""
    laptop.put(f"{CPU}/intel_pstate/no_turbo", "1")
    laptop.add("/.fake/turbo_locked")
    with napping(laptop, "cpu-clock") as entries:
        assert f"{CPU}/intel_pstate/no_turbo" not in written(entries)


@pytest.mark.parametrize(
    ("value", "kilohertz"),
    [
        ("lowest", 800),
        ("keep", None),
        ("50%", 1800),
        ("1.2GHz", 1200),
        ("1200MHz", 1200),
        ("9GHz", 3600),
        ("1%", 800),
        ("900000kHz", 900),
    ],
)
def test_maximum_as_written(value, kilohertz):
    """A word, a share or a frequency, always within what the processor can."""
    assert cpu_clock.limit(value, 800_000, 3_600_000) == (None if kilohertz is None else kilohertz * 1000)


@pytest.mark.parametrize("value", ["", "fast", "12", "GHz", "-1GHz%", "50 percent", "xGHz"])
def test_what_is_no_maximum(value):
    """Anything else is refused with examples."""
    with pytest.raises(UnitError, match="50%"):
        cpu_clock.limit(value, 800_000, 3_600_000)
    check = cpu_clock.Options.__dataclass_fields__["max"].metadata["check"]
    assert "50%" in check(value)
    assert check("50%") is None


def test_virtual_machine_says_why_not(tmp_path):
    """A guest has no clocks of its own; hardware without them needs a driver."""
    kernel = plain_vm(tmp_path / "machine")
    assert "modprobe" in probe(kernel, "cpu-clock").remedy
    kernel.add("/proc/cpuinfo", "flags\t\t: fpu hypervisor lahf_lm\n")
    answer = probe(kernel, "cpu-clock")
    assert not answer
    assert answer.detail == "no cpufreq: /sys/devices/system/cpu/cpufreq is empty"
    assert "hypervisor" in answer.remedy
    with napping(kernel, "cpu-clock") as entries:
        assert entries == []


def test_read_only_machine(laptop):
    """Where nothing may be written the probe says so."""
    for path in laptop.snapshot():
        if path.startswith(CPU) and not path.endswith("/"):
            laptop.lock(path)
    answer = probe(laptop, "cpu-clock")
    assert (answer.usable, answer.remedy) == (False, "run as root, outside a container")


@pytest.mark.parametrize(("process", "usable"), [("auto-cpufreq", False), ("tuned", True)])
def test_rivals(laptop, process, usable):
    """With a tool that rewrites by itself there is no living together; others are only named."""
    laptop.add("/proc/77/comm", process)
    answer = probe(laptop, "cpu-clock")
    assert answer.usable is usable
    assert "pid 77" in answer.detail
    assert probe(laptop, "cpu-clock", override=True)
