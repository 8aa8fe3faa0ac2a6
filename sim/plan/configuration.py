"""What all experiments on random networks have in common: which networks, sizes, seeds and inputs.

An experiment's configuration derives from `Experiment`; flags of the same name mean the same in
all of them.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from sim.running import flags
from sim.running.flags import one_of
from sim.sampling.inputs import INPUTS
from theory.architectures import ARCHITECTURES
from theory.initializers import DISTRIBUTIONS, SCHEMES
from theory.registry import ACTIVATIONS, BORDERS, HEADS, NORMS, POOLINGS

Architecture = Annotated[str, one_of(ARCHITECTURES, default=True)]
Input = Annotated[str, one_of(INPUTS, default=True)]


@dataclass(frozen=True)
class Networks(flags.Checked):
    """Random networks of one family, at several widths and sizes."""

    arch: Annotated[str | None, one_of(ARCHITECTURES)] = "resnet"
    """Architecture, or your own: package.module:function. Unless given: resnet."""
    head: Annotated[str | None, one_of((*HEADS, "cls"))] = None
    """Last layers: dense, avgpool (2x2 average, then dense), gap (global average), gmaxpool
    (global maximum), cls (class token). Unless given: dense; gap for mlp-mixer, cls for vit."""
    widths: flags.Wholes = None
    """Units of a hidden layer, or channels of a convolution; one network for each. Unless given:
    three widths that suit the architecture."""
    sizes: flags.Wholes = None
    """Sides of the images, at least two. Unless given: four sides that suit the architecture."""
    depth: flags.Whole = None
    """Hidden layers (mlp), convolutions (cnn, convnet-avdim), blocks (resnets, mlp-mixer, vit) or
    layers of each of three blocks (densenet)."""
    classes: int = 10
    """Number of logits."""
    channels: int = 3
    """Channels of the input images; d = channels · side²."""
    activation: Annotated[str | None, one_of(ACTIVATIONS)] = None
    """Activation. Unless given: relu; gelu for mlp-mixer and vit."""
    norm: Annotated[str | None, one_of(NORMS)] = None
    """Normalization of cnn, resnets and densenet; batch: statistics over the inputs of a seed
    (--inputs-per-seed) and their positions. Unless given: none."""
    border: Annotated[str | None, one_of(BORDERS)] = None
    """What convolutions see outside of the image. Unless given: reflect for convnet-avdim,
    circular otherwise."""
    pooling: Annotated[str | None, one_of(POOLINGS)] = None
    """How convnet-avdim halves the side. Unless given: stride."""
    pool_after: flags.Wholes = None
    """Layers of convnet-avdim that halve the side, counted from 1. Unless given: 1 3 5 ..."""
    dilation: flags.Wholes = None
    """Dilation of convnet-avdim's kernels: one number, or one for each layer. Unless given: 1."""
    patch: flags.Whole = None
    """Side of the patches of mlp-mixer and vit, which become more with the image. Unless given:
    4."""
    tokens: flags.Whole = None
    """Instead of --patch: the number of patches, a square; they grow with the image."""
    init: Annotated[str, one_of(SCHEMES, default=True)] = "he"
    """Initialization, or your own: package.module:name."""
    distribution: Annotated[str | None, one_of(DISTRIBUTIONS)] = None
    """Distribution of the weights. Unless given: the usual one of the initialization."""
    std: float = 0.02
    """Standard deviation of the weights with --init constant."""


@dataclass(frozen=True)
class Experiment(Networks):
    """Random networks of one family at several sizes, and their inputs."""

    seeds: int = 128
    """Number of random networks for each width and size."""
    seed: int = 0
    """Key of the whole run; the same key gives the same samples."""
    input: Input = "photo"
    """Inputs: photo (crops of two photographs), digits (8x8 handwritten digits). All have mean
    square 1 per coordinate."""
    inputs_per_seed: int = 1
    """Inputs over which the results of one seed are averaged."""
    dtype: Literal["float32", "float64"] = "float32"
    """Arithmetic of the simulation; results are float64 in any case."""


@dataclass(frozen=True)
class ModelExperiment(Experiment):
    """Random networks of one family, or a user's own model in its place."""

    arch: Annotated[str | None, one_of(ARCHITECTURES)] = None
    """Architecture, or your own: package.module:function. Unless given: resnet."""
    model: flags.Name = None
    """Your own model instead: package.module:factory, a function of the input shape (side, side,
    channels) that returns a model of JAX, Flax, Equinox, Haiku, PyTorch or Keras; or a model of a
    library by its name, such as torchvision:resnet18, timm:..., transformers:..., keras:...
    With weights of its own: python -m sim.pretrained."""
    model_args: flags.Names = None
    """What the factory of --model takes besides: name=value, such as num_classes=10, or one object
    of JSON."""
    batch_statistics: bool = False
    """Batch normalization of a --model of PyTorch as in training: with the statistics of the inputs
    of a seed (--inputs-per-seed) and their positions."""


@dataclass(frozen=True)
class Keep:
    """Where samples are kept."""

    out: flags.Place = None
    """Keep samples and provenance in this folder, or at this URL of fsspec, as they are finished
    (xarray and Zarr). The same command continues a run; more seeds, widths or sizes extend it."""


Stored = TypeVar("Stored")


def restored(kind: type[Stored], fields: dict[str, Any]) -> Stored:
    """A configuration from what was read of it as JSON, which has lists for tuples."""
    return kind(**{k: (*v,) if isinstance(v, list) else v for k, v in fields.items()})
