"""The command line `python -m sim.penalty`."""

import sys

from sim.penalty.experiment import main
from theory.console import run

if __name__ == "__main__":
    sys.exit(run(main))
