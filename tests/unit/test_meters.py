"""meters/: what each source says on recorded and fake trees, how they are ranked, and how one is named."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

import fakemeters
import fakeplatform
from fakekernel import FakeKernel, acpi_server, laptop_like, plain_vm
from machines import Clock
from powernap import meters
from powernap.cli import metered
from powernap.config.model import Config, MeterConfig
from powernap.core.energy import Energy, Sample, between
from powernap.host.availability import UnavailableError
from powernap.host.host import Host
from powernap.host.nvml import INSTALL
from powernap.meters import acpi, battery, hwmon, nvml, psu, rapl


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    """A machine without any meter."""
    return plain_vm(tmp_path / "machine")


@pytest.fixture
def clock() -> Clock:
    """Stands where it is put."""
    return Clock()


@pytest.fixture
def host(kernel: FakeKernel, clock: Clock) -> Host:
    """The machine."""
    return Host(files=kernel, clock=clock, live=False)


def opened(kind: str, host: Host, **options: Any) -> meters.Meter:
    module = meters.find(kind)
    return module.open(host, module.Options(**options))


def watts(kind: str, host: Host, **options: Any) -> float | None:
    return opened(kind, host, **options).read().watts


# ---------------------------------------------------------------- all of them


@pytest.mark.parametrize("kind", meters.kinds())
def test_every_meter_says_what_it_is_and_how_much_it_sees(kind: str) -> None:
    """For the reference, and for the ranking."""
    module = meters.find(kind)
    assert module.__doc__
    assert module.SCOPE in meters.SCOPES


@pytest.mark.parametrize("kind", ["acpi", "battery", "hwmon", "ipmi-dcmi", "nvml", "psu", "rapl"])
def test_a_machine_without_it_gets_a_reason(kind: str, host: Host) -> None:
    """From probe as a value, from open as an exception with the same words."""
    module = meters.find(kind)
    answer = module.probe(host, module.Options())
    assert not answer
    assert answer.detail
    with pytest.raises(UnavailableError) as refused:
        module.open(host, module.Options())
    assert answer == refused.value.availability


@pytest.mark.parametrize(
    ("kind", "address"), [("plug", "10.0.0.5"), ("redfish", "https://bmc"), ("command", "/bin/true")]
)
def test_a_recorded_machine_asks_nobody(kind: str, address: str, host: Host) -> None:
    """No connection, no program: a snapshot is looked at on another machine."""
    assert not metered.named(host, Config(), f"{kind}:{address}").answer


def test_the_widest_scope_comes_first_and_what_cannot_be_used_last(kernel: FakeKernel, host: Host) -> None:
    """The firmware's meter before the processors' counters."""
    fakemeters.add_rapl(kernel, "intel-rapl:0", "package-0")
    fakemeters.add_acpi_meter(kernel)
    ranked = meters.ranked(host)
    assert ["acpi", "rapl"] == [each.kind for each in ranked if each.answer]
    assert all(not each.answer for each in ranked[2:])
    assert {"plug", "redfish", "command"}.isdisjoint(each.kind for each in ranked)


def test_a_configured_meter_takes_its_place_and_the_place_of_its_kind(kernel: FakeKernel, host: Host) -> None:
    """By its scope among the others; before another of the same scope; one that is off takes its kind away."""
    fakemeters.add_rapl(kernel, "intel-rapl:0", "package-0")
    fakemeters.add_acpi_meter(kernel)
    fakemeters.add_sensor(kernel, "hwmon5", "ina226", "power1_input", 12_000_000)
    board = MeterConfig("board", "acpi", acpi.Options(chip="hwmon3"))
    off = MeterConfig("cores", "rapl", rapl.Options(), enabled=False)
    rail = MeterConfig("rail", "hwmon", hwmon.Options())
    ranked = meters.ranked(host, [rail, board, off])
    assert [("board", "acpi", True), ("rail", "hwmon", True)] == [
        (each.name, each.kind, each.asked) for each in ranked if each.answer
    ]
    assert "rapl" not in {each.kind for each in ranked}
    assert meters.ranked(host, [board])[1].name == "rapl"
    fakemeters.add_battery(kernel, "BAT0", "Discharging", power_now=12_000_000)
    found = meters.ranked(host, [MeterConfig("its-own", "acpi", acpi.Options())])
    assert ["its-own", "battery"] == [each.name for each in found][:2]


def test_a_probe_that_breaks_is_an_answer(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are still looked at."""
    monkeypatch.setattr(rapl, "probe", lambda *_: 1 / 0)
    assert "ZeroDivisionError" in next(
        each.answer.detail for each in meters.ranked(host) if each.kind == "rapl"
    )


