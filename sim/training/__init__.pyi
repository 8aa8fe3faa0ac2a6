from .configuration import BEFORE, SETS, Cell, Config, check, completed, design
from .experiment import run, stored
from .picture import plot

__all__ = [
    "BEFORE",
    "SETS",
    "Cell",
    "Config",
    "check",
    "completed",
    "design",
    "plot",
    "run",
    "stored",
]
