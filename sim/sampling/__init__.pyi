from .draws import Draws
from .engine import sampler
from .norms import sample, sweep

__all__ = ["Draws", "sample", "sampler", "sweep"]