# ---------------------------------------------------------------- ACPI


def test_the_firmwares_meter_follows_the_clocks(tmp_path: Path) -> None:
    """Attributes lie below device/: 100 W and 3 W for each GHz of two policies; a second's mean."""
    kernel = acpi_server(tmp_path / "machine")
    fakemeters.add_acpi_meter(kernel)
    host = Host(files=kernel, live=False)
    meter = opened("acpi", host)
    assert 121.6 == meter.read().watts
    assert 1.0 == meter.interval
    kernel.write("/sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq", "800000")
    assert 113.2 == meter.read().watts


def test_only_meters_of_the_top_domain_are_added_up(kernel: FakeKernel, host: Host) -> None:
    """Two halves of a machine add up; the meter of a part of one of them does not."""
    for chip, device in {"hwmon0": "a", "hwmon1": "b", "hwmon2": "a/part", "hwmon5": "b"}.items():
        kernel.add(f"/sys/devices/{device}/uevent")
        place = fakemeters.add_acpi_meter(kernel, chip, base=10.0)
        kernel.link(f"{place}/measures/device0", f"/sys/devices/{device}")
    assert 20.0 == watts("acpi", host)
    assert 10.0 == watts("acpi", host, chip="hwmon2")


def test_a_firmware_that_cannot_tell_is_not_zero_watts(kernel: FakeKernel, host: Host) -> None:
    """It answers FFFFFFFFh."""
    fakemeters.add_acpi_meter(kernel, base=4294967.295)
    assert "has no reading" in acpi.probe(host, acpi.Options()).detail
    with pytest.raises(OSError, match="no reading"):
        acpi.parse("-1")


def test_a_meter_of_a_battery_is_not_the_machines(kernel: FakeKernel, host: Host) -> None:
    """power1_is_battery."""
    kernel.add(f"{fakemeters.add_acpi_meter(kernel)}/power1_is_battery", "1")
    assert not acpi.probe(host, acpi.Options())


def test_a_meter_whose_name_lies_below_device_is_found(kernel: FakeKernel, host: Host) -> None:
    """As Linux 6.1 has it: the chip's own directory holds nothing."""
    place = fakemeters.add_acpi_meter(kernel)
    kernel.vanish(f"{fakemeters.HWMON}/hwmon3/name")
    assert not acpi.probe(host, acpi.Options())
    kernel.add(f"{place}/name", "power_meter")
    assert acpi.probe(host, acpi.Options())


def test_a_meter_without_an_interval_is_taken_to_average_a_second(kernel: FakeKernel, host: Host) -> None:
    """The attribute is optional."""
    fakemeters.add_acpi_meter(kernel, interval=0)
    assert 1.0 == opened("acpi", host).interval
    opened("acpi", host).close()


# ---------------------------------------------------------------- RAPL


def names(kernel: FakeKernel) -> list[str]:
    return [zone.name for zone in rapl.zones(kernel)]


def test_packages_and_their_memory_add_up_and_parts_do_not(kernel: FakeKernel) -> None:
    """Its cores and uncore are in the package; dram is beside it; the same package by MMIO and TPMI is the same package."""
    for zone, name in {
        "intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:0:1": "uncore", "intel-rapl:0:2": "dram",
        "intel-rapl:1": "package-1", "intel-rapl-mmio:0": "package-0", "intel-rapl-tpmi:1": "package-1", "dtpm:0": "package-9",
    }.items():  # fmt: skip
        fakemeters.add_rapl(kernel, zone, name)
    assert ["package-0", "package-0 dram", "package-1"] == names(kernel)
    assert f"{fakemeters.POWERCAP}/intel-rapl:0" == rapl.zones(kernel)[0].place


def test_the_platform_is_preferred_where_it_counts(kernel: FakeKernel) -> None:
    """It holds all the others; some firmware shows one that stays at 0."""
    fakemeters.add_rapl(kernel, "intel-rapl:0", "package-0")
    psys = fakemeters.add_rapl(kernel, "intel-rapl:1", "psys")
    assert ["package-0"] == names(kernel)
    fakemeters.spend(kernel, psys, 1.0)
    assert ["psys"] == names(kernel)


