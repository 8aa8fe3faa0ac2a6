"""Proposition 3: training on attacked inputs is, to first order, training with a penalty."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
