"""How every picture looks (`style`). Nothing here knows what is drawn.

May import `sim.running`. What an experiment draws stands in its own `picture`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
