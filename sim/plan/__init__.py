"""What an experiment on random networks will do: its configuration, networks, sizes and sampler.

Imports `theory`, and what `sim.sampling` and `sim.running` have that needs no jax.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
