from . import picture as picture
from . import report as report
from .configuration import Config, check
from .experiment import run
from .rows import Row

__all__ = ["Config", "Row", "check", "picture", "report", "run"]
