"""host/snapshot.py and cli/snapshot.py: a recorded machine serves as well as the live one, and does not say whose it is."""

from __future__ import annotations

import json
import os
import stat
import tarfile
from pathlib import Path

import pytest

from machines import Machine
from powernap.cli import main
from powernap.host import recorded, snapshot
from powernap.host.files import TreeFiles, matching, text


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A small machine with a disk, a network card, a session, and things that must not be taken along."""
    machine = Machine(
        tmp_path / "machine",
        {
            "/proc/stat": "cpu  1 2 3\n",
            "/proc/4711/comm": "rsync\n",
            "/proc/4711/cmdline": "rsync\0--password=hunter2\0",
            "/proc/4711/environ": "TOKEN=hunter2\0",
            "/proc/4711/net/dev": "eth0: 1 2\n",
            "/proc/sys/kernel/hostname": "atlas.example.org\n",
            "/proc/sys/kernel/random/boot_id": "5e1f0b52-54f5-4b9b-9c3c-0a1b2c3d4e5f\n",
            "/proc/sys/vm/swappiness": "60\n",
            "/proc/sys/vm/drop_caches": "0\n",
            "/proc/modules": "half a line\n" * snapshot.FILE_LIMIT,
            "/etc/hostname": "atlas\n",
            "/etc/machine-id": "3d1219c7c4c5404aaa1f6d2a48adfda4\n",
            "/etc/passwd": "root:x:0:0::\nadalovelace:x:1000:1000::\n",
            "/usr/lib/os-release": 'ID=atlas\nVERSION="1.2.3.4"\n',
            "/sys/devices/pci0/net/enx525400abcdef/address": "52:54:00:ab:cd:ef\n",
            "/sys/devices/pci0/block/sda/stat": "1 2 3\n",
            "/sys/devices/pci0/target/vendor": "ATA\n",
            "/sys/devices/pci0/target/serial": "S4EWNX0M1234\n",
            "/proc/cmdline": "root=UUID=5e1f0b52 isolcpus=2-3 psi=1 password=hunter2 quiet\n",
            "/proc/4711/mounts": "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\nnas.example.org:/home/adalovelace /home nfs rw 0 0\n",
            "/sys/devices/system/cpu/cpu0/cpuidle/state0/s2idle/usage": "7\n",
            "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor": "powersave\n",
            "/run/systemd/system/transient": "",
            "/sys/power/state": "freeze mem\n",
            "/sys/power/wakeup_count": "9\n",
            "/run/systemd/sessions/1": "USER=adalovelace\nUID=1000\nREMOTE_HOST=203.0.113.7\n",
            "/run/udev/data/b8:0": "E:ID_SERIAL=SSD_S4EWNX0M1234\nS:disk/by-id/ata-SSD_S4EWNX0M1234\n",
        },
    )
    machine.link("/sys/block/sda", "../devices/pci0/block/sda")
    machine.link("/sys/devices/pci0/block/sda/device", "../../target")
    machine.link("/sys/devices/pci0/target/driver", "../../../bus/drivers/sd")
    machine.put("/sys/bus/drivers/sd/bind", "")
    machine.link("/sys/class/net/enx525400abcdef", "../../devices/pci0/net/enx525400abcdef")
    machine.link("/etc/os-release", "../usr/lib/os-release")
    machine.link("/proc/net", "4711/net")
    machine.link("/proc/mounts", "4711/mounts")
    machine.link("/sys/devices/system/cpu/cpu0/cpufreq", "../cpufreq/policy0")
    machine.link("/sys/devices/system/cpu/cpu0/cpuidle/driver", "../../../../../bus/drivers/sd")
    machine.link("/sys/devices/system/cpu/cpufreq/policy0/self", ".")
    os.chmod(machine.root / "proc/sys/vm/drop_caches", 0o200)
    os.chmod(machine.root / "proc/sys/vm/swappiness", 0o644)
    return machine


@pytest.fixture
def taken(machine: Machine) -> snapshot.Snapshot:
    """That machine, recorded."""
    return snapshot.take(str(machine.root))


def test_a_recorded_tree_reads_as_the_machine_did(taken: snapshot.Snapshot, tmp_path: Path) -> None:
    """Through links too, with the patterns that monitors use."""
    snapshot.save(taken, str(tmp_path / "copy"))
    files = TreeFiles(str(tmp_path / "copy"))
    assert files.read("/proc/stat") == "cpu  1 2 3\n"
    assert files.read("/proc/net/dev") == "eth0: 1 2\n"
    assert files.read("/sys/block/sda/device/vendor") == "ATA\n"
    assert files.real("/sys/block/sda") == "/sys/devices/pci0/block/sda"
    assert matching(files, "/sys/class/net/*/address") == ["/sys/class/net/enx020000000001/address"]
    assert text(files, "/etc/os-release").startswith("ID=atlas")


def test_an_archive_and_a_directory_are_the_same(taken: snapshot.Snapshot, tmp_path: Path) -> None:
    """Every file, link and directory; and only the owner may read the archive."""
    snapshot.save(taken, str(tmp_path / "a.tar.gz"))
    snapshot.save(taken, str(tmp_path / "tree"))
    snapshot.unpack(str(tmp_path / "a.tar.gz"), str(tmp_path / "unpacked"))
    assert content(tmp_path / "tree") == content(tmp_path / "unpacked")
    assert stat.S_IMODE(os.stat(tmp_path / "a.tar.gz").st_mode) == 0o600


def content(root: Path) -> dict[str, str]:
    """What is below a directory."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        found[name] = (
            f"-> {os.readlink(path)}" if path.is_symlink() else path.read_text() if path.is_file() else "/"
        )
    return found


