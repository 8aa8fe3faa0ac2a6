from .comparison import compare
from .configuration import Config
from .experiment import run
from .picture import figure_of, plot

__all__ = ["Config", "compare", "figure_of", "plot", "run"]
