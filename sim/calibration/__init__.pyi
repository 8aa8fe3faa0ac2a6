from .configuration import Config, check
from .experiment import run
from .report import BAND

__all__ = ["BAND", "Config", "check", "run"]
