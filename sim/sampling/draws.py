"""What is drawn for every seed of a run. Without jax."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Draws:
    """What is drawn for every seed: at which inputs, how many, which norms of which gradients."""

    quantities: tuple[str, ...]
    norms: tuple[float, ...]
    input: str = "gaussian"
    inputs_per_seed: int = 1
    labels_per_seed: int = 1
    """Labels and logits over which the norms at an input are averaged."""
    seed: int = 0
    lazy: bool = True
    """Whether Gaussian matrices of dense layers stay unformed (`sim.networks.unformed`)."""
    integrate_first: bool = False
    """Whether norms are expectations over the first matrix (`sim.networks.conditional`)."""
