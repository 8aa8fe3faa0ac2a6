"""The √d experiment: how the input gradient of a random network grows with its input dimension.

`python -m sim.scaling --arch resnet` samples randomly initialized networks at several widths and
image sides, fits the exponent of E‖∂_x L‖_q in d = channels · side², and compares it with the law.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
