"""Public architectures by the names of their libraries, and what stands between pixels and logits.

Behind the last features an architecture has one of few ways from positions to logits, and that
decides how its gradient grows with the image (docs/architectures.md, "Heads").
"""

ENDS = {
    "global average": (
        *("torchvision:resnet18", "torchvision:resnet50", "torchvision:densenet121"),
        *(
            "torchvision:squeezenet1_1",
            "torchvision:shufflenet_v2_x1_0",
            "torchvision:mobilenet_v2",
        ),
        *("torchvision:mobilenet_v3_small", "torchvision:mobilenet_v3_large"),
        *("torchvision:mnasnet1_0", "torchvision:efficientnet_b0", "torchvision:regnet_y_400mf"),
        *("torchvision:regnet_x_400mf", "torchvision:googlenet", "timm:ghostnet_100"),
    ),
    "global average then layer norm": ("torchvision:convnext_tiny", "timm:poolformer_s12"),
    "7 × 7 averages then dense": ("torchvision:vgg16",),
    "layer norm then class token": (
        *("timm:vit_tiny_patch16_224", "timm:deit_tiny_patch16_224", "timm:xcit_nano_12_p16_224"),
    ),
    "layer norm then average of tokens": ("torchvision:swin_t", "timm:mixer_s16_224"),
}
"""Models, by what is done with their last features."""

NETWORKS = tuple(model for models in ENDS.values() for model in models)
"""All of them."""


def end_of(model: str) -> str:
    """What a model does with its last features; nothing if it is not in the list.

    Args:
        model: Its name, such as "torchvision:resnet18".
    """
    return next((end for end, models in ENDS.items() if model in models), "")
