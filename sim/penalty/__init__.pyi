from .experiment import Config, run

__all__ = ["Config", "run"]
