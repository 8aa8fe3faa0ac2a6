"""Models of PyTorch, measured here and by a loop that one would write in PyTorch."""

import importlib.util
from typing import Any

import numpy as np

from benchmarks import independence
from sim.models import factories, loading
from sim.statistics.numbers import with_ends

HERE = all(importlib.util.find_spec(x) for x in ("torch", "torchax"))
NAMED = all(importlib.util.find_spec(x) for x in ("torchvision", "timm", "transformers"))

SMALL = ["num_labels=10", "hidden_size=96", "num_hidden_layers=4", "num_attention_heads=4"]

CASES: list[tuple[str, list[str], tuple[int, ...], int]] = [
    ("examples.torch_models:mlp", [], (16, 32), 128),
    ("examples.torch_models:Cnn", [], (16, 32), 128),
    ("examples.torch_models:LeNet", [], (16, 32), 128),
    ("examples.torch_models:ResNet", [], (16, 32), 128),
    ("examples.torch_models:ViT", [], (16, 32), 128),
    ("torchvision:resnet18", ["num_classes=10"], (32, 64), 32),
    ("torchvision:squeezenet1_1", ["num_classes=10"], (32, 64), 64),
    ("torchvision:mobilenet_v3_small", ["num_classes=10"], (32, 64), 64),
    ("timm:vit_tiny_patch16_224", ["num_classes=10"], (32, 64), 64),
    ("transformers:ViTForImageClassification", SMALL, (32, 64), 64),
    ("torchvision:mobilenet_v3_small", [], (224,), 16),
    ("torchvision:resnet18", [], (224,), 16),
    ("timm:vit_tiny_patch16_224", [], (224,), 16),
]
"""Names, arguments, sides, and networks of each side."""


def rows() -> list[dict[str, Any]]:
    """What is measured of each case whose libraries are there."""
    return [compare(*case) for case in CASES if HERE and (NAMED or case[0].startswith("examples"))]


def compare(name: str, arguments: list[str], sides: tuple[int, ...], seeds: int) -> dict[str, Any]:
    """E‖∂f_k‖₁ by side over that of the loop, with its error, and seconds of both."""
    network = loading.network(name, 3, arguments)
    (own,) = network.body.layers
    assert isinstance(own, loading.Own)
    found = independence.compare(name, network, sides, seeds)
    looped, seconds = independence.timed(lambda: [loop(own, side, seeds) for side in sides])
    ratios = []
    for sampled, other in zip(found["samples"], looped, strict=True):
        errors = [x.std(ddof=1) / len(x) ** 0.5 / x.mean() for x in (sampled, other)]
        ratio = sampled.mean() / other.mean()
        ratios.append({"value": float(ratio), "error": float(ratio * np.hypot(*errors))})
    del found["samples"]
    return found | {"sides": sides, "loop": seconds, "over loop": ratios}


def loop(own: loading.Own, side: int, seeds: int) -> np.ndarray:
    """‖∂f_0‖₁ of networks with their own initialization, one after the other, by autograd."""
    torch = importlib.import_module("torch")
    make, _ = factories.bound(own.factory, (side, side, 3))
    found = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        model = make(None).eval()
        x = torch.randn(1, 3, side, side, requires_grad=True)
        logits = model(x)
        logits = getattr(logits, "logits", logits)
        (gradient,) = torch.autograd.grad(logits[0, 0], x)
        found.append(gradient.abs().sum().item())
    return np.array(found)


def show(found: list[dict[str, Any]]) -> None:
    """Prints a table of Markdown."""
    print("\nmodels of PyTorch: E‖∂f_k‖₁ here over that of a PyTorch loop, and over its prediction")
    print(
        "| model | sides | measured / loop | measured / predicted | processor s, measured "
        "| predicted | loop |"
    )
    print("|---|---|---|---|---|---|---|")
    for row in found:
        over_loop = ", ".join(
            f"{x['value']:.3f} ± {1.96 * x['error']:.3f}" for x in row["over loop"]
        )
        predicted = ", ".join(with_ends(x["value"], *x["interval"]) for x in row["ratios"])
        times = [row[part]["processor"] for part in ("measurement", "prediction", "loop")]
        cells = [f"`{row['model']}`", ", ".join(map(str, row["sides"])), over_loop, predicted]
        print("| " + " | ".join([*cells, *(f"{seconds:.0f}" for seconds in times)]) + " |")
    if not HERE:
        print("torchax is not installed (extra torch): no models of PyTorch.")
