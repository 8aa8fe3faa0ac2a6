from . import architectures as architectures
from . import initializers as initializers
from . import network as network
from . import statements as statements
from .laws.law import Law
from .laws.prediction import predict

__version__: str
__all__ = ["Law", "architectures", "initializers", "network", "predict", "statements"]
