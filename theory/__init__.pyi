from . import architectures as architectures
from .laws.law import Law
from .laws.prediction import predict

__all__ = ["Law", "architectures", "predict"]
