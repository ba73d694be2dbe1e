"""Whether this machine would be let go off when a schedule says so: powernapd refuses it where no way back is proven (sleep/preflight.py).

Looks at the record of proofs and at what the kernel offers, and asks nobody: a login manager may refuse on top of that.
"""

from __future__ import annotations

import os

from powernap.config.model import Config
from powernap.daemon.places import Places
from powernap.host.host import Host
from powernap.sleep import proof, states

RECORD = os.path.basename(proof.DEFAULT)
AS_ROOT = "run as root, outside a container"
"""What the kernel's offer is not known without."""


def refusal(config: Config, host: Host) -> str:
    """Why it would be refused now, with what to do; empty where nothing speaks against it."""
    state = config.off.sleep
    offer = states.offered(host.files).get(state)
    if offer is not None and not offer and offer.remedy != AS_ROOT:
        return "; ".join(filter(None, (f"{state} is not possible here: {offer.detail}", offer.remedy)))
    alarm = config.sleep.alarm is not None or any(each.wake for each in config.schedules.values())
    record = proof.load(os.path.join(host.state or Places.state, RECORD))
    found = proof.refusal(host.files, record, state, config.sleep, alarm=alarm)
    if not found or "prove-wake" not in found:
        return found
    return f'{found}, or set [sleep] proof = "override" if you know that there is one'
