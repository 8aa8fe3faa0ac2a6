from .html import page

__all__ = ["page"]
