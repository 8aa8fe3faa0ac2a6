from .ascent import pgd, steepest
from .boundary import Boundary, minimal
from .damage import Attacks, Damage, attacked

__all__ = ["Attacks", "Boundary", "Damage", "attacked", "minimal", "pgd", "steepest"]
