"""Which layers make the gap between what is predicted and the network as it is.

`python -m sim.audit --arch resnet` (or `--model package.module:factory`) samples random networks at
a few sizes and climbs a ladder, place by place: from hypothesis H, where the backward pass has
independent copies of all weights and a fair coin for every unit of a ReLU, over gradient
independence, which has the true masks, to the network as it is. Every ratio is measured with the
same seeds, so that intervals are short, and all of them multiply to the whole gap. The sentence
that comes first names the places whose measured factor accounts for it, and says whether the
exponent is safe. The hypotheses H1, H3, H4, H5 and S are measured beside it (--full).
"""

from sim.audit.design import Config, check, complete
from sim.audit.running import run

__all__ = ["Config", "check", "complete", "run"]
