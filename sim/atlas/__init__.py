"""Public architectures at their library's own initialization: which of them have the √d, and why.

`networks` lists them, `experiment` measures and predicts each in a process of its own, `rows` are
what is found, kept as CSV; `report` and `picture` show them; the command is `python -m sim.atlas`.
May import `sim.scaling` and what is below it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