def test_nothing_tells_whose_machine_it_is(taken: snapshot.Snapshot) -> None:
    """Neither contents nor names nor links; no arguments and no environment."""
    everything = repr((taken.files, taken.links, taken.manifest()))
    assert "/sys/class/net/enx020000000001" in taken.links
    for secret in (
        "hunter2",
        "adalovelace",
        "203.0.113.7",
        "S4EWNX0M1234",
        "525400abcdef",
        "52:54:00",
        "5e1f0b52",
        "3d1219c7",
        "example.org",
    ):
        assert secret not in everything
    assert taken.files["/proc/sys/kernel/hostname"].startswith(b"host")
    assert taken.files["/run/systemd/sessions/1"] == b"USER=user1\nUID=1000\nREMOTE_HOST=198.18.0.1\n"


def test_what_a_distribution_says_of_itself_stays(taken: snapshot.Snapshot) -> None:
    """A version with four numbers is no address, and "atlas" is the system's name here."""
    assert taken.files["/usr/lib/os-release"] == b'ID=atlas\nVERSION="1.2.3.4"\n'


def test_of_the_command_line_and_the_mounts_only_what_is_asked_for_is_kept(taken: snapshot.Snapshot) -> None:
    """Passwords and servers stand in both."""
    assert taken.files["/proc/cmdline"] == b"isolcpus=2-3 psi=1 quiet\n"
    assert taken.files["/proc/4711/mounts"] == b"cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n"
    assert taken.links["/proc/mounts"] == "4711/mounts"


def test_directories_are_recorded_to_the_bottom_and_links_in_them_once(taken: snapshot.Snapshot) -> None:
    """Policies of cpufreq are found through the processor's link and at their own place: one copy."""
    assert taken.files["/sys/devices/system/cpu/cpufreq/policy0/scaling_governor"] == b"powersave\n"
    assert taken.links["/sys/devices/system/cpu/cpu0/cpufreq"] == "../cpufreq/policy0"
    assert taken.files["/sys/devices/system/cpu/cpu0/cpuidle/state0/s2idle/usage"] == b"7\n"
    assert taken.links["/sys/devices/system/cpu/cpu0/cpuidle/driver"] == "../../../../../bus/drivers/sd"
    assert "/run/systemd/system" in taken.empty


def test_the_progress_reaches_the_end(machine: Machine) -> None:
    """It is told once for each pattern."""
    heard: list[tuple[int, int]] = []
    snapshot.take(str(machine.root), lambda done, of: heard.append((done, of)))
    assert heard[-1] == (len(recorded.PATTERNS), len(recorded.PATTERNS))


def test_a_directory_that_cannot_be_listed_is_noted(machine: Machine) -> None:
    """With the error, as files are."""
    walker = snapshot.Walker(str(machine.root))
    assert walker._names("/sys/class/none", "*") == []
    assert walker.closed == {"/sys/class/none": "ENOENT"}


def test_the_manifest_says_what_a_copy_cannot(taken: snapshot.Snapshot) -> None:
    """Modes, what could not be read and why, what was cut off."""
    manifest = taken.manifest()
    assert manifest["files"]["/proc/sys/vm/swappiness"] == {"mode": "0644", "size": 3}
    assert manifest["refused"]["/proc/sys/vm/drop_caches"] == {"error": "write-only", "mode": "0200"}
    assert manifest["truncated"] == ["/proc/modules"]
    assert taken.files["/proc/modules"].endswith(b"\nhalf a line\n")
    assert snapshot.FILE_LIMIT - 12 <= manifest["files"]["/proc/modules"]["size"] <= snapshot.FILE_LIMIT
    assert json.loads(json.dumps(manifest)) == manifest


