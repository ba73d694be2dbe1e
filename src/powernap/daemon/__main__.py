"""``python -m powernap.daemon``."""

import sys

from powernap.daemon.start import main

sys.exit(main())
