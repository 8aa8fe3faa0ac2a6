from . import (
    atlas as atlas,
)
from . import (
    audit as audit,
)
from . import (
    calibration as calibration,
)
from . import (
    models as models,
)
from . import (
    penalty as penalty,
)
from . import (
    pretrained as pretrained,
)
from . import (
    scaling as scaling,
)
from . import (
    statements as statements,
)
from . import (
    statistics as statistics,
)
from . import (
    training as training,
)
from . import (
    vulnerability as vulnerability,
)

__version__: str
__all__ = [
    "atlas",
    "audit",
    "calibration",
    "models",
    "penalty",
    "pretrained",
    "scaling",
    "statements",
    "statistics",
    "training",
    "vulnerability",
]
