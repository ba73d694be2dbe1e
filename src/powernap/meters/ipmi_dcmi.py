"""The management controller's view of the whole machine (IPMI, DCMI power reading), from inside, over /dev/ipmi0.

DCMI specification 1.5, 6.6.1: network function 2Ch, command 02h, group DCh, mode 1. The answer holds the power now and its minimum, maximum and mean over a
window that may be months long: only the power now is used. Many controllers renew it only every few seconds, and are slow: it is read every 10 s.
Some know no DCMI and answer C1h.
"""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING, Protocol

from powernap.core.energy import Sample
from powernap.core.value import dataclass
from powernap.host.availability import Availability, UnavailableError, available, unavailable

if TYPE_CHECKING:
    from powernap.host.host import Host

SCOPE = "bmc"
LOCAL = False
DEVICE = "/dev/ipmi0"
NETFN, COMMAND, GROUP = 0x2C, 0x02, 0xDC
REQUEST = bytes((GROUP, 0x01, 0x00, 0x00))
"""Mode 1: system power statistics."""
ANSWER = struct.Struct("<BBHHHHIIB")
"""Completion code, group, now, minimum, maximum, mean (watts), time stamp, window (milliseconds), state."""
ACTIVE = 0x40
UNKNOWN_COMMAND = 0xC1
REFUSALS = {
    UNKNOWN_COMMAND: "it knows no DCMI power reading (C1h)",
    0xC0: "it is busy (C0h)",
    0xCB: "it has no power sensor (CBh)",
    0xD4: "we may not ask it (D4h)",
}


class Controller(Protocol):
    """One request and its answer (host/ipmi.py)."""

    def ask(self, netfn: int, cmd: int, data: bytes) -> bytes:
        """The answer, its first byte the completion code."""
        ...

    def close(self) -> None:
        """Give it back."""
        ...


@dataclass(frozen=True)
class Options:
    """It has none."""


class RefusedError(OSError):
    """The controller will not tell, and why."""


def probe(host: Host, options: Options) -> Availability:  # noqa: ARG001
    """Whether there is a controller that we may ask; it is not asked (a slow one takes seconds)."""
    if not host.files.exists(DEVICE):
        return unavailable(
            "there is no management controller", "modprobe ipmi_si ipmi_devintf, on a server that has one"
        )
    if host.live and not os.access(DEVICE, os.R_OK | os.W_OK):
        return unavailable(f"{DEVICE} may be used by root only", "run as root")
    return available(DEVICE)


def open(host: Host, options: Options) -> Dcmi:  # noqa: A001 - the word of the protocol
    """Asks once, so that a controller without DCMI is refused here."""
    from powernap.host import ipmi  # noqa: PLC0415 - only machines that have one need the door

    answer = probe(host, options)
    if not answer:
        raise UnavailableError(answer)
    try:
        controller = ipmi.Controller(DEVICE)
    except OSError as error:
        raise UnavailableError(unavailable(f"{DEVICE} cannot be opened: {error.strerror}")) from None
    return begin(host, controller)


def begin(host: Host, controller: Controller) -> Dcmi:
    """A meter that has answered once; ``UnavailableError``, with the controller closed, where it will not."""
    meter = Dcmi(host, controller)
    try:
        meter.read()
    except (OSError, ValueError) as error:
        controller.close()
        reason = f"the management controller does not tell the power: {error.strerror if isinstance(error, OSError) else error}"
        raise UnavailableError(unavailable(reason, "its firmware may offer it by Redfish")) from None
    return meter


class Dcmi:
    """The open controller."""

    source = DEVICE
    step, interval, gap, counts = 1.0, 10.0, 60.0, False

    def __init__(self, host: Host, controller: Controller) -> None:
        self.host, self.controller = host, controller

    def read(self) -> Sample:
        """Watts now."""
        answer = self.controller.ask(NETFN, COMMAND, REQUEST)
        return Sample(self.host.clock.boottime(), parse(answer))

    def close(self) -> None:
        """Give the device back."""
        self.controller.close()


def parse(answer: bytes) -> float:
    """Watts now. :class:`RefusedError` says why there is none, ``ValueError`` that the answer is none of DCMI's."""
    if not answer:
        raise ValueError("it gave an empty answer")
    if answer[0]:
        raise RefusedError(errno.EOPNOTSUPP, REFUSALS.get(answer[0], f"it refused ({answer[0]:02X}h)"))
    if len(answer) < ANSWER.size or answer[1] != GROUP:
        raise ValueError(f"it answered {answer.hex(' ')}, which is no DCMI power reading")
    watts, state = ANSWER.unpack_from(answer)[2], ANSWER.unpack_from(answer)[8]
    if not state & ACTIVE:
        raise RefusedError(errno.ENODATA, "its power measurement is switched off")
    return float(watts)
