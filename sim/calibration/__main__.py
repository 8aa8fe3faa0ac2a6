"""The command line `python -m sim.calibration`."""

import sys

from sim.calibration.experiment import main
from theory.console import run

if __name__ == "__main__":
    sys.exit(run(main))
