"""Which layers make the gap between what is predicted and the network as it is.

A ladder is climbed place by place (`sim.independence.ladder`): from hypothesis H over gradient
independence to the network as it is. What every rung adds is measured with the same seeds, and what
accounts for the gap is said in one sentence. May import `sim.predictions` and everything below it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
