"""`python -m reamon`: the same as the command `reamon`."""

import sys

from reamon.cli import main

if __name__ == "__main__":
    sys.exit(main())
