"""The command line `python -m sim.results`."""

import sys

from sim.results.experiment import main
from theory.console import run

if __name__ == "__main__":
    sys.exit(run(main))
