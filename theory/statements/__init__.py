"""The paper statement by statement, each a derivation whose every step is checked.

`STATEMENTS["theorem-5"]` builds one statement; `verify` runs the checks of its steps.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module

from theory.statements.claims import TERMS
from theory.statements.derivation import Result, Statement, Step, holds, verify

__all__ = ["STATEMENTS", "Result", "Statement", "Step", "holds", "verify"]

_MODULES = {
    "lemma-2": "attacks",
    "proposition-3": "attacks",
    "true-masks": "true_masks",
    "norm-bounds": "norm_bounds",
    "theorem-4": "paths",
    "theorem-5": "paths",
    "condition-s": "paths",
    "corollary-6": "layers",
    "average-pooling": "layers",
    "loss-gradient": "loss",
    "euler-identity": "loss",
    "sqrt-d-law": "loss",
    "initialization": "schemes",
    "smooth-activations": "smooth",
    "finite-width": "finite_width",
    "spread": "finite_width",
    "moments": "distribution",
    "distribution": "distribution",
    "joint-law": "joint",
    "gaussian-head": "heads",
    "boundary-distance": "joint",
    "shared-kernels": "shared_kernels",
    "positions": "positions",
    "post-activation": "residual_streams",
    "max-pooling": "maxima",
    "sparse-gradients": "maxima",
    "layer-norm": "normalization",
    "batch-norm": "normalization",
    "concatenation": "normalization",
    "general-norms": "vulnerability",
    "zero-one-damage": "vulnerability",
    "double-backpropagation": "vulnerability",
    "cross-lipschitz": "penalties",
    "constant-signal-to-noise": "penalties",
    "gradient-step": "gradient_steps",
    "general-activations": "gradient_steps",
    "decreasing-widths": "gradient_steps",
    "deep-networks": "gradient_steps",
    "boundary-scaling": "perturbations",
    "average-robustness": "perturbations",
    "copied-pixels": "subspaces",
    "dimension-gap": "subspaces",
    "lazy-training": "subspaces",
}
"""Where each statement is built: the function of its name, with underscores, in this module."""


@cache
def _build(name: str) -> Statement:
    module = import_module(f"{__name__}.{_MODULES[name]}")
    statement = getattr(module, name.replace("-", "_"))()
    return replace(statement, **vars(TERMS[name])) if name in TERMS else statement


class _Registry(Mapping[str, Statement]):
    """All statements by name, each built when it is first read."""

    def __getitem__(self, name: str) -> Statement:
        if name not in _MODULES:
            raise KeyError(name)
        return _build(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


STATEMENTS: Mapping[str, Statement] = _Registry()
