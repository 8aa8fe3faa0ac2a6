"""The list of simulations: one for every statement of `theory.statements`, of its main claim.

To add one, write a function of `Settings` that returns an `Outcome` in the module that is named
like the one of the statement's derivation, and name it here. `python -m sim.statements` runs them.
"""

from sim.statements import (
    attacks,
    distribution,
    failures,
    finite_width,
    layers,
    loss,
    paths,
    schemes,
    smooth,
)
from sim.statements.outcome import Check

CHECKS: dict[str, Check] = {
    "lemma-2": attacks.lemma_2,
    "proposition-3": attacks.proposition_3,
    "theorem-4": paths.theorem_4,
    "theorem-5": paths.theorem_5,
    "condition-s": paths.condition_s,
    "corollary-6": layers.corollary_6,
    "average-pooling": layers.average_pooling,
    "loss-gradient": loss.loss_gradient,
    "euler-identity": loss.euler_identity,
    "sqrt-d-law": loss.sqrt_d_law,
    "initialization": schemes.initialization,
    "finite-width": finite_width.finite_width_law,
    "spread": finite_width.spread,
    "moments": distribution.moments,
    "distribution": distribution.distribution,
    "smooth-activations": smooth.smooth_activations,
    "shared-kernels": failures.shared_kernels,
    "post-activation": failures.post_activation,
    "max-pooling": failures.max_pooling,
    "sparse-gradients": failures.sparse_gradients,
}
"""The simulation of each statement, by the statement's name."""

WITHOUT: dict[str, str] = {}
"""Statements without a simulation, and why."""
