from .configuration import Experiment, Keep, ModelExperiment
from .plan import Plan, planned

__all__ = ["Experiment", "Keep", "ModelExperiment", "Plan", "planned"]
