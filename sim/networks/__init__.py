"""A described network as functions of JAX: its layers, its weights, its input gradients.

Imports `theory` and `sim.running`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
