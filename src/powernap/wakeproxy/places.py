"""Where powerwaked keeps its things, and its command line."""

from __future__ import annotations

import argparse

from powernap import __version__
from powernap.config.hosts import HOSTS
from powernap.core.value import dataclass


@dataclass(frozen=True)
class Places:
    """``runtime``: what it knows now. ``state``: what it has learned; empty: that is forgotten."""

    runtime: str = "/run/powerwake"
    state: str = "/var/lib/powerwake"

    @property
    def status(self) -> str:
        """For whoever asks."""
        return f"{self.runtime}/status.json"


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="powerwaked",
        description="Wakes other machines when their schedules need them, and sees that they come up.",
    )
    parser.add_argument(
        "--plan",
        action="store_true",
        help="show when each machine is needed and woken next, what came of the last time, and end; also checks the inventory",
    )
    parser.add_argument(
        "--json", action="store_true", help="with --plan: the document described in others.md"
    )
    parser.add_argument(
        "--config",
        metavar="PATH",
        default=HOSTS,
        help="a file, or a directory of *.toml (default %(default)s)",
    )
    parser.add_argument(
        "--runtime",
        metavar="DIR",
        default=Places.runtime,
        help="for what it knows now (default %(default)s)",
    )
    parser.add_argument(
        "--state",
        metavar="DIR",
        default=Places.state,
        help="for what it has learned (default %(default)s)",
    )
    parser.add_argument("--version", action="version", version=f"powerwaked {__version__}")
    return parser
