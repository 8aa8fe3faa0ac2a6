from .law import Law
from .prediction import predict

__all__ = ["Law", "predict"]
