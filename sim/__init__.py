"""What does hold: Monte-Carlo simulation of input gradients with JAX.

Submodules are imported on first use, so that `import sim` and `--help` do not load jax.
"""

import importlib
from types import ModuleType

SUBMODULES = (
    *("attacks", "audit", "checks", "damage", "datasets", "first_order", "gradients", "hosts"),
    *("independence", "inputs", "layers", "losses", "merge", "models"),
    *("montecarlo", "penalty", "predictions", "regularizers", "report", "scaling", "statements"),
    *("statistics", "store", "training", "training_report"),
    *("vulnerability", "vulnerability_report"),
)


def __getattr__(name: str) -> ModuleType:
    if name in SUBMODULES:
        return importlib.import_module(f"sim.{name}")
    raise AttributeError(f"module 'sim' has no attribute '{name}'")
