"""The law after training: what regularizers do to input gradients, and how those grow with d.

`python -m sim.training` trains the paper's convolutional networks, batch normalization included,
on images that are made larger by copying pixels: ordinarily, with PGD training at several strengths
(all at every side), and with other regularizers (at one side). It measures accuracy, ‖∂_x L‖_q,
adversarial damage and vulnerability on training and test images, and fits how they grow with
d = channels · side², before training and after. Images have mean square 1 per coordinate, the unit
of ε; attacks and regularizers have sizes ε_p = ε d^{1/p}: a fixed change per pixel.
"""

from sim.training.design import BEFORE, SETS, Config, check, design, filled
from sim.training.running import run, stored

__all__ = ["BEFORE", "SETS", "Config", "check", "design", "filled", "run", "stored"]
