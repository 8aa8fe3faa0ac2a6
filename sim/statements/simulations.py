"""The list of simulations: one for every statement of `theory.statements`, of its main claim.

To add one, write a function of `Settings` that returns an `Outcome` in the module that is named
like the one of the statement's derivation, and name it here. `python -m sim.statements` runs them.
"""

from sim.statements import (
    attacks,
    distribution,
    finite_width,
    gradient_steps,
    heads,
    joint,
    layers,
    loss,
    maxima,
    norm_bounds,
    normalization,
    paths,
    penalties,
    perturbations,
    positions,
    residual_streams,
    schemes,
    shared_kernels,
    smooth,
    subspaces,
    true_masks,
)
from sim.statements.outcome import Check

CHECKS: dict[str, Check] = {
    "lemma-2": attacks.lemma_2,
    "proposition-3": attacks.proposition_3,
    "true-masks": true_masks.true_masks,
    "norm-bounds": norm_bounds.norm_bounds,
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
    "joint-law": joint.joint_law,
    "gaussian-head": heads.gaussian_head,
    "boundary-distance": joint.boundary_distance,
    "smooth-activations": smooth.smooth_activations,
    "shared-kernels": shared_kernels.shared_kernels,
    "positions": positions.positions,
    "post-activation": residual_streams.post_activation,
    "max-pooling": maxima.max_pooling,
    "sparse-gradients": maxima.sparse_gradients,
    "layer-norm": normalization.layer_norm,
    "concatenation": normalization.concatenation,
    "cross-lipschitz": penalties.cross_lipschitz,
    "constant-signal-to-noise": penalties.constant_signal_to_noise,
    "gradient-step": gradient_steps.gradient_step,
    "general-activations": gradient_steps.general_activations,
    "decreasing-widths": gradient_steps.decreasing_widths,
    "deep-networks": gradient_steps.deep_networks,
    "boundary-scaling": perturbations.boundary_scaling,
    "average-robustness": perturbations.average_robustness,
    "copied-pixels": subspaces.copied_pixels,
    "dimension-gap": subspaces.dimension_gap,
    "lazy-training": subspaces.lazy_training,
}
"""The simulation of each statement, by the statement's name."""

WITHOUT: dict[str, str] = {
    "batch-norm": "`python -m sim.scaling` with `--norm batch` measures it",
    "general-norms": "`lemma-2` simulates attacks",
    "zero-one-damage": "an inequality between definitions",
    "double-backpropagation": "`proposition-3` simulates it",
}
"""Statements without a simulation, and why."""
