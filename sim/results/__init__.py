"""The tables of results in README.md and docs/architectures.md, printed again.

Every row is a command `python -m sim.scaling …` (`commands`), which is run; what it finds is
printed, or compared with what a file says (`stated`). May import `sim.scaling` and what is below.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
