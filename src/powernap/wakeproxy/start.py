"""The entry point of ``powerwaked``."""

from __future__ import annotations

# isort: off
from powernap.daemon import lean  # noqa: F401 - first: it keeps out what asyncio would load

# isort: on
import sys
from typing import TYPE_CHECKING

from powernap.config.hosts import load
from powernap.config.problems import ConfigErrors
from powernap.host.journal import WARNING, Journal
from powernap.wakeproxy.places import Places, arguments

if TYPE_CHECKING:
    import argparse

    from powernap.config.inventory import Inventory

FAULTS = 2
"""Exit status; the service manager does not try again after it (packaging/powerwaked.service)."""


def main(given: list[str] | None = None) -> int:
    """Run it: 0 stopped as asked (or shown), 2 wrong usage or faults in the inventory, 3 not permitted, 70 a defect (sysexits.h)."""
    args = arguments().parse_args(given)
    journal = Journal(name="powerwaked")
    try:
        inventory = load(args.config)
    except ConfigErrors as error:
        return _refuse(error, args, journal)
    places = Places(args.runtime, args.state)
    if args.plan:
        from powernap.wakeproxy import plan  # noqa: PLC0415 - the daemon does not need it

        return plan.show(inventory, places, as_json=args.json)
    return _serve(inventory, args.config, places, journal)


def _serve(inventory: Inventory, config: str, places: Places, journal: Journal) -> int:
    from powernap.wakeproxy.main import run  # noqa: PLC0415 - who only looks needs no loop

    return run(inventory, config, places, journal)


def _refuse(error: ConfigErrors, args: argparse.Namespace, journal: Journal) -> int:
    """All problems."""
    if args.plan and args.json:
        from powernap.wakeproxy import plan  # noqa: PLC0415

        return plan.refuse(error)
    for problem in error.problems:
        journal.log(str(problem), WARNING)
    if not args.plan:
        journal.log("the inventory has faults: powerwaked does not start, and nobody is woken", WARNING)
    return FAULTS


if __name__ == "__main__":
    sys.exit(main())
