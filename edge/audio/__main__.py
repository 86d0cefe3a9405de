"""`python -m edge.audio FD [LANGUAGE]`: the helper process; FD is its end of the socketpair, LANGUAGE that of words."""

import sys

from edge.audio.helper import main

sys.exit(main(int(sys.argv[1]), *sys.argv[2:]))
