from .prediction import Beside, Prediction, of, table

__all__ = ["Beside", "Prediction", "of", "table"]
