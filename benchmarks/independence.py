"""What a sampled prediction costs beside the measurement, compilation included."""

import gc
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sim.independence import sampling
from sim.models import loading
from sim.sampling import norms
from sim.sampling.draws import Draws
from sim.statistics import estimates
from theory import architectures, predict
from theory.laws.prediction import missing
from theory.network import Network

SIDES = (16, 32)
SEEDS = 128

EXAMPLES = ("plain_mlp", "linen_cnn", "nnx_resnet", "equinox_mlp", "equinox_vit")

DESCRIBED = {
    "cnn --head gap": ("cnn", {"head": "gap"}),
    "resnet --head gap": ("resnet", {"head": "gap"}),
    "vit": ("vit", {}),
    "mlp-mixer": ("mlp-mixer", {}),
}


def cases() -> Iterator[tuple[str, Network]]:
    """The models of examples/ and some described networks."""
    for name in EXAMPLES:
        yield name, loading.network(f"examples.models:{name}", 3)
    for name in public_models():
        yield name, loading.network(f"examples.zoo:{name}", 3)
    for name, (arch, options) in DESCRIBED.items():
        yield name, architectures.find(arch).build(**options)


def public_models() -> list[str]:
    """The names of the factories in examples/zoo.py."""
    from examples import zoo

    return sorted(name for name, value in vars(zoo).items() if callable(value))


def compare(
    name: str, network: Network, sides: tuple[int, ...] = SIDES, seeds: int = SEEDS
) -> dict[str, Any]:
    """Seconds of wall and processor of both, and measured over predicted ‖∂f_k‖₁ by side."""
    is_model = name not in DESCRIBED
    draws = Draws(("logit",), (1.0,), lazy=not is_model)
    batch = 1 if is_model else None

    def measure() -> np.ndarray:
        return norms.sweep(network, sides, range(seeds), draws, batch)[:, :, 0, 0]

    sampled, measured = timed(measure)
    found, predicted = timed(lambda: sampling.sample(network, sides, draws, seeds))
    expected = found.norms[:, :, 0, 0].T
    longest = max(sampled.shape[1], expected.shape[1])
    pairs = [
        [np.pad(x, (0, longest - len(x)), constant_values=np.nan) for x in pair]
        for pair in zip(sampled, expected, strict=True)
    ]
    return {
        "model": name,
        "measurement": measured,
        "prediction": predicted,
        "seeds": len(found.norms),
        "ratios": [vars(estimates.paired_ratio(*pair, sampling.TOGETHER)) for pair in pairs],
        "coupled": found.coupled,
        "samples": sampled,
    }


def timed(work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """A result, and the seconds of wall and processor that it took."""
    gc.collect()  # what earlier models left is not this one's to clear away
    start, processor = time.perf_counter(), time.process_time()
    result = work()
    seconds = {"wall": time.perf_counter() - start, "processor": time.process_time() - processor}
    return result, seconds


WIDTH = 256
WIDE = {"mlp": 1024, "densenet": 64, "mlp-mixer": 512}
"""Widths of architectures whose laws are reached later, or whose layers become wider."""

AVERAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "cnn --head gap": ("cnn", {"head": "gap"}),
    "resnet --head gap": ("resnet", {"head": "gap"}),
    "resnet-preact --head gap": ("resnet-preact", {"head": "gap"}),
    "cnn --head gap --border reflect": ("cnn", {"head": "gap", "border": "reflect"}),
    "convnet-avdim --head gap": ("convnet-avdim", {"head": "gap"}),
    "convnet-avdim --head avgpool": ("convnet-avdim", {"head": "avgpool"}),
    "convnet-avdim --pooling average": ("convnet-avdim", {"pooling": "average"}),
}
"""Networks whose positions meet in averages; their widths are ordinary ones."""

ORDINARY = 64


def agreements() -> Iterator[dict[str, Any]]:
    """Every architecture that has a law, wide, and averages."""
    for name, architecture in architectures.ARCHITECTURES.items():
        if missing(architecture.build()) is None:
            yield agreement(name, name, {"width": WIDE.get(name, WIDTH)})
    for name, (arch, options) in AVERAGES.items():
        yield agreement(name, arch, options | {"width": ORDINARY})


def agreement(name: str, arch: str, options: dict[str, Any]) -> dict[str, Any]:
    """Gradient independence over the law of a network, E‖∂f_k‖₁ at its smallest side."""
    architecture = architectures.find(arch)
    network = architecture.build(**options)
    side = min(architecture.sizes)
    draws = Draws(("logit",), (1.0,))
    found = sampling.sample(network, (side,), draws, SEEDS).norms[:, 0, 0, 0]
    law = predict(network, 1, "logit")(network.channels * side**2)
    error = found.std(ddof=1) / len(found) ** 0.5
    return {
        "arch": name,
        "width": options["width"],
        "side": side,
        "ratio": float(found.mean() / law),
        "error": float(error / law),
    }
