"""``powernapd`` that ends itself with SIGKILL at the n-th moment of writing knobs: ``mortal_daemon.py NTH TALLY [powernapd's words]``."""

from __future__ import annotations

import sys
from pathlib import Path

from mortal import Mortal
from powernap.daemon.start import main
from powernap.host.files import TreeFiles
from powernap.host.knobs import MachineKnobs

if __name__ == "__main__":
    sys.exit(main(sys.argv[3:], Mortal(MachineKnobs(TreeFiles()), int(sys.argv[1]), Path(sys.argv[2]))))
