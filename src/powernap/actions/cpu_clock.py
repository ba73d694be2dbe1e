"""Clocks the processors down: governor, energy preference, frequency limits, bias and boost, as one compound.

Pays off at the few percent of load that monitoring and cron cause; a truly idle processor sleeps at any frequency. Owns the cpufreq policies, the
intel_pstate percentages, the energy bias (EPB) and the boost switch. Never writes ``intel_pstate/status``, which makes all policies anew.

The order, which restoring follows backwards (research/powersave-knobs.md section 4):
tunables first, because a governor that is chosen again starts with its defaults; the governor before the energy preference, which the
``performance`` governor hides and locks; the minimum before the maximum, because a minimum above the maximum is clamped without an
error; boost last, because it moves the maximum, which comes back by itself only where nobody wrote it meanwhile.

Preference, bias and boost are optional: firmware or driver may refuse each (EBUSY, EPERM, EINVAL), and the limits save without them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.core.options import option
from powernap.core.units import UnitError, ratio
from powernap.core.value import dataclass
from powernap.host import cpufreq
from powernap.host.availability import Availability, available, unavailable, unwritable
from powernap.host.conflicts import owners
from powernap.host.cpufreq import CPUFREQ
from powernap.host.cpus import CPU, number
from powernap.host.files import matching, text, whole_number
from powernap.host.knobs import Change
from powernap.host.modes import writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files
    from powernap.host.host import Host

RISK = "safe"
LANE = "fast"

PSTATE = f"{CPU}/intel_pstate"
# drivers that choose the frequency themselves (or in hardware): their `powersave` follows the load; elsewhere it is the fixed minimum
ACTIVE_DRIVERS = {"intel_pstate", "amd-pstate-epp", "amd_pstate_epp"}
FREQUENCIES = {"kHz": 1.0, "MHz": 1e3, "GHz": 1e6}


def _maximum(value: str) -> str | None:
    """What is wrong with the option ``max``."""
    try:
        limit(value, 800_000, 3_600_000)
    except UnitError as error:
        return str(error)
    return None


@dataclass(frozen=True)
class Options:
    """How far down."""

    governor: str = option(
        "auto",
        example="schedutil",
        help='The cpufreq governor. "auto" takes the one that follows the load; "keep" leaves it, and with it the energy preference of'
        " a machine whose governor is performance.",
    )
    max: str = option(
        "lowest",
        example="50%",
        check=_maximum,
        help='The highest frequency: "lowest", a share of the highest ("50%"), a frequency ("1.2GHz"), or "keep".',
    )
    energy_preference: bool = option(True, help="Ask the processor for the least energy (EPP and EPB).")
    boost: bool = option(True, help="Switch turbo frequencies off.")
    override: bool = option(
        False, help="Also where another tool rewrites these values by itself (auto-cpufreq, cpufreqd)."
    )


def limit(value: str, low: int, high: int) -> int | None:
    """The wanted highest frequency in kHz, between ``low`` and ``high``; ``None`` to keep. ``UnitError`` says how to write it."""
    words: dict[str, int | None] = {"keep": None, "lowest": low}
    if value in words:
        return words[value]
    wrong = UnitError(
        f'"{value}" is not a frequency; write "lowest", "keep", a share such as "50%" or a frequency such as "1.2GHz"'
    )
    try:
        if value.endswith("%"):
            return max(low, min(high, round(high * ratio(value))))
        return max(low, min(high, round(float(value[:-3]) * FREQUENCIES[value[-3:]])))
    except (UnitError, ValueError, KeyError):
        raise wrong from None


def probe(host: Host, options: Options) -> Availability:
    """What can be clocked down here, and who else sets it."""
    files, rivals = host.files, owners(host.files, "cpu-clock")
    for rival in rivals:
        if rival.tool.rewrites and not options.override:
            return unavailable(f"{rival} sets the same knobs", f"{rival.tool.advice}; or set override = true")
    policies = _policies(files)
    bias = matching(files, f"{CPU}/cpu[0-9]*/power/energy_perf_bias")
    if not policies and not bias:
        return unavailable(f"no cpufreq: {CPUFREQ} is empty", _no_driver(files))
    if not any(
        writable(files, path) for path in [*(f"{policy}/scaling_max_freq" for policy in policies), *bias]
    ):
        return unwritable((policies or bias)[0])
    driver = (
        text(files, f"{policies[0]}/scaling_driver", "an unknown driver") if policies else "energy bias only"
    )
    notes = [f"{rival}: {rival.tool.advice}" for rival in rivals]
    notes += (
        sorted({why for policy in policies if (why := _irreversible(files, policy))})
        if options.energy_preference
        else []
    )
    return available(
        "; ".join(
            [f"{len(policies)} frequency {'policy' if len(policies) == 1 else 'policies'} ({driver})", *notes]
        )
    )


def plan(host: Host, options: Options) -> Iterator[Change]:
    """The compound, from the governors' tunables to boost."""
    files = host.files
    policies = _policies(files)
    changing = [policy for policy in policies if _governor(files, policy, options)]
    yield from cpufreq.tunables(files, changing)
    for policy in policies:
        yield from _limits_before(files, policy, options)
        if governor := _governor(files, policy, options):
            yield Change(f"{policy}/scaling_governor", governor)
        if options.energy_preference and not _irreversible(files, policy):
            yield from _preference(files, policy)
        yield from _limits(files, policy, options)
    yield from _percentages(files, policies, options)
    if options.energy_preference:
        for path in matching(files, f"{CPU}/cpu[0-9]*/power/energy_perf_bias"):
            yield from _set(files, path, "15", optional=True)
    if options.boost:
        yield from _boost(files, policies)


