"""The command line `python -m sim.statements`."""

import sys

from sim.statements.experiment import main
from theory.console import run

if __name__ == "__main__":
    sys.exit(run(main))
