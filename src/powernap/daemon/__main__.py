"""``python -m powernap.daemon``."""

import sys

from powernap.daemon.main import main

sys.exit(main())
