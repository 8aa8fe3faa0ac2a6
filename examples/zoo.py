"""All public architectures under one name: of convolutional.py, sequences.py and plain.py.

    python -m sim.scaling --model examples.zoo:resnet18

Each is narrow enough for two CPU cores, has ten classes, and takes images of side 8, 16, 32, 64.
"""

# ruff: noqa: F401

from examples.convolutional import (
    convnext,
    densenet_bc,
    group_norm,
    mobilenet_v2,
    resnet18,
    softmax_last,
    squeeze_excite,
    standardized_input,
    unet_encoder,
    vgg,
)
from examples.plain import (
    cosine_head,
    neural_ode,
    radial_basis,
    scanned_resnet,
    siren,
    tied,
    weight_normed,
    weight_standardized,
)
from examples.sequences import (
    fnet,
    linear_attention,
    mlp_mixer,
    row_lstm,
    row_rnn,
    vit_he,
    vit_linen,
)