def _policies(files: Files) -> list[str]:
    """Policies with a processor online; the others answer EBUSY to every read."""
    found = matching(files, f"{CPUFREQ}/policy[0-9]*")
    return sorted((policy for policy in found if text(files, f"{policy}/scaling_governor")), key=number)


def _governor(files: Files, policy: str, options: Options) -> str:
    """The governor to switch to; empty when it stays."""
    offered = text(files, f"{policy}/scaling_available_governors").split()
    best = (
        ["powersave"]
        if text(files, f"{policy}/scaling_driver") in ACTIVE_DRIVERS
        else ["schedutil", "powersave"]
    )
    wanted = next(
        (name for name in (best if options.governor == "auto" else [options.governor]) if name in offered), ""
    )
    same = wanted == text(files, f"{policy}/scaling_governor")
    return "" if same or not writable(files, f"{policy}/scaling_governor") else wanted


def _irreversible(files: Files, policy: str) -> str:
    """Why the energy preference could not be put back: a number where the driver takes only names (amd-pstate, Linux 6.12)."""
    now = text(files, f"{policy}/energy_performance_preference")
    names = text(files, f"{policy}/energy_performance_available_preferences").split()
    numbers = text(files, f"{policy}/scaling_driver") == "intel_pstate"
    if not now or now in names or (now.isdigit() and numbers):
        return ""
    return f"the energy preference stays: the firmware's {now} could not be written back"


def _preference(files: Files, policy: str) -> Iterator[Change]:
    """The most saving preference; none under the ``performance`` governor, which refuses (EBUSY)."""
    if text(files, f"{policy}/scaling_governor") == "performance":
        return
    offered = text(files, f"{policy}/energy_performance_available_preferences").split()
    for name in ("power", "balance_power"):
        if name in offered:
            yield from _set(
                files, f"{policy}/energy_performance_preference", name, form="text", optional=True
            )
            return


def _limits_before(files: Files, policy: str, options: Options) -> Iterator[Change]:
    """A maximum that stays as it is will be moved by the boost switch: remember it."""
    path = f"{policy}/scaling_max_freq"
    if options.boost and options.max == "keep" and writable(files, path):
        yield Change(path, None, form="number")


def _limits(files: Files, policy: str, options: Options) -> Iterator[Change]:
    """Minimum, then maximum: neither is ever raised."""
    low, high = (
        whole_number(files, f"{policy}/cpuinfo_min_freq"),
        whole_number(files, f"{policy}/cpuinfo_max_freq"),
    )
    if low <= 0 or high < low:
        return
    wanted = limit(
        options.max, max(low, whole_number(files, f"{policy}/amd_pstate_lowest_nonlinear_freq")), high
    )
    yield from _lower(files, f"{policy}/scaling_min_freq", low)
    if wanted is not None:
        yield from _lower(files, f"{policy}/scaling_max_freq", _offered(files, policy, wanted))


def _offered(files: Files, policy: str, wanted: int) -> int:
    """The next frequency at or below ``wanted``, where the driver has a table: it would round silently."""
    table = [
        int(word) for word in text(files, f"{policy}/scaling_available_frequencies").split() if word.isdigit()
    ]
    return max((each for each in table if each <= wanted), default=min(table, default=wanted))


def _percentages(files: Files, policies: list[str], options: Options) -> Iterator[Change]:
    """intel_pstate's global limits, which exist where there are none per policy; minimum first, as with frequencies."""
    first = next(iter(policies), "")
    low, high = (
        whole_number(files, f"{first}/cpuinfo_min_freq"),
        whole_number(files, f"{first}/cpuinfo_max_freq"),
    )
    if low <= 0 or high < low:
        return
    # what the driver clamps to: min_pstate * 100 / turbo_pstate, rounded down (drivers/cpufreq/intel_pstate.c, min_perf_pct_min)
    yield from _lower(files, f"{PSTATE}/min_perf_pct", low * 100 // high)
    wanted = limit(options.max, low, high)
    if wanted is not None:
        yield from _lower(
            files,
            f"{PSTATE}/max_perf_pct",
            max(wanted * 100 // high, whole_number(files, f"{PSTATE}/min_perf_pct")),
        )


def _boost(files: Files, policies: list[str]) -> Iterator[Change]:
    """One switch: intel_pstate's, the global one (which sets those of the policies too), or each policy's."""
    if files.exists(f"{PSTATE}/no_turbo"):
        yield from _set(files, f"{PSTATE}/no_turbo", "1", optional=True)
        return
    each = [f"{policy}/boost" for policy in policies if writable(files, f"{policy}/boost")]
    if whole_number(files, f"{CPUFREQ}/boost") == 1:
        for path in each:
            yield Change(path, None, form="number")
        yield from _set(files, f"{CPUFREQ}/boost", "0", optional=True)
        return
    for path in each:
        yield from _set(files, path, "0", optional=True)


def _lower(files: Files, path: str, value: int) -> Iterator[Change]:
    if whole_number(files, path) > value:
        yield from _set(files, path, str(value))


def _set(
    files: Files, path: str, value: str, form: str = "number", *, optional: bool = False
) -> Iterator[Change]:
    """A write where it changes something and may be tried."""
    if writable(files, path) and text(files, path) not in {"", value}:
        yield Change(path, value, form=form, optional=optional)


def _no_driver(files: Files) -> str:
    if " hypervisor" in text(files, "/proc/cpuinfo"):
        return "none here: the hypervisor keeps the clocks, so run PowerNap on the host as well"
    return "load a driver (modprobe acpi-cpufreq) or allow it in the firmware: look for P-states, SpeedStep, Cool'n'Quiet, OS control"
