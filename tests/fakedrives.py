"""Fake drives: each keeps its motor, its power condition, its timers and its counters, whatever sysfs says of it.

Owns a drive's own state (JSON in ``/.fake/disks/NAME``, so it outlives the process that uses it), ``let_idle`` and ``read`` (time passes,
somebody reads), and ``command``: what it answers through its sg node (powernap.host.sg.door). How a machine is given a disk, and what the
disk's attributes do, is fakestorage.py.
"""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING, Any

from fakeattributes import refuse
from powernap.host.sg import Answer

if TYPE_CHECKING:
    from fakekernel import FakeKernel


# ------------------------------------------------------------ time passes, somebody reads


def drive_of(kernel: FakeKernel, name: str) -> dict[str, Any]:
    """A drive's own state: ``power`` (active, standby, stopped, or a power condition), ``commanded``, ``timers`` (its own run),
    ``starts``, ``hours``, ``rated``, ``test`` (a self-test runs), ``lies`` (says idle whatever it does), ``deaf`` (knows no ATA command),
    ``conditions`` (milliseconds by name).
    """
    state = {"power": "active", "commanded": False, "timers": True, "starts": 120, "hours": 20000}
    return {**state, **json.loads(kernel.get(f"/.fake/disks/{name}"))}


def set_drive(kernel: FakeKernel, name: str, **values: Any) -> None:
    """Change it."""
    kernel.put(
        f"/.fake/disks/{name}",
        json.dumps({**json.loads(kernel.get(f"/.fake/disks/{name}")), **values}, sort_keys=True),
    )


def drives(kernel: FakeKernel) -> list[str]:
    """All that answer commands."""
    return kernel.names("/.fake/disks")


def let_idle(kernel: FakeKernel, seconds: float) -> None:
    """Nobody reads anything for so long: the kernel lets those rest that may (drivers/base/power/runtime.c)."""
    for name in drives(kernel):
        device = drive_of(kernel, name)["path"]
        delay = kernel.get(f"{device}/power/autosuspend_delay_ms")
        if (
            kernel.get(f"{device}/power/control") == "auto"
            and delay != "none"
            and 0 <= int(delay) <= seconds * 1000
        ):
            if kernel.get(f"{device}/power/runtime_status") == "active" and _manages(kernel, device):
                set_drive(kernel, name, power="stopped")
            kernel.put(f"{device}/power/runtime_status", "suspended")


def _manages(kernel: FakeKernel, device: str) -> bool:
    names = (f"{device}/scsi_disk/{address}" for address in kernel.names(f"{device}/scsi_disk"))
    return any(kernel.get(f"{each}/{attribute}") == "1" for each in names for attribute in kernel.names(each))


def resume(kernel: FakeKernel, device: str) -> None:
    """The kernel wakes it, and starts its motor only where it manages that (drivers/scsi/sd.c, sd_resume)."""
    if kernel.get(f"{device}/power/runtime_status") != "suspended":
        return
    kernel.put(f"{device}/power/runtime_status", "active")
    name = next(name for name in drives(kernel) if drive_of(kernel, name)["path"] == device)
    if _manages(kernel, device) and drive_of(kernel, name)["power"] == "stopped":
        set_drive(kernel, name, power="active", starts=drive_of(kernel, name)["starts"] + 1)


def read(kernel: FakeKernel, name: str) -> None:
    """Somebody reads a sector: the kernel resumes the disk first. EIO where the drive stands still by a plain stop."""
    state = drive_of(kernel, name)
    resume(kernel, state["path"])
    state = drive_of(kernel, name)
    if state["power"] == "stopped":
        refuse(errno.EIO, name)
    if state["power"] != "active":
        set_drive(
            kernel,
            name,
            power="active",
            commanded=False,
            starts=state["starts"] + (state["power"] == "standby"),
        )


# ------------------------------------------------------------ commands

BAD = Answer(status=2, sense=bytes([0x72, 0x5, 0x20, 0, 0, 0, 0, 0]))
"""Check condition, illegal request, invalid operation code."""
ASKED: list[tuple[str, int]] = []
"""Which disk was asked what, in this process."""
COUNTS = {"active": 0xFF, "idle_a": 0x81, "idle_b": 0x82, "standby": 0x00}
BY_COMMAND = {"idle_a": 3, "standby_z": 4, "idle_b": 6, "idle_c": 8, "standby_y": 10}
FROM_CDB = {(2, 0): "idle_a", (2, 1): "idle_b", (2, 2): "idle_c", (3, 0): "standby_z", (3, 1): "standby_y"}


def command(kernel: FakeKernel, node: str, cdb: bytes, size: int) -> Answer:
    """What a disk answers through its sg node, which resumes a disk that the kernel has put to sleep."""
    name = next((name for name in drives(kernel) if f"/dev/{drive_of(kernel, name)['node']}" == node), None)
    if name is None or not kernel.exists(drive_of(kernel, name)["path"]):
        refuse(errno.ENODEV, node)
    resume(kernel, drive_of(kernel, name)["path"])
    state = drive_of(kernel, name)
    ASKED.append((name, cdb[0] if cdb[0] != 0x85 else cdb[14]))
    answer = (_ata if cdb[0] == 0x85 else _scsi)(kernel, state, cdb)
    return Answer(answer.status, answer.sense, answer.data[:size])


