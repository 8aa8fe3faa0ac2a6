from .estimates import Expected, Mean, Slope, seeds_needed
from .fits import Fit, Fits, Point
from .fitting import fit, points

__all__ = ["Expected", "Fit", "Fits", "Mean", "Point", "Slope", "fit", "points", "seeds_needed"]
