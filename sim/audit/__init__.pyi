from .analysis import Analysis, analysed
from .configuration import Config, completed, planned
from .experiment import run
from .sentence import sentence

__all__ = ["Analysis", "Config", "analysed", "completed", "planned", "run", "sentence"]
