"""The networks that a study trains, described. Needs no jax."""

from sim.sampling.datasets import CHANNELS, CLASSES, SIZES
from theory.architectures import convnet_avdim, mlp
from theory.network import Network


def without_batch_norm(
    data: str, side: int, width: int, depth: int, kind: str = "convnet"
) -> Network:
    """The network for the images of a data set at a side, before normalization is added.

    An mlp has `depth` hidden layers of `width` units. A convnet is of the paper's family: `depth`
    3×3 convolutions of `width` channels with reflecting borders, the first two of stride 2, a dense
    head. The dilation is side / (side of the data set), or one more if that is even, so
    that receptive fields about keep their size relative to the image: with an even dilation a
    stride of 2 reads even pixels only.

    Args:
        data: Name of the data set.
        side: Side of the images, a multiple of the side that the data set has.
        width: Channels of each convolution, or units of each hidden layer.
        depth: Convolutions, or hidden layers.
        kind: convnet or mlp.

    Raises:
        ValueError: There is no such network for a side or a depth.
    """
    smallest = SIZES[data][0]
    if side < smallest or side % smallest:
        raise ValueError(f"{data} images have side {smallest}, and {side} is no multiple of it.")
    if kind == "mlp":
        return mlp(width, depth, CLASSES, CHANNELS[data])
    return convnet_avdim(
        width=width,
        depth=depth,
        classes=CLASSES,
        channels=CHANNELS[data],
        pool_after=tuple(range(1, min(2, depth) + 1)),
        dilation=side // smallest // 2 * 2 + 1,
    )
