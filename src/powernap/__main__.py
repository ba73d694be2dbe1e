"""``python -m powernap``."""

import sys

from powernap.cli.main import main

sys.exit(main())
