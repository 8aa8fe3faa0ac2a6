from .loading import ModelError, Own, network

__all__ = ["ModelError", "Own", "network"]
