from .ascent import pgd, steepest
from .damage import Attacks, Damage, attacked

__all__ = ["Attacks", "Damage", "attacked", "pgd", "steepest"]
