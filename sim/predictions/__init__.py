"""What is expected of a network: its law, or gradient independence.

Imports `sim.independence` and what is below it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
