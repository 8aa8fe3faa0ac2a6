from . import architectures as architectures
from .laws.law import Law, predict

__all__ = ["Law", "architectures", "predict"]