def _registers(count: int, status: int = 0x50) -> Answer:
    """Check condition, recovered error, ATA pass-through information available, in descriptor form."""
    descriptor = bytes([9, 12, 0, 0, 0, count, 0, 0, 0, 0, 0, 0, 0, status])
    return Answer(status=2, sense=bytes([0x72, 0x1, 0, 0x1D, 0, 0, 0, len(descriptor)]) + descriptor)


def _ata(kernel: FakeKernel, state: dict[str, Any], cdb: bytes) -> Answer:
    if not state["ata"] or state.get("deaf"):
        return BAD
    match cdb[14]:
        case 0xE5:
            return _registers(COUNTS["active" if state.get("lies") else state["power"]])
        case 0xE0:
            kernel.around("before", state["node"])
            set_drive(kernel, state["name"], power="standby")
            kernel.around("after", state["node"])
            return _registers(0)
        case 0xEA:
            return _registers(0)
        case 0xEC:
            return Answer(data=bytes(164) + bytes([0x00 if state.get("unable") else 0x08, 0]) + bytes(346))
        case 0xB0:
            read(kernel, state["name"])
            return Answer(data=smart(state))
    return BAD


def smart(state: dict[str, Any]) -> bytes:
    """SMART READ DATA."""
    data = bytearray(512)
    for row, (attribute, raw) in enumerate(
        {1: 0, 4: state["starts"], 9: state["hours"], 193: state["starts"]}.items()
    ):
        data[2 + 12 * row : 14 + 12 * row] = (
            bytes([attribute, 0x32, 0, 100, 100]) + raw.to_bytes(6, "little") + b"\0"
        )
    data[363] = 0xF4 if state.get("test") else 0
    return bytes(data)


def _scsi(kernel: FakeKernel, state: dict[str, Any], cdb: bytes) -> Answer:
    match cdb[0]:
        case 0x03:
            return Answer(data=_request_sense(state))
        case 0x12 if cdb[1] & 1 and cdb[2] == 0x8A and state.get("conditions"):
            return Answer(data=_conditions(state["conditions"]))
        case 0x1B if cdb[4] >> 4:
            return _start_stop(kernel, state, cdb[4] >> 4, cdb[3] & 0xF)
        case 0x4D if page := _log(state, cdb[2] & 0x3F):
            return Answer(data=page)
    return BAD


def _request_sense(state: dict[str, Any]) -> bytes:
    if state["power"] == "stopped":
        return bytes([0x70, 0, 2, 0, 0, 0, 0, 10, 0, 0, 0, 0, 4, 2, 0, 0, 0, 0])
    if state["power"] in BY_COMMAND:
        detail = BY_COMMAND[state["power"]] - (
            0 if state["commanded"] else 1 if state["power"] not in ("idle_a", "standby_z") else 2
        )
        return bytes([0x70, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x5E, detail, 0, 0, 0, 0])
    return bytes([0x70, 0, 0, 0, 0, 0, 0, 10]) + bytes(10)


def _conditions(times: dict[str, int]) -> bytes:
    at = {"stopped": 6, "standby_z": 8, "standby_y": 10, "idle_a": 12, "idle_b": 14, "idle_c": 16}
    page = bytearray([0, 0x8A, 0, 14] + [0] * 14)
    page[4] = ("standby_y" in times) << 1 | ("standby_z" in times)
    page[5] = ("idle_c" in times) << 2 | ("idle_b" in times) << 1 | ("idle_a" in times)
    for name, milliseconds in times.items():
        page[at[name] : at[name] + 2] = milliseconds.to_bytes(2, "big")
    return bytes(page)


def _start_stop(kernel: FakeKernel, state: dict[str, Any], power: int, modifier: int) -> Answer:
    """A condition by command stops the drive's timers; LU_CONTROL starts them and leaves the drive where it is (SBC-3 5.25)."""
    kernel.around("before", state["node"])
    wanted = FROM_CDB.get((power, modifier))
    if power == 7:
        set_drive(kernel, state["name"], timers=True, commanded=False)
    elif wanted in state.get("conditions", {}):
        set_drive(kernel, state["name"], timers=False, power=wanted, commanded=True)
    else:
        return Answer(status=2, sense=bytes([0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x24, 0, 0, 0, 0, 0]))
    kernel.around("after", state["node"])
    return Answer()


def _log(state: dict[str, Any], page: int) -> bytes:
    parameters = {
        0x0E: {3: state.get("rated", 50000), 4: state["starts"]} if "starts" in state else {},
        0x15: {0: state["hours"] * 60},
    }.get(page, {})
    body = b"".join(
        code.to_bytes(2, "big") + bytes([3, 4]) + value.to_bytes(4, "big")
        for code, value in parameters.items()
    )
    if page == 0x10:
        body = bytes([0, 1, 3, 16, 0xF if state.get("test") else 0]) + bytes(15)
    return bytes([page, 0]) + len(body).to_bytes(2, "big") + body if body and not state.get("silent") else b""
