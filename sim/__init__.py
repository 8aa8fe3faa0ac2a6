"""What does hold: Monte-Carlo simulation of input gradients with JAX.

Packages are imported on first use, so that `import sim` and `--help` do not load jax.
"""

from pathlib import Path

import lazy_loader

import theory

if theory.__file__ != str(Path(__file__).parents[1] / "theory" / "__init__.py"):
    raise ImportError(
        f"'import theory' takes {theory.__file__ or list(theory.__path__)}, not the theory of "
        "sqrt-d-law: rename that, or work in another folder.",
        name=__name__,  # python -m then says this sentence alone
    )

__version__ = theory.__version__
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
