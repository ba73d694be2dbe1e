"""Guards of network ports: why the speed or the idle mode of one must be left alone.

Owns the looking, by files and mount tables only. The wake path (host/wake_path.py) comes first: a port that is armed or carries the default route
cannot be passed over. Each of the others is a name that an admin may pass over, among them a port that is only able to wake the machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from powernap.host.device_guards import Guard, passable, standing
from powernap.host.files import matching, text, whole_number
from powernap.host.wake_path import NET, carriers, exempt, wake_path, wake_switch

if TYPE_CHECKING:
    from powernap.host.files import Files

Settings = TypeVar("Settings")
ETHERNET = "1"  # ARPHRD_ETHER
UP = 0x1  # IFF_UP, netdevice(7)
REMOTE = re.compile(r"^\S+ \S+ (nfs4?|cifs|smb3|ceph|glusterfs|fuse\.glusterfs|ocfs2|gfs2) ", re.MULTILINE)


def member(files: Files, port: str) -> str:
    """A bond, team or bridge that the port belongs to (their ``master`` link)."""
    above = f"{NET}/{port}/master"
    group = files.real(above).rpartition("/")[2] if files.exists(above) else ""
    return f"{port} is a member of {group}, whose other end relies on its speed" if group else ""


def shared(files: Files, port: str) -> str:
    """SR-IOV: virtual functions that others use over this port, or a port that is one."""
    if whole_number(files, f"{NET}/{port}/device/sriov_numvfs") > 0:
        return f"{port} has virtual functions, which guests use"
    return (
        f"{port} is a virtual function of another port" if files.exists(f"{NET}/{port}/device/physfn") else ""
    )


def storage(files: Files, _port: str) -> str:
    """Disks and file systems over the network: over which port cannot be told cheaply."""
    if matching(files, "/sys/class/iscsi_session/session*"):
        return "iSCSI is in use, and two seconds without a link are two without a disk"
    found = REMOTE.search(text(files, "/proc/mounts"))
    return (
        f"a {found[1]} file system is mounted, and two seconds without a link are two without it"
        if found
        else ""
    )


GUARDS: tuple[Guard[str], ...] = (
    Guard("member", member),
    Guard("sr-iov", shared),
    Guard("network-storage", storage),
)


CAN_WAKE = "can-wake"
NAMES = (*passable(GUARDS), CAN_WAKE)
"""What ``despite`` may hold."""


def ports(files: Files, chosen: Iterable[str] = ()) -> list[str]:
    """Ethernet cards that are up and have a link: these draw power for it. ``chosen``: only these of them."""
    wanted = set(chosen)
    cards = [
        path
        for path in matching(files, f"{NET}/*")
        if files.exists(f"{path}/device") and _linked(files, path)
    ]
    names = [path.rpartition("/")[2] for path in cards]
    return [name for name in names if not wanted or name in wanted]


def _linked(files: Files, path: str) -> bool:
    flags = text(files, f"{path}/flags", "0x0")
    up = bool(int(flags, 16) & UP) if re.fullmatch(r"0x[0-9a-f]+", flags) else False
    wired = text(files, f"{path}/type") == ETHERNET and not files.exists(f"{path}/wireless")
    return up and wired and text(files, f"{path}/carrier") == "1"


def refusal(files: Files, port: str, despite: Iterable[str], known: Mapping[str, str] | None = None) -> str:
    """Why a port is left alone; empty when it may be touched. ``known``: the wake path, where many ports are judged."""
    passed = set(despite)
    why = exempt(files, f"{NET}/{port}", known)
    if why and _needed(files, port):
        return f"{why}: the way back is left alone"
    if why and CAN_WAKE not in passed:
        return f'{why} (guard "{CAN_WAKE}")'
    return standing(files, GUARDS, port, passed)


def judged(
    files: Files,
    chosen: Iterable[str],
    despite: Iterable[str],
    settings: Callable[[str], Settings],
    unsuitable: Callable[[str, Settings], str],
    lacking: str,
) -> Iterator[tuple[str, Settings | str]]:
    """Each port with its settings, or with the reason why it stays as it is.

    :param settings: reads them; an ``OSError`` becomes "eth0 ``lacking`` (why)". :param unsuitable: why nothing would come of it, or nothing.
    """
    known = wake_path(files)
    for port in ports(files, chosen):
        if why := refusal(files, port, despite, known):
            yield port, why
            continue
        try:
            now = settings(port)
        except OSError as error:
            yield port, f"{port} {lacking} ({error.strerror})"
            continue
        yield port, unsuitable(port, now) or now


def _needed(files: Files, port: str) -> bool:
    """Whether the way back is over this port now: not only that its hardware could wake the machine, as that of nearly all could."""
    return port in carriers(files) or wake_switch(files, port) != "disabled"
