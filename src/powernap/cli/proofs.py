"""``powernap prove-wake --list``: what is proven, and what no longer holds."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from powernap.cli import machine_time
from powernap.cli.output import show_json
from powernap.cli.paint import show
from powernap.core.units import show_duration
from powernap.host.files import Files
from powernap.sleep import proof


def listed(files: Files, args: argparse.Namespace) -> int:
    """Every proof; exit status 1 where none holds."""
    record, now = proof.load(args.record), proof.machine(files)
    rows = [(each, proof.doubt(files, each, now)) for each in record.proofs]
    status = 0 if any(not doubt for _, doubt in rows) else 1
    if args.json:
        proofs = [{**asdict(each), "doubt": doubt, "note": proof.notes(files, each)} for each, doubt in rows]
        show_json({"version": 1, "damage": record.damage, "proofs": proofs})
        return status
    if record.damage:
        print(f"the record cannot be read: {record.damage}")
    print("".join(f"{line}\n" for line in machine_time.heading() if rows), end="")
    for each, doubt in rows:
        print(f"{each.state}: {line(files, each)}" + (f"; NO LONGER: {doubt}" if doubt else ""))
    if not rows:
        print(f"no way to wake this machine is proven; {proof.REMEDY}")
    return status


def line(files: Files, each: proof.Proof) -> str:
    """One proof in words."""
    when = machine_time.stamp(each.at, "%Y-%m-%d %H:%M")
    to = f" to {each.interface} ({each.mac})" if each.mac else ""
    by = f" from {each.peer}" if each.peer else ""
    note = proof.notes(files, each)
    return show(
        f"{proof.NAMES[each.method]}{to}{by}, {when}, after {show_duration(each.slept)}"
        + (f"; {note}" if note else "")
    )
