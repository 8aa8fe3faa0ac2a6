"""What does hold: Monte-Carlo simulation of input gradients with JAX.

Packages are imported on first use, so that `import sim` and `--help` do not load jax.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
