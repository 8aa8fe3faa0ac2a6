"""One trained network, beside the same architecture at initialization: how its gradients grow.

The law is about random weights; here a network's weights are given. `configuration` says which
network and which images, `experiment` measures it, `report` says what was found and `picture` draws
it; the command is `python -m sim.pretrained`. May import `sim.plan`, `sim.models` and what is below
them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
