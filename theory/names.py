"""Names that users write: what a wrong one probably means."""

import difflib
from typing import Any

ALSO_CALLED = {
    "kaiming": "he",
    "msra": "he",
    "xavier": "glorot",
    "fully-connected": "mlp",
    "convnet": "cnn",
    "mixer": "mlp-mixer",
    "transformer": "vit",
    "global-avg-pool": "gap",
    "global-average-pooling": "gap",
    "global-max-pool": "gmaxpool",
    "average": "avgpool",
    "swish": "silu",
    "linear": "identity",
    "leaky": "leaky-relu",
    "layernorm": "layer",
    "batchnorm": "batch",
    "cyclic": "circular",
    "periodic": "circular",
    "zeros": "zero",
    "normal": "gaussian",
    "gaussian": "normal",
    "photos": "photo",
}
"""What others call the names of this project."""


def unknown(what: str, name: str, known: Any) -> str:
    """One sentence for an unknown name, with the nearest known one suggested."""
    also = ALSO_CALLED.get(name.lower())
    near = [also] if also in known else difflib.get_close_matches(name, list(known), 1, 0.4)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    return f"unknown {what} '{name}' (known: {', '.join(known)}){hint}"
