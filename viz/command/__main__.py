"""``python -m viz.command``, where the package is at hand and the command is not installed."""

import sys

from .app import main

sys.exit(main())
