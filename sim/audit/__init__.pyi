from .analysis import Analysis, analysed
from .configuration import Config, completed, planned
from .experiment import run

__all__ = ["Analysis", "Config", "analysed", "completed", "planned", "run"]
