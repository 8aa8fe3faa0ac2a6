from .backward import Backward, Place, Reading
from .counterfactual import random_leaves, read
from .ladder import Ladder
from .sampling import Sampled, sample

__all__ = ["Backward", "Ladder", "Place", "Reading", "Sampled", "random_leaves", "read", "sample"]
