"""The guest's root disk: Debian with systemd and Python, the modules of its devices, and the agent. No loop mount, nothing is installed."""

from __future__ import annotations

import shutil
from pathlib import Path

from lab import cache, kernel
from lab.programs import run

SUITE = "bookworm"
PACKAGES = (
    "systemd-sysv", "dbus", "libpam-systemd", "udev", "kmod", "python3", "iproute2", "ethtool", "hdparm", "sg3-utils",
    "procps", "util-linux-extra", "mdadm",
)  # fmt: skip
MODULES = (
    "arch/x86/crypto", "block", "crypto", "drivers/acpi", "drivers/ata", "drivers/block", "drivers/char", "drivers/cpufreq",
    "drivers/hid", "drivers/hwmon", "drivers/input", "drivers/leds", "drivers/md", "drivers/net/dummy.ko", "drivers/net/ethernet/realtek",
    "drivers/net/mii.ko", "drivers/net/net_failover.ko", "drivers/net/phy", "drivers/net/veth.ko", "drivers/net/virtio_net.ko",
    "drivers/nvme", "drivers/powercap", "drivers/scsi", "drivers/thermal", "drivers/usb", "drivers/virtio",
    "fs/autofs", "fs/ext4", "fs/jbd2", "fs/mbcache.ko", "lib", "net/802", "net/core", "net/llc", "net/packet", "sound/core", "sound/drivers",
    "sound/hda", "sound/pci/hda", "sound/soundcore.ko",
)  # fmt: skip
"""Of the kernel's module tree; all of it would be 300 MB. What is not there does not load, as on a machine without the device."""
LOADED = (
    "acpi_cpufreq",
    "cpufreq_ondemand",
    "cpufreq_conservative",
    "cpufreq_powersave",
    "acpi_power_meter",
    "snd_dummy",
    "scsi_debug",
)
"""Loaded at boot; udev finds the rest."""
MASKED = (
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
    "systemd-tmpfiles-clean.timer", "systemd-timesyncd.service", "systemd-pcrphase.service", "systemd-update-utmp.service",
    "getty@tty1.service", "proc-sys-fs-binfmt_misc.automount", "mdmonitor.service", "mdcheck_start.timer", "mdcheck_continue.timer",
    "mdmonitor-oneshot.timer",
)  # fmt: skip
"""What would disturb a quiet machine."""
SLOW_HOOK = "usr/lib/systemd/system-sleep/hdparm"
"""Looks at each disk after a sleep that systemd began; that takes 10 to 30 s here, and for the login manager the sleep lasts until it ends."""
SIZE = "1G"
HERE = Path(__file__).parent
AGENT = HERE / "agent.py"
FILES = {
    "etc/hostname": "lab\n",
    "etc/fstab": "/dev/vda / ext4 rw,noatime 0 0\n",
    "etc/modprobe.d/lab.conf": "options scsi_debug dev_size_mb=16 num_tgts=2\n",
    "etc/modules-load.d/lab.conf": "".join(f"{name}\n" for name in LOADED),
    # the code disk is mounted here after each thaw; python finds it wherever it is started
    "usr/lib/python3/dist-packages/lab-code.pth": "/code/src\n/code/tests\n/code\n",
    "usr/local/bin/powernap": '#!/bin/sh\nexec python3 -m powernap "$@"\n',
    "usr/local/bin/powernapd": '#!/bin/sh\nexec python3 -m powernap.daemon "$@"\n',
    "etc/systemd/system/lab-agent.service": """[Unit]
Description=Runs what the lab's tests ask for
After=dbus.service systemd-logind.service
[Service]
ExecStart=/usr/bin/python3 -u /usr/local/lib/lab-agent.py
KillMode=process
Restart=always
RestartSec=1
StandardOutput=journal+console
StandardError=journal+console
[Install]
WantedBy=multi-user.target
""",
}  # fmt: skip


def packages(say: cache.Say) -> Path:
    """The installed packages, as one archive."""
    return cache.product("packages", [SUITE, *PACKAGES], _install, say)


def make(tree: Path, packages: Path, say: cache.Say) -> Path:
    """The disk's image."""
    parts: list[str | bytes | Path] = [packages.name, tree.name, Path(__file__), AGENT]
    return cache.product("root", parts, lambda path: _write(path, tree, packages), say)


def _install(path: Path) -> None:
    left_out = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale", "info")]
    run(
        "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--format=tar", f"--include={','.join(PACKAGES)}",
        '--aptopt=APT::Install-Recommends "false"', "--dpkgopt=force-unsafe-io", *left_out, SUITE, path, *_sources(),
    )  # fmt: skip


def _sources() -> list[Path]:
    """Where this machine has Debian from; none, and mmdebstrap takes deb.debian.org."""
    places = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))
    return [path for path in places if path.exists() and SUITE in path.read_text()][:1]


def _write(path: Path, tree: Path, packages: Path) -> None:
    root = path.with_name(f"{path.name}.tree")
    root.mkdir()
    run("tar", "-xf", packages, "-C", root, "--exclude=./dev/*", "--exclude=./var/lib/apt/lists/*")
    (root / SLOW_HOOK).unlink()
    _copy_modules(tree, root)
    for name, content in FILES.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
        file.chmod(0o755 if content.startswith("#!") else 0o644)
    shutil.copy(AGENT, root / "usr/local/lib/lab-agent.py")
    (root / "code").mkdir()
    (root / "etc/machine-id").write_text("b7c1f0c4a5d94b6b9f2c7a1e0d3f5a68\n")
    shadow = root / "etc/shadow"
    shadow.write_text(shadow.read_text().replace("root:*:", "root::", 1))
    _links(root / "etc/systemd")
    run("truncate", "-s", SIZE, path)
    run("mke2fs", "-q", "-t", "ext4", "-O", "^has_journal,^metadata_csum", "-d", root, path)
    shutil.rmtree(root)


def _links(systemd: Path) -> None:
    """What starts and what never does. Whoever wants to log in on the console starts its getty."""
    for name in MASKED:
        (systemd / "system" / name).unlink(missing_ok=True)
        (systemd / "system" / name).symlink_to("/dev/null")
    wants = systemd / "system/multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "lab-agent.service").symlink_to("../lab-agent.service")
    (systemd / "system-generators").mkdir(exist_ok=True)
    (systemd / "system-generators/systemd-getty-generator").symlink_to("/dev/null")


def _copy_modules(tree: Path, root: Path) -> None:
    source = kernel.modules(tree)
    target = root / "lib/modules" / source.name
    for part in MODULES:
        there, here = source / "kernel" / part, target / "kernel" / part
        here.parent.mkdir(parents=True, exist_ok=True)
        if there.is_dir():
            shutil.copytree(there, here)
        else:
            shutil.copy(there, here)
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        shutil.copy(source / name, target / name)
    run("depmod", "-b", root, source.name)
