"""Which files of a machine a snapshot holds: what monitors and actions read, and nothing else.

Owns the list. ``*`` stands for one path component, ``**`` at the end for everything below, at most :data:`DEPTH` directories deep. A file
that is not listed is not recorded, so a secret can only be in a snapshot if a line here lets it in.
"""

from __future__ import annotations

DEPTH = 3

PROC = (
    "/proc/cpuinfo", "/proc/cgroups", "/proc/diskstats", "/proc/filesystems", "/proc/interrupts", "/proc/loadavg", "/proc/meminfo",
    "/proc/modules", "/proc/stat", "/proc/swaps", "/proc/uptime", "/proc/version", "/proc/vmstat", "/proc/misc", "/proc/devices",
    "/proc/cmdline", "/proc/mounts", "/proc/pressure/*", "/proc/self/cgroup", "/proc/tty/drivers",
    "/proc/irq/default_smp_affinity", "/proc/irq/*/smp_affinity*", "/proc/irq/*/effective_affinity*", "/proc/irq/*/node",
    "/proc/net/dev", "/proc/net/sockstat", "/proc/net/sockstat6",
    "/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp", "/proc/net/udp6",
    "/proc/sys/vm/*", "/proc/sys/kernel/*", "/proc/sys/kernel/random/boot_id", "/proc/sys/kernel/sched_*/**",
    "/proc/bus/input/devices", "/proc/driver/rtc", "/proc/acpi/wakeup", "/proc/mdstat",
)  # fmt: skip

PROCESSES = (
    "/proc/[0-9]*/comm",
    "/proc/[0-9]*/stat",
    "/proc/[0-9]*/status",
    "/proc/[0-9]*/io",
    "/proc/[0-9]*/cgroup",
)
"""Names and counters of processes. Never their arguments or environment: passwords stand there."""

CPUS = (
    "/sys/devices/system/cpu/*", "/sys/devices/system/cpu/smt/*", "/sys/devices/system/cpu/hotplug/*",
    "/sys/devices/system/cpu/cpufreq/**", "/sys/devices/system/cpu/cpuidle/*",
    "/sys/devices/system/cpu/intel_pstate/*", "/sys/devices/system/cpu/amd_pstate/*",
    "/sys/devices/system/cpu/cpu[0-9]*/online", "/sys/devices/system/cpu/cpu[0-9]*/cpu_capacity",
    "/sys/devices/system/cpu/cpu[0-9]*/node*", "/sys/devices/system/cpu/cpu[0-9]*/topology/*",
    "/sys/devices/system/cpu/cpu[0-9]*/cpufreq/**", "/sys/devices/system/cpu/cpu[0-9]*/cpuidle/**",
    "/sys/devices/system/cpu/cpu[0-9]*/power/*", "/sys/devices/system/cpu/cpu[0-9]*/acpi_cppc/*",
    "/sys/devices/system/cpu/cpu[0-9]*/hotplug/*",
    "/sys/devices/system/node/*", "/sys/devices/system/node/node[0-9]*/cpu*", "/sys/devices/system/clocksource/clocksource0/*",
    "/sys/devices/virtual/workqueue/*", "/sys/devices/virtual/workqueue/*/*", "/sys/bus/workqueue/devices/*",
)  # fmt: skip

DEVICES = (
    "/sys/block/*/*", "/sys/block/*/queue/*", "/sys/block/*/power/*", "/sys/block/*/device/*", "/sys/block/*/device/power/*",
    "/sys/block/*/md/*", "/sys/block/*/dm/name", "/sys/block/*/[a-z]*[0-9]/stat",
    "/sys/class/net/*/*", "/sys/class/net/*/statistics/*", "/sys/class/net/*/power/*", "/sys/class/net/*/device/*",
    "/sys/class/net/*/device/power/*", "/sys/class/net/*/queues/*/*", "/sys/class/net/*/bonding/*", "/sys/class/net/*/bridge/*",
    "/sys/class/input/*/*", "/sys/class/input/*/id/*", "/sys/class/input/*/capabilities/*", "/sys/class/input/*/device/*",
    "/sys/class/rtc/*/*", "/sys/class/rtc/*/device/power/*", "/sys/class/tty/console/active", "/sys/class/tty/tty0/active",
    "/sys/class/power_supply/*/*", "/sys/class/powercap/*/*", "/sys/class/scsi_host/*/*", "/sys/class/ata_link/*/*",
    "/sys/class/dmi/id/*", "/sys/class/drm/*/*", "/sys/class/drm/*/device/power/*", "/sys/class/backlight/*/*", "/sys/class/wakeup/*/*",
    "/sys/class/vtconsole/*/name", "/sys/class/iscsi_session/*/state", "/sys/bus/pci/devices/*/tile*/gt*/freq*/*",
    "/sys/bus/usb/devices/*/*", "/sys/bus/usb/devices/*/power/*",
    "/sys/bus/pci/devices/*/*", "/sys/bus/pci/devices/*/power/*", "/sys/bus/pci/devices/*/link/*",
    "/sys/bus/i2c/devices/*/power/*", "/sys/bus/scsi/devices/*/*", "/sys/bus/scsi/devices/*/power/*", "/sys/bus/virtio/devices/*/*",
    "/run/udev/data/*",
)  # fmt: skip

