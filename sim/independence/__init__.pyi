from .backward import Backward, Place, Reading
from .counterfactual import initialized, read
from .ladder import Ladder
from .sampling import Sampled, sample

__all__ = ["Backward", "Ladder", "Place", "Reading", "Sampled", "initialized", "read", "sample"]
