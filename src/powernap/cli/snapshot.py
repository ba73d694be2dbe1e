"""``powernap snapshot``: records this machine, without what tells whose it is, for a bug report or for tests."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from typing import Any

from powernap.cli.output import fail, show_json
from powernap.core.units import many, show_size
from powernap.host import snapshot

DEFAULT = "powernap-snapshot.tar.gz"
ELSEWHERE = "write to a directory of your own"
REMEDIES = {
    errno.EACCES: (ELSEWHERE, 3),
    errno.EPERM: (ELSEWHERE, 3),
    errno.EROFS: (ELSEWHERE, 3),
    errno.ENOSPC: ("make room, or write to another disk", 3),
    errno.EDQUOT: ("make room, or write to another disk", 3),
    errno.ENOENT: ("make its directory first", 2),
}
"""What to do about an error, and the exit status."""


def add(subparsers: Any) -> argparse.ArgumentParser:
    """Declare the arguments."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "snapshot",
        help="record this machine's kernel files, without names, addresses and serial numbers",
        description="Records the kernel files that PowerNap reads. Names, addresses and serial numbers get pseudonyms; arguments "
        "and environments of processes are not read. Look into the archive before you send it.",
    )
    parser.add_argument(
        "file",
        nargs="?",
        default=DEFAULT,
        metavar="FILE.tar.gz",
        help=f"new archive, or new directory (default: {DEFAULT})",
    )
    parser.add_argument(
        "--json", action="store_true", help="print the manifest: what was read, what could not be, and why"
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Record, write, say what is in it. 0 done, 2 the name cannot be used, 3 not permitted, or no room."""
    try:
        taken = snapshot.take(progress=progress if sys.stderr.isatty() else None)
        snapshot.save(taken, args.file)
    except OSError as problem:
        remedy, code = REMEDIES.get(problem.errno or 0, ("choose another name", 2))
        return fail(f"{args.file}: {problem.strerror}", remedy, code, as_json=args.json)
    if args.json:
        return show_json({"version": 1, "file": args.file, **taken.manifest()})
    print(summary(taken, args.file))
    return 0


def progress(done: int, of: int) -> None:
    """One line on the terminal, taken away at the end."""
    sys.stderr.write("\r\033[K" if done == of else f"\rrecording: {done * 100 // of}%")
    sys.stderr.flush()


def summary(taken: snapshot.Snapshot, target: str) -> str:
    """What an admin wants to know before sending it."""
    hidden = ", ".join(f"{count} {kind}" for kind, count in sorted(taken.pseudonyms.items())) or "nothing"
    lines = [
        f"{target}: {many(len(taken.files), 'file')}, {show_size(sum(map(len, taken.files.values())))}",
        f"hidden: {hidden}",
        f"not readable: {len(taken.refused)} (listed in {snapshot.MANIFEST})",
    ]
    if os.geteuid() != 0:
        lines.append("as root more can be read")
    return "\n".join(lines)