def test_a_counter_is_followed_through_its_end(kernel: FakeKernel, host: Host, clock: Clock) -> None:
    """Near its end at first; 100 W for a minute, in reads of ten seconds."""
    place = fakemeters.add_rapl(kernel, "intel-rapl:0", "package-0", joules=262_000.0)
    meter, found = opened("rapl", host), Energy()
    last = meter.read()
    for _ in range(6):
        clock.now += 10
        fakemeters.spend(kernel, place, 1000.0)
        last, before = meter.read(), last
        found += between(before, last, meter.gap)
    assert 6000.0 == pytest.approx(found.joules)
    assert (60.0, 0.0) == (found.seconds, found.missing)


def test_a_gap_of_more_than_a_quarter_of_a_round_is_refused(
    kernel: FakeKernel, host: Host, clock: Clock
) -> None:
    """With a limit of 200 W (and bursts of twice that, at least 500) a round takes 8.7 minutes."""
    fakemeters.add_rapl(kernel, "intel-rapl:0", "package-0")
    meter = opened("rapl", host)
    assert 262_143.328850 / 500 / 4 == pytest.approx(meter.gap)
    one = meter.read()
    clock.now += 132
    assert Energy(missing=132.0) == between(one, meter.read(), meter.gap)


def test_an_ordinary_user_is_told_to_be_root(kernel: FakeKernel, host: Host) -> None:
    """The counters are 0400 since Linux 5.10."""
    place = fakemeters.add_rapl(kernel, "intel-rapl:0", "package-0")

    class Closed(FakeKernel):
        def read(self, path: str) -> str:
            if path.endswith("energy_uj"):
                raise PermissionError(errno.EACCES, "Permission denied", path)
            return super().read(path)

    answer = rapl.probe(Host(files=Closed(kernel.root), live=False), rapl.Options())
    assert "root only" in answer.detail
    kernel.put(f"{place}/energy_uj", "garbage")
    assert "cannot be read" in rapl.probe(host, rapl.Options()).detail


def test_a_zone_without_range_or_limit_is_read(kernel: FakeKernel, host: Host) -> None:
    """AMD shows no constraints."""
    place = fakemeters.add_rapl(kernel, "intel-rapl:0", "package-0", 7.0)
    kernel.vanish(f"{place}/constraint_0_power_limit_uw")
    meter = opened("rapl", host)
    assert 7.0 == meter.read().counts[0].joules
    meter.close()


# ---------------------------------------------------------------- hwmon, power supplies, battery


def test_one_sensor_is_taken_and_several_must_be_named(kernel: FakeKernel, host: Host) -> None:
    """Parts of parts are never added up."""
    fakemeters.add_sensor(kernel, "hwmon0", "amdgpu", "power1_average", 15_000_000, "PPT")
    assert 15.0 == watts("hwmon", host)
    fakemeters.add_sensor(kernel, "hwmon1", "ina226", "power1_input", 3_500_000)
    answer = hwmon.probe(host, hwmon.Options())
    assert not answer
    assert "amdgpu/PPT, ina226/power1" in answer.detail
    assert 3.5 == watts("hwmon", host, sensor="ina226/power1")
    assert "there are amdgpu/PPT" in hwmon.probe(host, hwmon.Options(sensor="x")).remedy


def test_a_counter_of_energy_is_preferred_to_the_power_beside_it(kernel: FakeKernel, host: Host) -> None:
    """It misses nothing between two looks."""
    fakemeters.add_sensor(kernel, "hwmon0", "occ", "power1_input", 5_000_000, "system")
    fakemeters.add_sensor(kernel, "hwmon0", "occ", "energy1_input", 900_000_000, "system")
    meter = opened("hwmon", host)
    assert 900.0 == meter.read().counts[0].joules
    assert meter.read().watts is None
    meter.close()


def test_a_sensor_that_cannot_be_read_says_so(kernel: FakeKernel, host: Host) -> None:
    """A card that is switched off answers with an error or nothing."""
    fakemeters.add_sensor(kernel, "hwmon0", "amdgpu", "power1_input", 0)
    kernel.put("/sys/class/hwmon/hwmon0/power1_input", "")
    assert "cannot be read" in hwmon.probe(host, hwmon.Options()).detail


def test_the_firmwares_meter_is_no_sensor_of_a_part(kernel: FakeKernel, host: Host) -> None:
    """It is told by acpi."""
    fakemeters.add_sensor(kernel, "hwmon0", "power_meter", "power1_average", 1)
    assert not hwmon.probe(host, hwmon.Options())


