"""The level experiment, as `make demo` and `detector-workbench demo` run it."""

import sys

from viz.command import main

if __name__ == "__main__":
    sys.exit(main(["demo", *sys.argv[1:]]))
