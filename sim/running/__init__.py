"""How every command runs: flags, progress, files, compiled functions, memory.

May import `theory` alone; needs no jax before something is compiled.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
