from .design import Config

__all__ = ["Config"]
