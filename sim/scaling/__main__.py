"""The command line `python -m sim.scaling`."""

import sys

from sim.scaling.experiment import main
from theory.console import run

if __name__ == "__main__":
    sys.exit(run(main))
