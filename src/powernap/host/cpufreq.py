"""Frequency policies: which lose all their processors, and what the kernel forgets of a policy or of its governor.

Of a policy without processors the kernel itself keeps the governor's name, the lowest frequency and the energy preference, each since before
Linux 6.1 (drivers/cpufreq/cpufreq.c: ``last_governor``, ``min_freq_req``; the drivers' ``epp_cached``): what need not be put back
is not remembered, since what shows of it may be the firmware's or a thermal limit, which ends meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powernap.host.cpus import CPU, number
from powernap.host.files import matching, text, whole_number
from powernap.host.knobs import Change
from powernap.host.modes import writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from powernap.host.files import Files

CPUFREQ = f"{CPU}/cpufreq"


def forgotten_by_hotplug(files: Files, going: frozenset[int]) -> Iterator[Change]:
    """What is lost of each policy whose processors all go: to be remembered before them, so that it is put back after them.

    The tunables of its governor; since Linux 6.14 the highest frequency too (cpufreq_policy_online: the driver's maximum is requested anew,
    1608f0230510) and the policy's own boost switch, which then mirrors the global one. Boost is put back first, as it moves the maximum.
    """
    policies = _emptied(files, going)
    yield from tunables(files, policies)
    for policy in policies:
        if _limited(files, policy):
            yield Change(f"{policy}/scaling_max_freq", None, form="number")
    for policy in policies:
        if writable(files, f"{policy}/boost"):
            yield Change(f"{policy}/boost", None, form="number")


def tunables(files: Files, policies: list[str]) -> Iterator[Change]:
    """What the governors that go would forget: global directories, per-policy ones, and the fixed speed of ``userspace``."""
    directories = dict.fromkeys(
        directory
        for policy in policies
        for directory in (
            f"{CPUFREQ}/{text(files, f'{policy}/scaling_governor')}",
            f"{policy}/{text(files, f'{policy}/scaling_governor')}",
        )
    )
    for directory in directories:
        for name in files.names(directory):
            if writable(files, f"{directory}/{name}"):
                yield Change(f"{directory}/{name}", None, form="number")
    for policy in policies:
        if text(files, f"{policy}/scaling_governor") == "userspace":
            yield Change(f"{policy}/scaling_setspeed", None, form="number")


def _emptied(files: Files, going: frozenset[int]) -> list[str]:
    """The policies of which no processor would be left; those that have none now answer EBUSY, and have nothing to lose."""
    members = {policy: _members(files, policy) for policy in matching(files, f"{CPUFREQ}/policy[0-9]*")}
    return sorted((policy for policy, cpus in members.items() if cpus and cpus <= going), key=number)


def _members(files: Files, policy: str) -> frozenset[int]:
    """The processors of a policy that are online."""
    return frozenset(int(word) for word in text(files, f"{policy}/affected_cpus").split() if word.isdigit())


def _limited(files: Files, policy: str) -> bool:
    """Whether somebody has lowered the highest frequency. What the firmware limits (``bios_limit``, ACPI's _PPC) is not ours to write."""
    now = whole_number(files, f"{policy}/scaling_max_freq")
    firmware = whole_number(files, f"{policy}/bios_limit")
    ceiling = whole_number(files, f"{policy}/cpuinfo_max_freq")
    return 0 < now < (min(firmware, ceiling) if firmware > 0 else ceiling)
