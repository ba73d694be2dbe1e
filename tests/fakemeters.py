"""Fake meters for the fake kernel: a powercap tree whose counters go round, and power sensors that follow what the machine does.

Owns ``add_rapl`` and ``spend`` (joules pass), ``add_acpi_meter`` (its watts come from the fake kernel's own cpufreq policies, so that an action that
clocks down really saves), ``add_sensor`` and ``add_battery``. State lives in the tree, as everything of the fake kernel does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fakeattributes import CPUFREQ, read_only, rule

if TYPE_CHECKING:
    from fakekernel import FakeKernel

POWERCAP = "/sys/class/powercap"
HWMON = "/sys/class/hwmon"
BASE, PER_GHZ = 100.0, 3.0
"""Watts of a fake machine with all clocks at nothing, and of each policy per GHz of its highest allowed frequency."""


def add_rapl(
    kernel: FakeKernel,
    zone: str,
    name: str,
    joules: float = 0.0,
    span: float = 262_143.328850,
    limit: float = 200.0,
) -> str:
    """A zone (``intel-rapl:0``, ``intel-rapl:0:2``); its directory."""
    place = f"{POWERCAP}/{zone}"
    for attribute, value in {
        "name": name,
        "energy_uj": str(round(joules * 1e6)),
        "max_energy_range_uj": str(round(span * 1e6)),
        "constraint_0_power_limit_uw": str(round(limit * 1e6)),
    }.items():
        kernel.add(f"{place}/{attribute}", value, writable=False)
    return place


def spend(kernel: FakeKernel, place: str, joules: float) -> None:
    """So much energy passes; the counter begins again from 0 at its end."""
    span = int(kernel.get(f"{place}/max_energy_range_uj"))
    now = (int(kernel.get(f"{place}/energy_uj")) + round(joules * 1e6)) % span
    kernel.put(f"{place}/energy_uj", str(now))


def add_acpi_meter(kernel: FakeKernel, chip: str = "hwmon3", base: float = BASE, interval: int = 1000) -> str:
    """A meter of the whole machine, which draws ``base`` and what the clocks allow. The directory of its attributes."""
    place = f"{HWMON}/{chip}/device"
    kernel.add(f"{HWMON}/{chip}/name", "power_meter", writable=False)
    kernel.add(f"{place}/power1_average", "", writable=False)
    kernel.add(f"{place}/power1_average_interval", str(interval))
    kernel.add(f"/.fake{place}/base", str(base))
    return place


def show_average(kernel: FakeKernel, path: str) -> str:
    """Microwatts, by the policies' highest allowed frequencies."""
    base = float(kernel.get(f"/.fake{path.rpartition('/')[0]}/base"))
    kilohertz = sum(
        int(kernel.get(f"{CPUFREQ}/{policy}/scaling_max_freq", "0"))
        for policy in kernel.names(CPUFREQ)
        if policy.startswith("policy")
    )
    return f"{round((base + PER_GHZ * kilohertz / 1e6) * 1000) * 1000}\n"


def add_sensor(kernel: FakeKernel, chip: str, kind: str, attribute: str, micro: int, label: str = "") -> str:
    """``power1_input`` or ``energy1_input`` of a chip of this kind."""
    kernel.add(f"{HWMON}/{chip}/name", kind, writable=False)
    kernel.add(f"{HWMON}/{chip}/{attribute}", str(micro), writable=False)
    if label:
        kernel.add(f"{HWMON}/{chip}/{attribute.rpartition('_')[0]}_label", label, writable=False)
    return f"{HWMON}/{chip}/{attribute}"


def add_battery(
    kernel: FakeKernel, name: str, status: str, kind: str = "Battery", **attributes: int | str
) -> str:
    """A power supply of its own kind."""
    place = f"/sys/class/power_supply/{name}"
    for attribute, value in {"type": kind, "status": status, **attributes}.items():
        kernel.add(f"{place}/{attribute}", str(value), writable=False)
    return place


rule(f"{HWMON}/*/device/power1_average", show_average, read_only)
