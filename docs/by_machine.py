"""Write docs/actions-by-machine.md: what `powernap actions --try` tells of the lab's guest, of this machine, and of a container on it.

python -m docs.by_machine

Needs root and what the lab is built with, and changes this machine for a moment, so it is no part of `docs.build`.
"""

import datetime as dt
import json
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from bench.tables import markdown

from lab import guest
from lab.guest import Guest
from powernap.cli import actions_text

PAGE = pathlib.Path(__file__).parent / "actions-by-machine.md"
CONTAINER = PAGE.parents[1] / "tests" / "container.sh"
POLICIES = "/sys/devices/system/cpu/cpufreq/policy*"
BASE = 60
"""Watts of the guest's meter beside its processors'."""
SLOW = 1200.0
"""Seconds: the guest has a tenth of a processor."""
PATIENT = "/root/patient.toml"
SETTINGS = """action_time_limit = "5min"
[[stage]]
name = "ease"
after = "5min"
actions = ["cpu-clock", "kernel-quiet"]
[[stage]]
name = "park"
after = "15min"
actions = ["cpu-park"]
[monitor.sessions]
"""
"""The ladder of the default configuration, and time for a slow machine."""
COLUMNS = ("action", "risk", "available", "applied", "saves", "restored", "apply", "put back")
HEAD = """# Actions by machine

What `powernap actions --try` tells of three machines: what each action can do there, what it changed, what `powernap measure` found that it
saves, and whether everything was as before when it had been put back. Each action was applied alone, and what is said to be restored was read
again. Written by `python -m docs.by_machine` on {date}; it needs root and QEMU, so `python -m docs.build --check` does not look at this page.
The times are those of a busy machine ([measurements](measurements.md) has better ones); the guest is emulated, and ten times slower still.
"""
GUEST = """
## The lab's guest

{headline}.

A Debian guest in QEMU with every knob that the lab can make real ([the lab](lab.md)). Its power meter is an ACPI device of ours, which follows
the clocks of its cores and never flickers: only what slows those down saves there. Careful actions were named, as `--try` asks for.
"""
MACHINE = """
## A virtual machine in a cloud

{headline}.

Safe actions only. There is no meter that sees it, and most knobs are the hypervisor's.
"""
INSIDE = """
## A container on it

{headline}.

Kernel files to be read only, few capabilities and namespaces of its own, as Docker starts one.
"""


def main() -> int:
    parts = []
    with guest.thawed(lambda said: print(said, file=sys.stderr)) as lab:
        parts += [part(GUEST, in_guest(lab))]
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-m", "powernap", "actions", "--try", "--json", "--runtime", place]
        parts += [part(MACHINE, printed(command))]
    contained = ["unshare", "--pid", "--mount", "--net", "--fork", "--mount-proc", "sh", str(CONTAINER)]
    parts += [part(INSIDE, printed([*contained, *command]))]
    today = dt.datetime.now(dt.UTC).date().isoformat()
    PAGE.write_text(HEAD.format(date=today) + "".join(parts), encoding="utf-8")
    return 0


def printed(command: Sequence[str]) -> dict[str, Any]:
    """The document; what could not be put back is no page."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def in_guest(lab: Guest) -> dict[str, Any]:
    """Both cores at their fastest; everything that is not dangerous is measured, then tried."""
    lab.watts(BASE)
    lab.shell(f"for each in {POLICIES}; do echo performance > $each/scaling_governor; done").text()
    lab.write(PATIENT, SETTINGS)
    names = [each["name"] for each in ask(lab)["actions"] if each["usable"] and each["risk"] != "dangerous"]
    short = ("--window", "3s", "--settle", "1s", "--rounds", "2", "--any-load", "--json")
    lab.run("powernap", "measure", *short, "--config", PATIENT, *names, limit=SLOW).text()
    names = [each["name"] for each in ask(lab)["actions"]]
    return ask(lab, "--try", *names)


def ask(lab: Guest, *words: str) -> dict[str, Any]:
    """What `powernap actions` prints there."""
    done = lab.run("powernap", "actions", "--json", "--config", PATIENT, *words, limit=SLOW)
    document: dict[str, Any] = json.loads(done.text())
    return document


def part(words: str, document: dict[str, Any]) -> str:
    """A section: words, table, and why what is not available is not."""
    headline = actions_text.headline(document).split(" on ", 1)[1].partition(", ")[2]
    rows = [[plain(actions_text.cells_of(each)[title]) for title in COLUMNS] for each in document["actions"]]
    reasons = [f"- `{each['name']}`: {plain(actions_text.notes(each))}" for each in document["actions"]]
    return words.format(headline=headline) + "\n" + markdown(COLUMNS, rows) + "\n" + "\n".join(reasons) + "\n"


def plain(cell: Any) -> str:
    """Without its style, safe in a table."""
    text = cell[0] if isinstance(cell, tuple) else cell
    return str(text).replace("|", "\\|").replace("<", "&lt;").replace("->", "→")


if __name__ == "__main__":
    sys.exit(main())
