"""The entry point of ``powernapd``: reads the configuration, and only then loads the daemon.

Reading takes modules that are given back afterwards (loading.py). What is loaded after it goes into the memory that it leaves; loaded
before, it leaves 0.27 MiB more behind (RSS, CPython 3.11.7: three runs each, 11,420 and 11,150 KiB of anonymous memory).
"""

from __future__ import annotations

# isort: off
from powernap.daemon import lean  # noqa: F401 - first: it keeps out what asyncio would load

# isort: on
import os
import sys
from typing import TYPE_CHECKING

from powernap.config.problems import ConfigErrors
from powernap.daemon.loading import load
from powernap.daemon.places import asked
from powernap.host.journal import WARNING, Journal

if TYPE_CHECKING:
    from powernap.host.knobs import Knobs

FAULTS = 2
"""Exit status; the service manager does not try again after it (packaging/powernapd.service)."""


def main(given: list[str] | None = None, knobs: Knobs | None = None) -> int:
    """Run the daemon: 0 stopped as asked, 1 stopped but something is left changed, 2 the configuration has faults, 3 not permitted or
    already running, 70 a defect (``EX_SOFTWARE``, sysexits.h).

    :param knobs: the machine's; a test's die at the n-th write.
    """
    path, places = asked(sys.argv[1:] if given is None else given)
    paths = (
        [os.path.abspath(path)] if path else []
    )  # whoever asks for the files' names may be in another directory
    journal = Journal()
    try:
        config = load(*paths)
    except ConfigErrors as error:
        for problem in error.problems:
            journal.log(str(problem), WARNING)
        journal.log("the configuration has faults: powernapd does not start, and nothing is changed", WARNING)
        return FAULTS
    from powernap.daemon.main import run  # noqa: PLC0415 - after the configuration, see above

    return run(config, paths, places, journal, knobs)
