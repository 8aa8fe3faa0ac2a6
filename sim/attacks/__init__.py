"""Steepest ascent, projected ascent, and the damage that they do.

Imports `sim.networks`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
