"""Proposition 3: training on attacked inputs is, to first order, training with a penalty.

`configuration` says what to compare and `experiment` compares it, `report` prints the result; the
command is `python -m sim.penalty`. May import everything below the experiments, and the statistics
of ratios from `sim.vulnerability`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
