"""An outbound calling campaign of five agents, recorded with reamon: `python examples/campaign/main.py --help`.

The application itself is the package `reamon.demo`, so that `reamon demo` has it wherever reamon is installed.
"""

import argparse

from reamon.demo.run import add_arguments, main

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Run a calling campaign and record it.")
    add_arguments(parser)
    raise SystemExit(main(parser.parse_args()))
