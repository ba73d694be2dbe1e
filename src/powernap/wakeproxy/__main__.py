"""``python -m powernap.wakeproxy``."""

import sys

from powernap.wakeproxy.start import main

sys.exit(main())
