from .configuration import BEFORE, SETS, Cell, Config, check, completed, design
from .experiment import run, stored

__all__ = ["BEFORE", "SETS", "Cell", "Config", "check", "completed", "design", "run", "stored"]