def test_files_that_wait_are_never_opened(machine: Machine) -> None:
    """A read of /sys/power/wakeup_count would wait for a wakeup to be handled; a FIFO for ever."""
    os.mkfifo(machine.root / "proc/loadavg")
    taken = snapshot.take(str(machine.root))
    assert "/sys/power/wakeup_count" not in taken.modes
    assert "/proc/loadavg" not in taken.modes
    assert taken.files["/sys/power/state"] == b"freeze mem\n"


def test_links_out_of_the_machine_are_not_followed(machine: Machine, tmp_path: Path) -> None:
    """Neither out of the root, nor to files that no pattern names; a link in a circle ends."""
    (tmp_path / "secret").write_text("hunter2")
    machine.link("/sys/power/out", "../../../secret")
    machine.link("/sys/power/absolute", str(tmp_path / "secret"))
    machine.link("/sys/power/etc", "../../etc/passwd")
    machine.link("/proc/diskstats", "../../secret")
    machine.link("/sys/power/circle", "circle")
    taken = snapshot.take(str(machine.root))
    assert not [
        path
        for path in (*taken.links, *taken.files)
        if path.startswith("/sys/power/") and path != "/sys/power/state"
    ]
    assert "hunter2" not in repr(taken)


def test_a_link_to_a_directory_with_nothing_to_read_leads_somewhere(
    taken: snapshot.Snapshot, tmp_path: Path
) -> None:
    """Or the copy would say that the disk has no driver."""
    snapshot.save(taken, str(tmp_path / "copy"))
    assert TreeFiles(str(tmp_path / "copy")).exists("/sys/block/sda/device/driver")


def test_a_file_that_cannot_be_read_is_listed_with_its_error(machine: Machine) -> None:
    """Sysfs answers EINVAL or ENODEV for what a device does not know; a process may end between listing and reading."""
    taken = snapshot.Snapshot()
    snapshot.add(taken, "/proc/gone", str(machine.root), stat.S_IFREG | 0o444)
    assert taken.refused == {"/proc/gone": "ENOENT"}


def test_the_total_is_limited(machine: Machine) -> None:
    """What comes too late is listed as too big."""
    taken = snapshot.Snapshot(size=snapshot.TOTAL_LIMIT + 1)
    snapshot.add(taken, "/proc/stat", str(machine.root), stat.S_IFREG | 0o444)
    assert (taken.files, taken.refused) == ({}, {"/proc/stat": "EFBIG"})


def test_what_is_there_is_never_overwritten(taken: snapshot.Snapshot, tmp_path: Path) -> None:
    """Neither a file nor a directory with something in it; an empty one will do."""
    (tmp_path / "a.tgz").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").write_text("")
    (tmp_path / "empty").mkdir()
    for target in ("a.tgz", "full"):
        with pytest.raises(FileExistsError):
            snapshot.save(taken, str(tmp_path / target))
    snapshot.save(taken, str(tmp_path / "empty"))
    assert (tmp_path / "a.tgz").read_text() == "mine"


def test_half_an_archive_is_removed(taken: snapshot.Snapshot, tmp_path: Path) -> None:
    """A path that tar cannot hold is the accident here."""
    taken.files["/\udcff" * 1] = b""
    taken.modes["/\udcff"] = 0
    taken.links["/x"] = "\ud800"
    with pytest.raises(UnicodeEncodeError):
        snapshot.save(taken, str(tmp_path / "a.tar.gz"))
    assert not (tmp_path / "a.tar.gz").exists()


def test_an_archive_that_would_leave_its_directory_is_refused(tmp_path: Path) -> None:
    """A snapshot comes from somebody else."""
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../evil"))
    with pytest.raises(tarfile.FilterError):
        snapshot.unpack(str(tmp_path / "evil.tar.gz"), str(tmp_path / "tree"))


def test_every_pattern_is_written_once_and_absolute() -> None:
    """Only ``*`` and ``[0-9]`` stand for others, ``**`` only at the end."""
    assert len(set(recorded.PATTERNS)) == len(recorded.PATTERNS)
    for pattern in recorded.PATTERNS + recorded.TELLING:
        assert pattern.startswith("/")
        assert "**" not in pattern.removesuffix("/**")


def test_the_command_writes_a_new_file_and_says_what_is_hidden(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 0 and a summary; 2 and a remedy when the file exists; 3 without permission is a directory that is none of ours."""
    target = str(tmp_path / "mine.tar.gz")
    assert main.main(["snapshot", target]) == 0
    assert f"{target}: " in capsys.readouterr().out
    assert main.main(["snapshot", target]) == 2
    assert capsys.readouterr().err == f"powernap: {target}: File exists; choose another name\n"
    assert main.main(["snapshot", "/proc/no.tar.gz", "--json"]) == 2
    assert "error" in json.loads(capsys.readouterr().out)


def test_json_is_the_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Versioned, and complete."""
    assert main.main(["snapshot", str(tmp_path / "tree"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["version"] == 1
    assert "/proc/stat" in document["files"]
