"""Norms of input gradients of random networks, as `sim` measured them.

`cd tests/theory && python -m mutants.measured` measures them again and prints the table.
"""

from dataclasses import dataclass
from typing import Any

SEEDS = 400


@dataclass(frozen=True)
class Measured:
    """E‖∂‖_q of one network at one input dimension, with its standard error."""

    arch: str
    options: tuple[tuple[str, Any], ...]
    quantity: str
    q: float
    side: int
    mean: float = 0.0
    standard_error: float = 0.0


INF = float("inf")
TABLE: tuple[Measured, ...] = (
    Measured("mlp", (("width", 16),), "logit", 1.0, 8, 10.19, 0.26),
    Measured("mlp", (("width", 64),), "loss", 1.0, 8, 10.94, 0.17),
    Measured("mlp", (("width", 64), ("activation", "tanh")), "logit", 1.0, 8, 5.023, 0.049),
    Measured(
        "mlp",
        (("width", 64), ("activation", "gelu"), ("init", "constant")),
        "logit",
        2.0,
        8,
        0.0001518,
        1.4e-06,
    ),
    Measured("mlp", (("width", 64), ("init", "glorot")), "logit", 2.0, 8, 0.5496, 0.0064),
    Measured("cnn", (("width", 16),), "logit", 1.0, 16, 21.45, 0.17),
    Measured("cnn", (("width", 16),), "logit", INF, 16, 0.1386, 0.0014),
    Measured("cnn", (("width", 32), ("head", "gap")), "logit", 1.0, 16, 5.439, 0.051),
    Measured("cnn", (("width", 32), ("head", "avgpool")), "logit", 2.0, 16, 0.4979, 0.0032),
    Measured("convnet-avdim", (("width", 16),), "logit", 1.0, 32, 35.55, 0.64),
    Measured("resnet", (("width", 32),), "logit", 2.0, 16, 2.823, 0.018),
    Measured("resnet-preact", (("width", 32), ("norm", "layer")), "logit", 2.0, 16, 0.7591, 0.0044),
    Measured("densenet", (("width", 32),), "logit", 2.0, 16, 0.2568, 0.0013),
)


def again() -> str:
    """The table with new figures, as source."""
    from sim.sampling.draws import Draws
    from sim.sampling.norms import sample
    from theory import architectures

    lines = []
    for x in TABLE:
        network = architectures.find(x.arch).build(**dict(x.options))
        draws = Draws((x.quantity,), (x.q,), "gaussian", seed=7)
        found = sample(network, x.side, range(SEEDS), draws)[:, 0, 0].astype(float)
        mean, error = float(found.mean()), float(found.std(ddof=1) / SEEDS**0.5)
        order = "INF" if x.q == INF else repr(x.q)
        head = f"{x.arch!r}, {x.options!r}, {x.quantity!r}, {order}, {x.side}"
        lines.append(f"    Measured({head}, {mean:.4g}, {error:.2g}),")
    return "\n".join(lines)


if __name__ == "__main__":
    print(again())
