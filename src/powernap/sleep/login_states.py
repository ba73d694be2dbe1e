"""The sleep states as systemd-logind names them, and what its answers about them mean (org.freedesktop.login1(5), "CanSuspend").

Owns words only; what the kernel offers is states.py's to say.
"""

from __future__ import annotations

from powernap.host.availability import Availability, available, unavailable
from powernap.sleep.states import HIBERNATE, HYBRID, OFF, SUSPEND, SUSPEND_THEN_HIBERNATE

METHODS = {
    SUSPEND: "Suspend",
    HIBERNATE: "Hibernate",
    SUSPEND_THEN_HIBERNATE: "SuspendThenHibernate",
    HYBRID: "HybridSleep",
    OFF: "PowerOff",
}
NEEDS_SWAP = (
    "it needs swap for the memory in use, resume= on the kernel's command line and no lockdown by secure boot"
)
NEEDS = {
    SUSPEND: "`cat /sys/power/state` lists what the kernel offers; the firmware setup may have S3 or standby switched off",
    HIBERNATE: NEEDS_SWAP,
    SUSPEND_THEN_HIBERNATE: f"{NEEDS_SWAP}, and a clock with an alarm (/sys/class/rtc/rtc0/wakealarm)",
    HYBRID: NEEDS_SWAP,
    OFF: "inside a container only its host can",
}


def availability(state: str, answer: str) -> Availability:
    """What an answer of ``CanSuspend`` and its like means; of all but "yes" what would help."""
    if answer == "yes":
        return available("logind")
    if answer in {"inhibited", "inhibitor-blocked"}:  # systemd 257: it could, were it not for a lock
        return available("logind; an inhibitor lock blocks it now")
    if "challenge" in answer:
        return unavailable(f"logind wants a password before {state}", "run powernapd as root")
    if answer == "na":
        return unavailable(f"neither the kernel nor sleep.conf(5) offers {state}", NEEDS[state])
    unit = "poweroff.target" if state == OFF else f"{state}.target"
    return unavailable(
        f"logind does not allow {state}",
        f"see `systemctl status {unit}` (masked?), Allow... in sleep.conf(5), and the polkit rules",
    )
