"""`python -m edge.audio FD`: the helper process; FD is its end of the socketpair."""

import sys

from edge.audio.helper import main

sys.exit(main(int(sys.argv[1])))
