"""The machine that QEMU emulates. Its devices are the same when it boots, is frozen and is thawed; only what stands behind them differs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.build import Parts

MEMORY = 768
"""MiB."""
COMMAND_LINE = "console=ttyS0 quiet panic=-1 no_console_suspend mitigations=off systemd.show_status=0 audit=0 net.ifnames=0 no_timer_check tsc=nowatchdog"
CODE_SIZE = 32 << 20
"""Bytes of the disk with the code under test. A thawed machine must find it as large as it was."""


@dataclass(frozen=True)
class Disks:
    """What stands behind the machine's disks.

    :param root: an overlay of the built one (qcow2).
    :param code: what is under test; read-only.
    :param keep: whether what is written to the disks stays after the end.
    """

    root: Path
    code: Path
    data: Path
    keep: bool = False


def devices(disks: Disks) -> list[str]:
    """QEMU's words for the devices."""
    snapshot = "off" if disks.keep else "on"
    return [
        "-device", "pc-testdev",
        "-drive", f"file={disks.root},if=none,id=root,format=qcow2,cache=unsafe,snapshot={snapshot}",
        "-device", "virtio-blk-pci,drive=root,serial=root",
        "-drive", f"file={disks.code},if=none,id=code,format=raw,readonly=on",
        "-device", "virtio-blk-pci,drive=code,serial=code",
        "-device", "ich9-ahci,id=sata",
        "-drive", f"file={disks.data},if=none,id=data,format=raw,cache=unsafe,snapshot=on",
        "-device", "ide-hd,bus=sata.0,drive=data,serial=LABDISK1,rotation_rate=7200",
        "-device", "qemu-xhci,id=usb",
        "-device", "usb-mouse,bus=usb.0,port=1,id=mouse",
        "-device", KEYBOARD,
        "-audiodev", "none,id=quiet",
        "-device", "intel-hda",
        "-device", "hda-duplex,audiodev=quiet",
        "-netdev", "hubport,id=net0,hubid=0",
        "-device", "virtio-net-pci,netdev=net0,mac=52:54:00:6c:61:01",
        "-netdev", "hubport,id=net1,hubid=1",
        "-device", "rtl8139,netdev=net1,mac=52:54:00:6c:61:02",
        "-device", "virtio-serial-pci",
        "-device", "virtserialport,chardev=agent,name=lab",
    ]  # fmt: skip


KEYBOARD = "usb-kbd,bus=usb.0,port=2,id=keyboard"


def command(parts: Parts, disks: Disks, directory: Path, console: str) -> list[str]:
    """The whole command.

    :param directory: for the sockets ``qmp`` and ``agent``.
    :param console: QEMU's words for what stands behind the serial console.
    """
    # a person's console is shared with QEMU's monitor
    monitor = ["-mon", "chardev=console,mode=readline"] if "mux=on" in console else []
    return [
        "qemu-system-x86_64", "-name", "powernap-lab", "-nodefaults", "-no-user-config", "-display", "none",
        "-machine", "pc", "-accel", "tcg,thread=multi", "-cpu", "Nehalem,+arat", "-m", str(MEMORY),
        "-smp", "4,sockets=1,cores=2,threads=2", "-acpitable", f"file={parts.table}",
        "-kernel", str(parts.kernel), "-initrd", str(parts.initrd), "-append", COMMAND_LINE,
        "-qmp", f"unix:{directory}/qmp,server=on,wait=off",
        "-chardev", f"socket,id=agent,path={directory}/agent,server=on,wait=off",
        "-chardev", f"{console},id=console", "-serial", "chardev:console", *monitor,
        *devices(disks),
    ]  # fmt: skip
