"""Gradient independence: networks whose backward pass uses independent copies of the weights.

One principle predicts the input gradients of any model that JAX can run: the forward pass with the
weights W, the backward pass with an independent copy W′ (`counterfactual`). The norms of the
gradients that come out are sampled beside the measurement (`sampling`), and the ladder from
hypothesis H over gradient independence to the network as it is says which layer makes a difference
(`ladder`).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
