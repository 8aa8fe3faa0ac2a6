from .estimates import Expected, Mean, Slope, seeds_needed
from .fitting import Fit, Point, fit, points

__all__ = ["Expected", "Fit", "Mean", "Point", "Slope", "fit", "points", "seeds_needed"]