POLICY = (
    "/sys/power/*", "/sys/kernel/mm/ksm/*", "/sys/kernel/mm/transparent_hugepage/*", "/sys/kernel/mm/lru_gen/*", "/sys/hypervisor/type", "/sys/kernel/realtime",
    "/sys/firmware/acpi/pm_profile", "/sys/firmware/acpi/platform_profile*", "/sys/module/kernel/parameters/consoleblank",
    "/sys/module/workqueue/parameters/*", "/sys/module/usbcore/parameters/*", "/sys/module/pcie_aspm/parameters/*",
    "/sys/module/snd_hda_intel/parameters/*", "/sys/module/nvme_core/parameters/*", "/sys/module/intel_idle/parameters/*",
    "/sys/module/processor/parameters/*", "/sys/module/cpuidle/parameters/*", "/sys/module/rcutree/parameters/*",
    "/sys/module/libata/parameters/*", "/sys/module/iwlwifi/parameters/*", "/sys/module/kvm/parameters/*",
    "/sys/fs/cgroup/*", "/sys/fs/cgroup/*/cgroup.*", "/sys/fs/cgroup/*/cpuset.*", "/sys/fs/cgroup/*/*.pressure",
    "/sys/fs/cgroup/*/*/cgroup.*", "/sys/fs/cgroup/*/*/cpuset.*", "/sys/fs/cgroup/*/*/*.pressure",
    "/etc/os-release", "/usr/lib/os-release", "/run/systemd/sessions/*", "/run/systemd/seats/*",
)  # fmt: skip

DIRECTORIES = (
    "/run/systemd/system",
    "/run/systemd/sessions",
    "/run/udev",
    "/sys/class/infiniband",
    "/sys/fs/bpf",
    "/sys/kernel/tracing",
)
"""Directories that are asked for, and noted although nothing in them is read."""

BOOT_OPTIONS = frozenset({
    "amd_pstate", "cgroup_disable", "cgroup_no_v1", "cpufreq.default_governor", "cpuidle.off", "idle", "intel_idle.max_cstate", "intel_iommu",
    "intel_pstate", "iommu", "irqaffinity", "isolcpus", "kthread_cpus", "libata.force", "maxcpus", "mem_sleep_default", "mitigations", "nmi_watchdog",
    "no_console_suspend", "nohz", "nohz_full", "noresume", "nosmt", "nosoftlockup", "nowatchdog", "nr_cpus", "nvme_core.default_ps_max_latency_us",
    "pcie_aspm", "pcie_port_pm", "preempt", "processor.max_cstate", "psi", "quiet", "rcu_nocb_poll", "rcu_nocbs", "rcutree.enable_skew_tick",
    "systemd.unified_cgroup_hierarchy", "threadirqs", "transparent_hugepage", "tsc", "usbcore.autosuspend", "workqueue.power_efficient",
    "workqueue.unbound_cpus",
})  # fmt: skip
"""What is kept of the kernel command line; keys, addresses and passwords may stand among the rest."""

KERNEL_FILE_SYSTEMS = frozenset({
    "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs", "efivarfs", "fusectl", "mqueue", "proc", "pstore", "securityfs",
    "sysfs", "tracefs",
})  # fmt: skip
"""What is kept of /proc/mounts; servers, shares and people stand in the rest."""

PATTERNS = PROC + PROCESSES + CPUS + DEVICES + POLICY

NEVER = frozenset({
    "kmsg", "kcore", "trace_pipe", "trace_pipe_raw",  # wait for data, or are the memory itself
    "config", "rom", "vpd", "resource", "descriptors", "bos_descriptors", "edid",  # binary; reading config wakes a sleeping PCI device
    "remove", "rescan", "reset", "delete", "driver_override",  # knobs with nothing to read
    "serial", "serial_number", "product_serial", "board_serial", "chassis_serial", "product_uuid", "asset_tag", "board_asset_tag",
    "chassis_asset_tag", "product_sku", "unique_id", "uniq", "uuid", "cid", "wwid", "wwn", "vpd_pg80", "vpd_pg83", "inquiry",
    "phys_switch_id", "phys_port_id", "core_pattern", "modprobe", "hotplug", "poweroff_cmd", "ns_last_pid",
})  # fmt: skip
"""Names that are not opened wherever they stand."""

NEVER_PATHS = frozenset(
    {
        "/sys/power/wakeup_count",  # the read waits while a wakeup is being handled (Documentation/ABI/testing/sysfs-power)
    }
)

TELLING = (
    "/etc/machine-id", "/sys/class/dmi/id/*serial", "/sys/class/dmi/id/product_uuid", "/sys/class/dmi/id/*asset_tag",
    "/sys/block/*/serial", "/sys/block/*/wwid", "/sys/block/*/uuid", "/sys/block/*/device/serial", "/sys/block/*/device/wwid",
    "/sys/block/*/device/cid", "/sys/bus/usb/devices/*/serial", "/sys/class/power_supply/*/serial_number",
    "/sys/class/net/*/phys_port_id", "/sys/class/net/*/phys_switch_id", "/sys/class/input/*/device/uniq",
)  # fmt: skip
"""Read only to know the serial numbers that must not stand anywhere in the snapshot."""

HOSTNAMES = ("/etc/hostname", "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname")
VENDOR = (
    "/etc/os-release",
    "/usr/lib/os-release",
    "/proc/version",
    "/proc/sys/kernel/osrelease",
    "/proc/sys/kernel/version",
)
"""What a distribution says of itself: its version numbers may look like addresses, its name like the machine's."""

REACH = ("/proc/", "/sys/", "/run/udev/data/", "/run/systemd/", "/etc/os-release", "/usr/lib/os-release")
"""Where a symbolic link may lead."""
