"""Other people's networks, of JAX, Flax, Equinox, Haiku, PyTorch or Keras, as pairs (init, apply).

Imports `sim.networks` and what is below it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
