"""powernapd with a source of its process monitor chosen for it: ``python -m bench.forced SOURCE ...`` (see host/exec_events.py).

``scan`` also takes its TCP events away: what is left in a container, where the kernel's events are not to be had.
"""

from __future__ import annotations

import functools
import sys

from powernap.daemon import start
from powernap.monitors import process, tcp


def force(source: str) -> None:
    """Let the process monitor try this source only."""
    process.open = functools.partial(process.open, sources=(source,))
    if source == "scan":
        tcp.TcpMonitor._listen = lambda _self: None  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    force(sys.argv[1])
    sys.exit(start.main(sys.argv[2:]))
