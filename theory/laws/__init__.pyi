from .law import Law, predict

__all__ = ["Law", "predict"]
