from .configuration import Config, check
from .experiment import Result, differences, run, trained

__all__ = ["Config", "Result", "check", "differences", "run", "trained"]
