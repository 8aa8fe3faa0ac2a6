from .configuration import Config
from .experiment import run
from .picture import figure_of

__all__ = ["Config", "figure_of", "run"]
