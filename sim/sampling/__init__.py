"""From seeds to samples: inputs, chunks, devices, hosts, with common random numbers.

Imports `sim.models`, `sim.networks` and what is below them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
