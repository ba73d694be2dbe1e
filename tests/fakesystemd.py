"""A stand-in for systemctl: a script that keeps each unit's state in a file. The only stand-in there is: the real one is tested where
systemd runs.

``fakesystemd.install(tmp_path, {"cron.service": "active"})`` answers with the program to give to ``Systemctl``; the states are
``tmp_path/units/cron.service`` (active, inactive, failed) and ``tmp_path/units/cron.service.freezer`` (running, frozen). A unit named in
``tmp_path/units/refuse`` cannot be started or stopped.
"""

from __future__ import annotations

from pathlib import Path

from powernap.host.systemctl import Systemctl

SCRIPT = """#!/bin/sh
cd {units} || exit 1
verb=$1
for unit; do :; done
[ -f "$unit" ] || {{ [ "$verb" = show ] && echo LoadState=not-found && exit 0; echo "Unit $unit not found." >&2; exit 5; }}
case $verb in
show) echo LoadState=loaded; echo "ActiveState=$(cat "$unit")"; echo "FreezerState=$(cat "$unit.freezer")"; exit 0;;
esac
grep -qx "$unit" refuse 2>/dev/null && {{ echo "Failed to $verb $unit: Access denied" >&2; exit 4; }}
case $verb in
start) echo active > "$unit";;
stop) echo inactive > "$unit";;
freeze) echo frozen > "$unit.freezer";;
thaw) echo running > "$unit.freezer";;
*) echo "Unknown command verb $verb." >&2; exit 1;;
esac
"""


def install(directory: Path, units: dict[str, str]) -> Systemctl:
    """Make the script and the units' states."""
    states = directory / "units"
    states.mkdir(parents=True)
    for unit, state in units.items():
        (states / unit).write_text(state + "\n")
        (states / f"{unit}.freezer").write_text("running\n")
    program = directory / "systemctl"
    program.write_text(SCRIPT.format(units=states))
    program.chmod(0o755)
    return Systemctl((str(program),), limit=10)


def states(directory: Path) -> dict[str, str]:
    """What every unit is now."""
    return {each.name: each.read_text().strip() for each in sorted((directory / "units").iterdir())}
