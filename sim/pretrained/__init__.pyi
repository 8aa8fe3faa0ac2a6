from . import picture as picture
from . import report as report
from .configuration import Config, check
from .experiment import run

__all__ = ["Config", "check", "picture", "report", "run"]
