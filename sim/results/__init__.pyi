from .configuration import Config, rows, tables
from .experiment import run

__all__ = ["Config", "rows", "run", "tables"]
