"""The front door: `python -m edge CONFIG` runs the box."""

import sys

from edge.box import main

sys.exit(main(sys.argv[1:]))