def test_all_power_supplies_are_added_up(kernel: FakeKernel, host: Host) -> None:
    """Two share the load; what comes out of them (pout) is not what is paid for."""
    fakemeters.add_sensor(kernel, "hwmon0", "pmbus", "power1_input", 80_000_000, "pin")
    fakemeters.add_sensor(kernel, "hwmon0", "pmbus", "power2_input", 70_000_000, "pout1")
    fakemeters.add_sensor(kernel, "hwmon1", "pmbus", "power1_input", 60_000_000, "pin1")
    meter = opened("psu", host)
    assert 140.0 == meter.read().watts
    kernel.vanish("/sys/class/hwmon/hwmon1/power1_input")
    with pytest.raises(OSError, match="No such file"):
        meter.read()
    meter.close()
    kernel.put("/sys/class/hwmon/hwmon0/power1_input", "n/a")
    assert "cannot be read" in psu.probe(host, psu.Options()).detail


def test_a_battery_is_a_meter_while_it_feeds_the_machine(kernel: FakeKernel, host: Host) -> None:
    """By power, or current times voltage; drivers differ in the sign; a mouse's battery is not ours."""
    fakemeters.add_battery(kernel, "BAT0", "Discharging", power_now=-7_500_000)
    fakemeters.add_battery(
        kernel, "ups", "Discharging", "UPS", current_now=-2_000_000, voltage_now=12_000_000
    )
    fakemeters.add_battery(kernel, "mouse", "Discharging", scope="Device", power_now=1)
    fakemeters.add_battery(kernel, "AC", "", "Mains")
    meter = opened("battery", host)
    assert 31.5 == meter.read().watts
    kernel.put("/sys/class/power_supply/BAT0/status", "Charging")
    with pytest.raises(OSError, match="no longer"):
        meter.read()
    meter.close()


def test_on_mains_nothing_flows_out_of_a_battery(kernel: FakeKernel, host: Host) -> None:
    """Said with the remedy; and one that does not tell its power."""
    place = fakemeters.add_battery(kernel, "BAT0", "Full", power_now=0)
    assert "unplug" in battery.probe(host, battery.Options()).remedy
    kernel.put(f"{place}/status", "Discharging")
    kernel.vanish(f"{place}/power_now")
    assert "does not tell its power" in battery.probe(host, battery.Options()).detail


def test_a_sample_is_either_power_or_counters(kernel: FakeKernel, host: Host) -> None:
    """So that one is never taken for the other."""
    fakemeters.add_rapl(kernel, "intel-rapl:0", "package-0")
    fakemeters.add_acpi_meter(kernel)
    samples: list[Sample] = [opened(kind, host).read() for kind in ("rapl", "acpi")]
    assert [True, False] == [each.watts is None for each in samples]
    assert [1, 0] == [len(each.counts) for each in samples]


# ---------------------------------------------------------------- NVML (what it reads: integration/test_nvml_library.py)


def test_cards_of_nvidia_are_found_without_asking_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One by its address; without the library or on a recorded machine a reason, and nobody is woken."""
    kernel = laptop_like(tmp_path / "machine")
    address = fakeplatform.add_nvidia(kernel)
    host = Host(files=kernel, live=False)
    assert f"NVIDIA A40 ({address})" == nvml.probe(host, nvml.Options()).detail
    assert "no NVIDIA card at 0000:09:00.0" in nvml.probe(host, nvml.Options(card="0000:09:00.0")).detail
    assert kernel.nvml.users == 0
    del kernel.nvml
    assert "a recorded machine's cards cannot be asked" == nvml.probe(host, nvml.Options()).detail
    monkeypatch.setattr("powernap.host.nvml.MODULE", "there_is_no_such_module")
    answer = nvml.probe(Host(files=kernel), nvml.Options())
    assert ("nvidia-ml-py is not installed", INSTALL) == (answer.detail, answer.remedy)


def test_a_card_that_sleeps_is_not_measured_by_itself(tmp_path: Path) -> None:
    """To ask it would wake it."""
    kernel = laptop_like(tmp_path / "machine")
    fakeplatform.add_nvidia(kernel, status="suspended")
    host = Host(files=kernel, live=False)
    assert "would wake" in nvml.probe(host, nvml.Options()).detail
    with pytest.raises(UnavailableError):
        nvml.open(host, nvml.Options())
    assert kernel.nvml.woken == 0


def test_a_library_that_cannot_be_asked_is_closed_again(tmp_path: Path) -> None:
    """Whatever it stumbles over (here: an old nvidia-ml-py without the call): an open library keeps the cards awake."""
    kernel = laptop_like(tmp_path / "machine")
    fakeplatform.add_nvidia(kernel)
    with pytest.raises(AttributeError, match="TotalEnergyConsumption"):
        nvml.open(Host(files=kernel, live=False), nvml.Options())
    assert kernel.nvml.users == 0
