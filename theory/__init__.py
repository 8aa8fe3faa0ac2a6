"""What must hold: the √d law of input gradients, derived with SymPy. Never imports jax."""

import warnings
from importlib.machinery import PathFinder
from pathlib import Path

import lazy_loader

__version__ = "0.1.0"

# SciPy's integrals take half a second to import, which no --help should wait for
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

_sim = PathFinder.find_spec("sim")
if _sim is not None and _sim.origin != str(Path(__file__).parents[1] / "sim" / "__init__.py"):
    warnings.warn(
        f"'import sim' takes {_sim.origin or list(_sim.submodule_search_locations or ())}, not the "
        "simulations of sqrt-d-law: rename that, or work in another folder.",
        stacklevel=2,
    )
