from .analysis import Analysis, analysed
from .configuration import Config, check, completed
from .experiment import run
from .sentence import sentence

__all__ = ["Analysis", "Config", "analysed", "check", "completed", "run", "sentence"]
