"""What must hold: the √d law of input gradients, derived with SymPy. Never imports jax."""

import lazy_loader

# SciPy's integrals take half a second to import, which no --help should wait for
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
